//! Recorded values as people and programs read them: text where bytes are text, else base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmpv::Value as Recorded;
use serde_json::{Map, Value};
use theater::chain::document;

/// How many characters of a value are shown to people.
const SHOWN: usize = 240;

/// How many of them before the first difference.
const BEFORE: usize = 80;

/// A recorded value as JSON: bytes as the text that they are, else as `{"base64": ".."}`.
pub(crate) fn json(value: &[u8]) -> Value {
    let mut rest = value;
    match rmpv::decode::read_value(&mut rest) {
        Ok(value) if rest.is_empty() => of(value),
        _ => bytes(value),
    }
}

/// Bytes as the text that they are, else as `{"base64": ".."}`.
pub(crate) fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => serde_json::json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// Recorded values were checked to be at most 64 deep.
fn of(value: Recorded) -> Value {
    match value {
        Recorded::Binary(found) => bytes(&found),
        Recorded::Array(items) => items.into_iter().map(of).collect(),
        Recorded::Map(fields) => {
            let key = |key: Recorded| match of(key) {
                Value::String(key) => key,
                other => other.to_string(),
            };
            fields.into_iter().map(|(name, value)| (key(name), of(value))).collect::<Map<_, _>>().into()
        }
        Recorded::String(text) => bytes(text.as_bytes()),
        scalar => {
            let mut out = Vec::new();
            let written = rmpv::encode::write_value(&mut out, &scalar);
            written.ok().and_then(|()| document::to_json(&out).ok()).unwrap_or_else(|| scalar.to_string().into())
        }
    }
}

/// Two values for people: of long ones the part around their first difference.
pub(crate) fn side_by_side(values: [Option<&Value>; 2]) -> [String; 2] {
    let texts = values.map(|value| value.map_or_else(|| "nothing".to_owned(), plain));
    let same = texts[0].chars().zip(texts[1].chars()).take_while(|(a, b)| a == b).count();
    texts.map(|text| around(&text, same))
}

/// One value for people.
pub(crate) fn one(value: &Value) -> String {
    around(&plain(value), 0)
}

/// Text as it is, but for what could steer a terminal; anything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if !text.chars().any(char::is_control) => text.clone(),
        other => other.to_string(),
    }
}

fn around(text: &str, place: usize) -> String {
    let len = text.chars().count();
    if len <= SHOWN {
        return text.to_owned();
    }
    let from = place.saturating_sub(BEFORE).min(len - SHOWN);
    let part: String = text.chars().skip(from).take(SHOWN).collect();
    let (before, after) = (if from > 0 { ".." } else { "" }, if from + SHOWN < len { ".." } else { "" });
    format!("{before}{part}{after}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use theater::chain::payload;

    use super::*;

    #[test]
    fn bytes_are_text_where_they_are() {
        assert_eq!(json(&payload::bin(b"{\"n\":1}")), json!("{\"n\":1}"));
        assert_eq!(json(&payload::bin(&[0xff, 0])), json!({ "base64": "/wA=" }));
        assert_eq!(json(&[0x92, 0x01, 0xa1, b'x']), json!([1, "x"]));
        assert_eq!(json(&[0x81, 0xa2, b'O', b'k', 0xc0]), json!({ "Ok": null }));
    }

    #[test]
    fn of_long_values_the_difference_is_shown() {
        let (a, b) = (json!("x".repeat(1_000) + "a"), json!("x".repeat(1_000) + "b"));
        let [a, b] = side_by_side([Some(&a), Some(&b)]);
        assert!(a.starts_with("..x") && a.ends_with("xa"), "{a}");
        assert!(b.ends_with("xb"), "{b}");
        assert_eq!(side_by_side([None, Some(&json!("\u{1b}[2J"))]), ["nothing", "\"\\u001b[2J\""]);
    }
}
