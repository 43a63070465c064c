//! The payload of an event: a MessagePack map of fields whose values are encoded already.
//!
//! Values stay bytes here, since what guests supplied is compared byte for byte in replay and
//! must never be decoded and encoded again on its way through.

use crate::codec::DecodeError;
use crate::scan::{Reader, Token};

/// The map of these fields, in this order, each value as its encoded MessagePack. `None` among
/// others is written as nil; `None` alone means that the event has no payload.
pub fn encode(fields: &[(&str, Option<&[u8]>)]) -> Option<Vec<u8>> {
    if fields.iter().all(|(_, value)| value.is_none()) {
        return None;
    }
    let len = fields.iter().map(|(name, value)| name.len() + 5 + value.map_or(1, <[u8]>::len)).sum::<usize>();
    let mut out = Vec::with_capacity(len + 5);
    write_map_len(&mut out, fields.len());
    for (name, value) in fields {
        write_text(&mut out, name);
        out.extend_from_slice(value.unwrap_or(&[NIL]));
    }
    Some(out)
}

/// The encoded value of a field; `None` if the payload has no such field or it is nil. The whole
/// payload is checked.
pub fn field<'a>(bytes: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, DecodeError> {
    let found = crate::scan::fields(bytes)?.into_iter().find(|(key, _)| *key == name);
    Ok(found.map(|(_, value)| value).filter(|value| *value != [NIL]))
}

/// A byte string as a value: `bin`, but an empty one is an empty array, as for every `list<u8>`.
pub fn bin(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 5);
    if bytes.is_empty() {
        out.push(0x90);
    } else {
        // A list of a guest is at most 4 GB, the size of its memory.
        rmp::encode::write_bin(&mut out, bytes).expect("writing to memory cannot fail");
    }
    out
}

/// A text as a value.
pub fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 5);
    write_text(&mut out, text);
    out
}

/// The bytes of a value that [`bin`] wrote; an empty array is an empty byte string.
pub fn read_bin(value: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(value);
    let bytes = match reader.token()? {
        Token::Bin(bytes) => bytes,
        Token::Array(0) => &[],
        _ => return Err(DecodeError::Type("a byte string was expected".into())),
    };
    reader.finish()?;
    Ok(bytes)
}

const NIL: u8 = 0xc0;

pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    rmp::encode::write_str(out, text).expect("writing to memory cannot fail");
}

pub(crate) fn write_map_len(out: &mut Vec<u8>, fields: usize) {
    // No event has more fields than a u32 counts: the names come from code or from a checked map.
    rmp::encode::write_map_len(out, fields as u32).expect("writing to memory cannot fail");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn fields_come_back_as_the_bytes_that_went_in() {
        let params = [0x92, 0x01, 0xa1, b'x'];
        let bytes = encode(&[("params", Some(&params)), ("result", None)]).unwrap();
        assert_eq!(bytes, b"\x82\xa6params\x92\x01\xa1x\xa6result\xc0");
        assert_eq!(field(&bytes, "params").unwrap(), Some(&params[..]));
        assert_eq!(field(&bytes, "result").unwrap(), None);
        assert_eq!(field(&bytes, "other").unwrap(), None);
    }

    #[test]
    fn no_value_at_all_is_no_payload() {
        assert_eq!(encode(&[("params", None), ("result", None)]), None);
        assert_eq!(encode(&[]), None);
    }

    #[test]
    fn byte_strings_follow_the_table() {
        assert_eq!(bin(&[]), [0x90]);
        assert_eq!(bin(&[1, 2]), [0xc4, 2, 1, 2]);
        assert_eq!(bin(&[7; 256])[..3], [0xc5, 1, 0]);
        assert_eq!(text("hé"), b"\xa3h\xc3\xa9");
        for len in [0, 1, 255, 256, 65_536] {
            let bytes = vec![9; len];
            assert_eq!(read_bin(&bin(&bytes)).unwrap(), bytes);
        }
        read_bin(&[0x91, 0x01]).unwrap_err();
        read_bin(&[0xc4, 1, 1, 1]).unwrap_err();
    }
}
