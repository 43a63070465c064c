//! Sizes, rates and times in a manifest, such as `"64MiB"`, `"1MiB/s"` and `"30s"`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

pub(super) struct Size(pub(super) u64);
pub(super) struct Rate(pub(super) u64);
pub(super) struct Time(pub(super) Duration);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        size(&text).map(Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Some(bytes) = text.strip_suffix("/s") else {
            return Err(de::Error::custom(format!("{text:?} is not a rate; write one such as \"1MiB/s\"")));
        };
        size(bytes.trim_end()).map(Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::duration::deserialize(deserializer).map(Self)
    }
}

fn size(text: &str) -> Result<u64, String> {
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() > 0 => Ok(size.as_u64()),
        _ => Err(format!("{text:?} is not a size above zero; write one such as \"64MiB\" or \"512KiB\"")),
    }
}
