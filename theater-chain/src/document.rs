//! The merged document of an event: what people and guests see of it.
//!
//! Data and payload are one map here, the hashes in `data` are text. The document is a view: it
//! is never hashed and nothing can be verified from it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use crate::codec::{self, DecodeError};
use crate::payload::{write_map_len, write_text};
use crate::scan::{self, Reader, Token};
use crate::{ChainEvent, TheaterId};

/// One MessagePack map of the fields of the event's data, then those of its payload. Hashes in the
/// data become lower-case hex text, byte strings of the payload stay `bin`. A payload that is
/// absent or was erased leaves its fields out.
pub fn merged(event: &ChainEvent) -> Result<Vec<u8>, DecodeError> {
    let data = scan::fields(&event.data)?;
    let payload = match &event.payload {
        Some(payload) => scan::fields(payload.bytes())?,
        None => Vec::new(),
    };
    if let Some((key, _)) = payload.iter().find(|(key, _)| data.iter().any(|(other, _)| other == key)) {
        return Err(DecodeError::DuplicateKey { key: (*key).to_owned() });
    }
    let mut out = Vec::with_capacity(2 * event.data.len() + event.payload.as_ref().map_or(0, |p| p.bytes().len()));
    write_map_len(&mut out, data.len() + payload.len());
    for (key, value) in data {
        write_text(&mut out, key);
        copy_with_hex(&mut out, value)?;
    }
    for (key, value) in payload {
        write_text(&mut out, key);
        out.extend_from_slice(value);
    }
    Ok(out)
}

/// Of a document only these fields, in its own order.
pub fn only(merged: &[u8], fields: &[String]) -> Result<Vec<u8>, DecodeError> {
    let mut kept = scan::fields(merged)?;
    kept.retain(|(key, _)| fields.iter().any(|field| field == key));
    let mut out = Vec::new();
    write_map_len(&mut out, kept.len());
    for (key, value) in kept {
        write_text(&mut out, key);
        out.extend_from_slice(value);
    }
    Ok(out)
}

/// Copies a value, with every byte string in it as hex text.
fn copy_with_hex(out: &mut Vec<u8>, value: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader::new(value);
    while !reader.is_at_end() {
        let start = reader.position();
        match reader.token()? {
            Token::Bin(bytes) => write_text(out, &hex::encode(bytes)),
            _ => out.extend_from_slice(&value[start..reader.position()]),
        }
    }
    Ok(())
}

/// A document, or any other strict MessagePack, as JSON: byte strings as base64 text, keys in
/// their order, floats that JSON cannot hold as the text `NaN`, `inf` or `-inf`.
pub fn to_json(merged: &[u8]) -> Result<Value, DecodeError> {
    codec::check(merged)?;
    json_value(&mut Reader::new(merged))
}

/// Recursive: what it reads was checked to be at most 64 deep.
fn json_value(reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    Ok(match reader.token()? {
        Token::Nil => Value::Null,
        Token::Bool(value) => value.into(),
        Token::Unsigned(value) => value.into(),
        Token::Signed(value) => value.into(),
        // By way of its own shortest text, so that 0.1f32 reads 0.1.
        Token::F32(value) => json_float(&value.to_string()),
        Token::F64(value) => json_float(&value.to_string()),
        Token::Text(text) => text.into(),
        Token::Bin(bytes) => STANDARD.encode(bytes).into(),
        Token::Array(len) => {
            let items = (0..len).map(|_| json_value(reader));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Token::Map(len) => {
            let mut map = Map::new();
            for _ in 0..len {
                let key = reader.key()?.to_owned();
                map.insert(key, json_value(reader)?);
            }
            Value::Object(map)
        }
    })
}

fn json_float(text: &str) -> Value {
    let number = text.parse().ok().and_then(Number::from_f64);
    number.map_or_else(|| text.into(), Value::Number)
}

/// An event as `theater events --json` prints it:
/// `{actor_id, seq, hash, parent_hash, event_type, timestamp, data, erased, payload_commit}`; the
/// commit is null where the event never had a payload.
pub fn event_json(actor: &TheaterId, event: &ChainEvent) -> Result<Value, DecodeError> {
    Ok(serde_json::json!({
        "actor_id": actor.to_string(),
        "seq": event.seq,
        "hash": event.hash.to_string(),
        "parent_hash": event.parent_hash.to_string(),
        "event_type": event.event_type,
        "timestamp": event.timestamp,
        "data": to_json(&merged(event)?)?,
        "erased": event.is_erased(),
        "payload_commit": event.payload_commit.map(|commit| commit.to_string()),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::data::{CallReturned, EventData as _};
    use crate::{Digest, Payload, payload};

    fn returned() -> ChainEvent {
        let data = CallReturned { ok: true, state_hash: Digest([0xab; 32]) };
        let result = payload::bin(b"hello");
        let bytes = payload::encode(&[("result", Some(&result))]).unwrap();
        ChainEvent::following(None, "call_returned", 5, data.encode(), Some(Payload::new([1; 16], bytes)))
    }

    #[test]
    fn data_and_payload_become_one_map() {
        let json = to_json(&merged(&returned()).unwrap()).unwrap();
        let expected = format!(r#"{{"ok":true,"state_hash":"{}","result":"aGVsbG8="}}"#, "ab".repeat(32));
        assert_eq!(json.to_string(), expected);
    }

    #[test]
    fn an_erased_payload_leaves_its_fields_out_and_is_said() {
        let mut event = returned();
        event.payload = None;
        let id = TheaterId::from_bytes([7; 16]);
        let json = event_json(&id, &event).unwrap();
        assert_eq!(json["erased"], true);
        assert_eq!(json["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["ok", "state_hash"]);
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys.join(" "), "actor_id seq hash parent_hash event_type timestamp data erased payload_commit");
    }

    #[test]
    fn a_field_of_both_is_refused() {
        let bytes = payload::encode(&[("ok", Some(&[0xc2]))]).unwrap();
        let data = CallReturned { ok: true, state_hash: Digest::ZERO }.encode();
        let event = ChainEvent::following(None, "call_returned", 0, data, Some(Payload::new([0; 16], bytes)));
        assert_eq!(merged(&event), Err(DecodeError::DuplicateKey { key: "ok".into() }));
    }

    #[test]
    fn floats_keep_their_shortest_text() {
        let float = |f: f32| to_json(&[&[0xca][..], &f.to_be_bytes()].concat()).unwrap();
        assert_eq!(float(0.1).to_string(), "0.1");
        assert_eq!(float(f32::NAN), "NaN");
        assert_eq!(float(f32::NEG_INFINITY), "-inf");
    }
}
