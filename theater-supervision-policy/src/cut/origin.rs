//! Where the message of a call came from, by its id.

use theater_chain::TheaterId;

/// A message of an actor: the host call that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    pub(super) actor: TheaterId,
    /// The seq of the sender's `call`.
    pub(super) call: u64,
    pub(super) ordinal: u32,
}

/// Who led to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A start, a callback or a question of the runtime: it is made again from what led to it.
    Runtime,
    /// An actor.
    Actor(Sent),
    /// Somebody outside of the tree.
    Outside,
}

impl Origin {
    /// From a message id: `<actor>/<seq>/<ordinal>`, or `<source>/<n>`, where a source has no `/`.
    pub(super) fn of(message_id: Option<&str>) -> Self {
        match message_id {
            None => Self::Runtime,
            Some(id) => sent(id).map_or(Self::Outside, Self::Actor),
        }
    }
}

fn sent(id: &str) -> Option<Sent> {
    let mut parts = id.splitn(3, '/');
    let (actor, call, ordinal) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Sent { actor: actor.parse().ok()?, call: call.parse().ok()?, ordinal: ordinal.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_says_who_sent_it() {
        let actor = TheaterId::from_bytes([0xab; 16]);
        let of = |id: &str| Origin::of(Some(id));
        assert_eq!(of(&format!("{actor}/17/3")), Origin::Actor(Sent { actor, call: 17, ordinal: 3 }));
        for outside in ["cli-1/17", "cli-1/17/3", &format!("{actor}/17"), &format!("{actor}/17/3/4"), ""] {
            assert_eq!(of(outside), Origin::Outside, "{outside}");
        }
        assert_eq!(Origin::of(None), Origin::Runtime);
    }
}
