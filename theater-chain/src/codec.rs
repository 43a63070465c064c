//! MessagePack as the chain uses it: maps by field name, byte strings as `bin`, strict decoding.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::scan::Reader;

/// The bytes of a value: structs as maps in field order, `Vec<u8>` as `bin` (an empty one as an
/// empty array).
///
/// # Panics
/// If the value's own `Serialize` fails, or it is a sequence or map of unknown length. The types
/// of this crate do neither; for others there is [`try_encode`].
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    try_encode(value).expect("writing to memory cannot fail, and the type gives its lengths")
}

/// As [`encode`], for values of types that this crate does not know.
pub fn try_encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    let mut out = Vec::with_capacity(128);
    let mut serializer =
        rmp_serde::Serializer::new(&mut out).with_struct_map().with_bytes(rmp_serde::config::BytesMode::ForceIterables);
    value.serialize(&mut serializer)?;
    Ok(out)
}

/// A value from all of `bytes`, which pass [`check`] first.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    check(bytes)?;
    rmp_serde::from_slice(bytes).map_err(|error| DecodeError::Type(error.to_string()))
}

/// Whether `bytes` are exactly one MessagePack value with text keys, none of them twice in a map,
/// valid UTF-8 in every text, no extension types and at most 64 arrays and maps in each other.
pub fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    reader.value(0)?;
    reader.finish()
}

/// Why bytes are not the MessagePack that was expected. Offsets count from the first byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end within a value.
    #[error("the bytes end within a value, at offset {at}")]
    Truncated {
        /// Where they end.
        at: usize,
    },
    /// There are bytes after the value.
    #[error("there are bytes after the value, from offset {at} on")]
    Trailing {
        /// Where the value ends.
        at: usize,
    },
    /// A map has a key twice.
    #[error("the key {key:?} is in a map twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Arrays and maps nest too deep.
    #[error("arrays and maps nest more than 64 deep")]
    TooDeep,
    /// A text is not UTF-8.
    #[error("the text at offset {at} is not UTF-8")]
    NotUtf8 {
        /// Where it starts.
        at: usize,
    },
    /// A key of a map is something else than text.
    #[error("the map key at offset {at} is not text")]
    KeyNotText {
        /// Where it starts.
        at: usize,
    },
    /// A type of value that chains do not use.
    #[error("the value at offset {at} is of a type that chains do not use (marker {marker:#04x})")]
    Unsupported {
        /// Its first byte.
        marker: u8,
        /// Where it starts.
        at: usize,
    },
    /// The whole is not a map.
    #[error("the value is not a map of fields")]
    NotAMap,
    /// Well-formed, but not of the expected type.
    #[error("the value is not of its type: {0}")]
    Type(String),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[track_caller]
    fn refused(bytes: &[u8], error: &DecodeError) {
        assert_eq!(check(bytes).as_ref(), Err(error), "{bytes:02x?}");
    }

    #[test]
    fn malformed_values_are_refused_each_for_its_reason() {
        refused(&[], &DecodeError::Truncated { at: 0 });
        refused(&[0xc0, 0xc0], &DecodeError::Trailing { at: 1 });
        refused(&[0x82, 0xa1, b'a', 0xc0, 0xa1, b'a', 0xc0], &DecodeError::DuplicateKey { key: "a".into() });
        // The same key in two encodings is the same key.
        refused(&[0x82, 0xa1, b'a', 0xc0, 0xd9, 1, b'a', 0xc0], &DecodeError::DuplicateKey { key: "a".into() });
        refused(&[0xa1, 0xff], &DecodeError::NotUtf8 { at: 1 });
        refused(&[0x81, 0x01, 0xc0], &DecodeError::KeyNotText { at: 1 });
        refused(&[0xc1], &DecodeError::Unsupported { marker: 0xc1, at: 0 });
        refused(&[0xd4, 1, 2], &DecodeError::Unsupported { marker: 0xd4, at: 0 });
        // Claimed lengths of 4 GB, with nothing behind them.
        for marker in [0xdb, 0xc6, 0xdd, 0xdf] {
            refused(&[marker, 0xff, 0xff, 0xff, 0xff], &DecodeError::Truncated { at: 5 });
        }
    }

    #[test]
    fn duplicate_keys_are_found_in_large_and_nested_maps() {
        let mut bytes = vec![0x91, 0xde, 0, 40];
        for n in 0..40 {
            bytes.extend([0xa1, b'A' + (n % 39), 0x81, 0xa1, b'x', 0xc0]);
        }
        refused(&bytes, &DecodeError::DuplicateKey { key: "A".into() });
    }

    #[test]
    fn nesting_is_accepted_up_to_64_and_refused_beyond() {
        for head in [&[0x91][..], &[0x81, 0xa1, b'k'][..]] {
            let nested = |depth: usize| [head.repeat(depth - 1), vec![head[0] & 0xf0]].concat();
            check(&nested(64)).unwrap();
            refused(&nested(65), &DecodeError::TooDeep);
            refused(&nested(1_000_000), &DecodeError::TooDeep);
        }
    }

    #[test]
    fn a_well_formed_value_of_another_type_is_an_error() {
        assert!(matches!(decode::<String>(&[0x01]), Err(DecodeError::Type(_))));
        assert_eq!(decode::<String>(&[0xa1, b'x']).unwrap(), "x");
    }
}
