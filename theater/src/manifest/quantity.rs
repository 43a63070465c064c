//! Sizes, rates, times and counts in a manifest, such as `"64MiB"`, `"1MiB/s"`, `"30s"` and `1024`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

pub(super) struct Size(pub(super) u64);
pub(super) struct Rate(pub(super) u64);
pub(super) struct Time(pub(super) Duration);
pub(super) struct Count(pub(super) u32);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text { expected: "a size such as \"64MiB\"", read: size }).map(Self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text { expected: "a rate such as \"1MiB/s\"", read: rate }).map(Self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text { expected: "a time such as \"5s\"", read: time }).map(Self)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u32(Number).map(Self)
    }
}

fn size(text: &str) -> Result<u64, String> {
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() > 0 => Ok(size.as_u64()),
        _ => Err(format!("{text:?} is not a size above zero; write one such as \"64MiB\" or \"512KiB\"")),
    }
}

fn rate(text: &str) -> Result<u64, String> {
    let bytes = text.strip_suffix("/s").and_then(|bytes| size(bytes.trim_end()).ok());
    bytes.ok_or_else(|| format!("{text:?} is not a rate above zero; write one such as \"1MiB/s\""))
}

fn time(text: &str) -> Result<Duration, String> {
    let text = de::value::StrDeserializer::<de::value::Error>::new(text);
    crate::duration::deserialize(text).map_err(|error| error.to_string())
}

/// Reads a text, and says of anything else what is expected.
struct Text<T> {
    expected: &'static str,
    read: fn(&str) -> Result<T, String>,
}

impl<T> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}

struct Number;

impl de::Visitor<'_> for Number {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number from 1 to {}", u32::MAX)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u32, E> {
        let count = u32::try_from(number).ok().filter(|count| *count > 0);
        count.ok_or_else(|| E::invalid_value(de::Unexpected::Signed(number), &self))
    }
}
