//! Whether two values say the same, whoever says it: an actor's own id, the ids of its children and
//! the id of the message in hand are different in each history.

use std::collections::{HashMap, HashSet};

use crate::codec::DecodeError;
use crate::scan::{Reader, Token};
use crate::{ChainStore, StoreError, TheaterId};

/// How many pairs of ids are remembered, so that memory is bounded (10 MB).
const MAX_PAIRS: usize = 1 << 16;

/// The hex digits of an id.
const ID: usize = 32;

/// The ids of one history and what stands for them in the other.
#[derive(Debug, Default)]
pub(super) struct Ids {
    there: HashMap<TheaterId, TheaterId>,
    taken: HashSet<TheaterId>,
    /// Ids that are no counterparts.
    apart: HashSet<(TheaterId, TheaterId)>,
    /// The messages that the calls deliver that are open.
    pub(super) messages: [Option<String>; 2],
}

impl Ids {
    /// Notes that one id stands for the other.
    pub(super) fn pair(&mut self, a: TheaterId, b: TheaterId) {
        if self.there.len() < MAX_PAIRS && !self.there.contains_key(&a) && self.taken.insert(b) {
            self.there.insert(a, b);
        }
    }

    /// Whether two MessagePack values say the same. Ids that were not met before are counterparts
    /// where both are those of actors with one name.
    pub(super) async fn same(&mut self, stores: [&dyn ChainStore; 2], a: &[u8], b: &[u8]) -> Result<bool, StoreError> {
        if a == b {
            return Ok(true);
        }
        let mut unknown = Vec::new();
        if !self.tokens(a, b, &mut unknown).unwrap_or(false) {
            return Ok(false);
        }
        for (a, b) in unknown {
            if self.there.get(&a) == Some(&b) {
                continue;
            }
            if !self.are_counterparts(stores, a, b).await? {
                return Ok(false);
            }
            self.pair(a, b);
        }
        Ok(true)
    }

    async fn are_counterparts(
        &mut self,
        stores: [&dyn ChainStore; 2],
        a: TheaterId,
        b: TheaterId,
    ) -> Result<bool, StoreError> {
        if self.there.contains_key(&a) || self.taken.contains(&b) || self.apart.contains(&(a, b)) {
            return Ok(false);
        }
        let (in_a, in_b) = (stores[0].actor(a).await?, stores[1].actor(b).await?);
        let both = in_a.zip(in_b).is_some_and(|(a, b)| a.index.name == b.index.name);
        if !both && self.apart.len() < MAX_PAIRS {
            self.apart.insert((a, b));
        }
        Ok(both)
    }

    fn tokens(&self, a: &[u8], b: &[u8], unknown: &mut Vec<(TheaterId, TheaterId)>) -> Result<bool, DecodeError> {
        let (mut a, mut b) = (Reader::new(a), Reader::new(b));
        loop {
            match (a.is_at_end(), b.is_at_end()) {
                (true, true) => return Ok(true),
                (false, false) => {}
                _ => return Ok(false),
            }
            let same = match (a.token()?, b.token()?) {
                (Token::Text(a), Token::Text(b)) => self.bytes(a.as_bytes(), b.as_bytes(), unknown),
                (Token::Bin(a), Token::Bin(b)) => self.bytes(a, b, unknown),
                (Token::F32(a), Token::F32(b)) => a.to_bits() == b.to_bits(),
                (Token::F64(a), Token::F64(b)) => a.to_bits() == b.to_bits(),
                (a, b) => a == b,
            };
            if !same {
                return Ok(false);
            }
        }
    }

    /// Whether two byte strings are the same but for ids.
    pub(super) fn bytes(&self, a: &[u8], b: &[u8], unknown: &mut Vec<(TheaterId, TheaterId)>) -> bool {
        let (mut i, mut j) = (0, 0);
        while i < a.len() && j < b.len() {
            if let [Some(of_a), Some(of_b)] = &self.messages
                && a[i..].starts_with(of_a.as_bytes())
                && b[j..].starts_with(of_b.as_bytes())
            {
                (i, j) = (i + of_a.len(), j + of_b.len());
                continue;
            }
            if let (Some(of_a), Some(of_b)) = (id_at(a, i), id_at(b, j))
                && of_a != of_b
            {
                if self.there.get(&of_a) != Some(&of_b) {
                    unknown.push((of_a, of_b));
                }
                (i, j) = (i + ID, j + ID);
                continue;
            }
            if a[i] != b[j] {
                return false;
            }
            (i, j) = (i + 1, j + 1);
        }
        i == a.len() && j == b.len()
    }
}

/// The id that stands there, and not in the middle of a longer number.
fn id_at(bytes: &[u8], at: usize) -> Option<TheaterId> {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let text = bytes.get(at..at + ID)?;
    let is_alone = !at.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(is_digit)
        && !bytes.get(at + ID).is_some_and(is_digit);
    if !is_alone || !text.iter().all(is_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> (bool, usize) {
        let mut ids = Ids { messages: [Some("cli-1/1".into()), Some("cli-22/10".into())], ..Ids::default() };
        ids.pair(TheaterId::from_bytes([1; 16]), TheaterId::from_bytes([2; 16]));
        let mut unknown = Vec::new();
        let same = ids.bytes(a.as_bytes(), b.as_bytes(), &mut unknown);
        (same, unknown.len())
    }

    #[test]
    fn ids_and_messages_stand_for_each_other() {
        let (one, two, three) = ("01".repeat(16), "02".repeat(16), "03".repeat(16));
        assert_eq!(same(&format!("to {one}."), &format!("to {two}.")), (true, 0));
        assert_eq!(same(&format!("to {one}."), &format!("to {three}.")), (true, 1));
        assert_eq!(same(&format!("to {one}a"), &format!("to {two}a")), (false, 0));
        assert_eq!(same("(cli-1/1)", "(cli-22/10)"), (true, 0));
        assert_eq!(same("(cli-1/1)", "(cli-22/11)"), (false, 0));
        assert_eq!(same("abc", "abcd"), (false, 0));
        assert_eq!(same("", ""), (true, 0));
    }
}
