//! An event as a line for people.

use std::time::{Duration, UNIX_EPOCH};

use rmpv::Value;
use theater::ChainEvent;
use theater::chain::document;

use crate::output::steers;

/// Longer values are cut.
const MAX_VALUE: usize = 120;
/// Longer lines are cut.
const MAX_LINE: usize = 400;

/// `seq  time  type  field=value ..`; what has no value is left out.
pub(crate) fn line(event: &ChainEvent) -> String {
    let time = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(event.timestamp.min(MAX_MS)));
    let fields = match document::merged(event) {
        Ok(merged) => fields(&merged),
        Err(error) => format!("(its data cannot be read: {error})"),
    };
    let erased = if event.is_erased() { "(payload erased) " } else { "" };
    format!("{:>6}  {time}  {:<18} {erased}{}", event.seq, plain_text(&event.event_type), cut(&fields, MAX_LINE))
}

/// The last millisecond of the year 9999, beyond which there is no such text.
const MAX_MS: u64 = 253_402_300_799_999;

fn fields(merged: &[u8]) -> String {
    let Ok(Value::Map(fields)) = rmpv::decode::read_value(&mut &merged[..]) else {
        return String::new();
    };
    let present = fields.iter().filter(|(_, value)| !value.is_nil());
    let shown: Vec<String> = present.map(|(key, value)| format!("{}={}", plain(key), plain(value))).collect();
    shown.join(" ")
}

fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.as_str().map_or_else(String::new, short_hash),
        Value::Binary(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("{text:?}"),
            Err(_) => format!("({} bytes)", bytes.len()),
        },
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Map(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{}: {}", plain(key), plain(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    };
    cut(&text, MAX_VALUE)
}

/// Text as it is, but for line breaks and the like; of a hash or an id its first digits.
fn short_hash(text: &str) -> String {
    let is_hash = matches!(text.len(), 32 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.get(..8).filter(|_| is_hash) {
        Some(first) => format!("{first}.."),
        None if text.chars().any(char::is_control) => format!("{text:?}"),
        None => text.to_owned(),
    }
}

pub(super) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text.to_owned(),
    }
}

/// Text that cannot steer a terminal: what could is written as its escape.
pub(super) fn plain_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || steers(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use theater::Digest;
    use theater::chain::data::{CallReturned, EventData as _};
    use theater::chain::{Payload, payload};

    use super::*;

    #[test]
    fn a_line_has_what_the_event_says() {
        let data = CallReturned { ok: true, state_hash: Digest([0xab; 32]) }.encode();
        let result = payload::encode(&[("result", Some(&payload::bin(b"hello\n\x1b[2J")))]).unwrap();
        let event = ChainEvent::following(None, "call_returned", 0, data, Some(Payload::new([1; 16], result)));
        let line = line(&event);
        assert!(line.contains("1970-01-01T00:00:00.000Z  call_returned"), "{line}");
        assert!(line.ends_with(r#"ok=true state_hash=abababab.. result="hello\n\u{1b}[2J""#), "{line}");
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        assert_eq!(cut(&"ä".repeat(200), 3), "äää..");
        assert_eq!(cut("äää", 3), "äää");
    }
}
