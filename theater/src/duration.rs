//! Durations as a manifest writes them, such as `"500ms"`, `"5s"` or `"2m"`: for the fields of a
//! handler's configuration, with `#[serde(with = "theater::duration")]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

/// Reads a duration above zero.
///
/// # Errors
/// The text is no such duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    match humantime::parse_duration(&text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(de::Error::custom(format!(
            "{text:?} is not a time above zero; write one such as \"500ms\", \"5s\" or \"2m\""
        ))),
    }
}

/// Writes a duration so that [`deserialize`] reads it back.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}
