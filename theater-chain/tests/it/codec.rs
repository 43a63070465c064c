//! Properties of the codec, the payload and the document, over all kinds of values.

use proptest::prelude::*;
use rmpv::Value;
use theater_chain::data::Data;
use theater_chain::{ChainEvent, Payload, StateChain, codec, document, payload};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(|text: String| Value::from(text)),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        let map = prop::collection::btree_map("[a-z]{0,3}", inner.clone(), 0..20);
        prop_oneof![
            prop::collection::vec(inner, 0..8).prop_map(Value::Array),
            map.prop_map(|map| Value::Map(map.into_iter().map(|(k, v)| (Value::from(k), v)).collect())),
        ]
    })
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    rmpv::encode::write_value(&mut out, value).unwrap();
    out
}

proptest! {
    #[test]
    fn whatever_is_well_formed_is_accepted_and_nothing_around_it(value in value()) {
        let bytes = encoded(&value);
        prop_assert_eq!(codec::check(&bytes), Ok(()));
        for len in 0..bytes.len() {
            prop_assert!(codec::check(&bytes[..len]).is_err());
        }
        prop_assert!(codec::check(&[&bytes[..], &[0xc0]].concat()).is_err());
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let checked = codec::check(&bytes);
        prop_assert_eq!(document::to_json(&bytes).is_ok(), checked.is_ok());
        if payload::field(&bytes, "x").is_ok() {
            prop_assert_eq!(checked, Ok(()));
        }
        let _ = payload::read_bin(&bytes);
        for name in theater_chain::data::EVENT_TYPES {
            let _ = Data::decode(name, &bytes);
        }
        let mut chain = StateChain::new();
        chain.append_raw("x", 0, bytes.clone(), Some(Payload::new([0; 16], bytes)));
        let _ = document::merged(&chain.events()[0]);
    }

    #[test]
    fn nearly_well_formed_bytes_never_panic(value in value(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut bytes = encoded(&value);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // What the strict reader accepts, a lenient one must be able to read as well.
        if codec::check(&bytes).is_ok() {
            rmpv::decode::read_value(&mut &bytes[..]).unwrap();
            document::to_json(&bytes).unwrap();
        }
    }

    #[test]
    fn payload_fields_come_back(fields in prop::collection::btree_map("[a-z_]{1,40}", prop::option::of(value()), 0..20)) {
        let fields: Vec<_> = fields.into_iter().map(|(k, v)| (k, v.map(|v| encoded(&v)))).collect();
        let borrowed: Vec<_> = fields.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect();
        let bytes = payload::encode(&borrowed);
        prop_assert_eq!(bytes.is_none(), borrowed.iter().all(|(_, value)| value.is_none()));
        for (name, value) in borrowed {
            let expected = value.filter(|value| *value != [0xc0]);
            let found = bytes.as_deref().map(|bytes| payload::field(bytes, name).unwrap());
            prop_assert_eq!(found.flatten(), expected);
        }
    }

    #[test]
    fn a_document_has_the_fields_of_both_in_order(
        data in prop::collection::btree_map("[a-m]{1,5}", value(), 0..8),
        fields in prop::collection::btree_map("[n-z]{1,5}", value(), 1..8),
    ) {
        let data = Value::Map(data.into_iter().map(|(k, v)| (k.into(), v)).collect());
        let fields = Value::Map(fields.into_iter().map(|(k, v)| (k.into(), v)).collect());
        let payload = Payload::new([0; 16], encoded(&fields));
        let event = ChainEvent::following(None, "x", 0, encoded(&data), Some(payload));
        let merged = document::merged(&event).unwrap();
        let read = rmpv::decode::read_value(&mut &merged[..]).unwrap();
        let expected: Vec<_> = hex_text(data).as_map().unwrap().iter().chain(fields.as_map().unwrap()).cloned().collect();
        // Compared as bytes: NaN is not equal to itself.
        prop_assert_eq!(encoded(&read), encoded(&Value::Map(expected)));
        let json = document::to_json(&merged).unwrap();
        let keys: Vec<_> = read.as_map().unwrap().iter().map(|(key, _)| key.as_str().unwrap().to_owned()).collect();
        prop_assert_eq!(json.as_object().unwrap().keys().cloned().collect::<Vec<_>>(), keys);
    }
}

/// Every byte string in it as hex text.
fn hex_text(value: Value) -> Value {
    match value {
        Value::Binary(bytes) => hex::encode(bytes).into(),
        Value::Array(items) => Value::Array(items.into_iter().map(hex_text).collect()),
        Value::Map(entries) => Value::Map(entries.into_iter().map(|(k, v)| (k, hex_text(v))).collect()),
        other => other,
    }
}
