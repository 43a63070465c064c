//! Answers that a person writes, in JSON, as a chain holds them: by the WIT type of the function.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rmp::encode as to;
use serde_json::{Map, Value};
use theater_chain::Digest;

use crate::describe::{example, wit};
use crate::error::ReplayError;
use crate::replayer::Replayer;
use crate::shape::{Case, Field, Shape};

/// Why some JSON is no answer of a host function.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The component does not import the function.
    #[error("the component does not import {0}, so it has no answer")]
    NotImported(String),
    /// It is of another type.
    #[error("{function} answers {wit}, in JSON such as {example}; {reason}")]
    Type {
        /// The function, as `interface#function`.
        function: String,
        /// Its result, as WIT.
        wit: String,
        /// A value of that type.
        example: String,
        /// What does not fit, and where.
        reason: String,
    },
    /// The component cannot be compiled.
    #[error(transparent)]
    Component(#[from] ReplayError),
}

impl Replayer {
    /// The results of a host function that a component imports, encoded as a `host_call` holds them.
    ///
    /// Records are objects, variants `"case"` or `{"case": value}`, options the value or null, results
    /// `{"ok": value}` or `{"err": value}`, flags lists of names, byte strings text or
    /// `{"base64": ".."}`. Names are those of the WIT or those that the chain shows.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub fn answer_from_json(
        &self,
        component: &Bytes,
        interface: &str,
        function: &str,
        json: &Value,
    ) -> Result<Vec<u8>, AnswerError> {
        let digest = Digest::of(component);
        let linked = match self.known(digest) {
            Some(linked) => linked,
            None => self.link(digest, component)?,
        };
        let name = format!("{interface}#{function}");
        let shape = linked.imports.find(interface, function).ok_or_else(|| AnswerError::NotImported(name.clone()))?;
        let mut out = Vec::new();
        encode(&mut out, &shape.results, json).map_err(|fault| AnswerError::Type {
            function: name,
            wit: shape.results.first().map_or_else(|| "nothing".to_owned(), wit),
            example: shape.results.first().map_or(Value::Null, example).to_string(),
            reason: fault.to_string(),
        })?;
        Ok(out)
    }
}

/// What does not fit.
struct Fault {
    /// Where, from the inside out.
    path: Vec<String>,
    reason: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.path.is_empty() {
            write!(f, "at ")?;
            self.path.iter().rev().try_for_each(|part| write!(f, "{part}"))?;
            write!(f, ": ")?;
        }
        f.write_str(&self.reason)
    }
}

type Encoded = Result<(), Fault>;

fn fault<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { path: Vec::new(), reason: reason.into() })
}

/// Writing to memory fails only for what is too long.
fn written<T, E: std::fmt::Display>(result: Result<T, E>) -> Encoded {
    result.map(drop).or_else(|error| fault(error.to_string()))
}

fn within(part: String, inner: Encoded) -> Encoded {
    inner.map_err(|mut fault| {
        fault.path.push(part);
        fault
    })
}

fn encode(out: &mut Vec<u8>, results: &[Shape], json: &Value) -> Encoded {
    match results {
        [] if json.is_null() => written(to::write_nil(out)),
        [] => fault("it has no results, which is null"),
        [one] => {
            array(out, 1)?;
            value(out, one, json)
        }
        several => items(out, several, json),
    }
}

fn value(out: &mut Vec<u8>, shape: &Shape, json: &Value) -> Encoded {
    let unlike = || fault(format!("{json} stands where {} was expected", wit(shape)));
    match (shape, json) {
        (Shape::Bool, Value::Bool(value)) => written(to::write_bool(out, *value)),
        (Shape::U8 | Shape::U16 | Shape::U32 | Shape::U64 | Shape::Handle(_), Value::Number(number)) => {
            match number.as_u64().filter(|number| *number <= most(shape)) {
                Some(number) => written(to::write_uint(out, number)),
                None => unlike(),
            }
        }
        (Shape::S8 | Shape::S16 | Shape::S32 | Shape::S64, Value::Number(number)) => {
            let bits = match shape {
                Shape::S8 => 8,
                Shape::S16 => 16,
                Shape::S32 => 32,
                _ => 64,
            };
            let most = i64::MAX >> (64 - bits);
            match number.as_i64().filter(|number| (-most - 1..=most).contains(number)) {
                Some(number) => written(to::write_sint(out, number)),
                None => unlike(),
            }
        }
        (Shape::F32 | Shape::F64, json) => match (float(json), shape) {
            #[expect(clippy::cast_possible_truncation, reason = "the nearest one is meant")]
            (Some(float), Shape::F32) => written(to::write_f32(out, float as f32)),
            (Some(float), _) => written(to::write_f64(out, float)),
            (None, _) => unlike(),
        },
        (Shape::Char, Value::String(text)) if text.chars().count() == 1 => written(to::write_str(out, text)),
        (Shape::Text, Value::String(text)) => written(to::write_str(out, text)),
        (Shape::Bytes, json) => match bytes(json) {
            Some(bytes) => {
                out.extend(theater_chain::payload::bin(&bytes));
                Ok(())
            }
            None => unlike(),
        },
        (Shape::List(item), Value::Array(list)) => each(out, item, list),
        (Shape::Fixed(item, len), Value::Array(list)) if list.len() == *len as usize => each(out, item, list),
        (Shape::Record(fields), Value::Object(map)) => record(out, fields, map),
        (Shape::Tuple(shapes), json) => items(out, shapes, json),
        (Shape::Variant(cases), json) => variant(out, cases, json, unlike),
        (Shape::Enum(cases), Value::String(name)) => match cases.iter().find(|case| is_case(case, name)) {
            Some(case) => written(to::write_str(out, &case.key)),
            None => unlike(),
        },
        (Shape::Option(_), Value::Null) => written(to::write_nil(out)),
        (Shape::Option(some), json) => value(out, some, json),
        (Shape::Result(ok, err), Value::Object(map)) => match map.iter().next().filter(|_| map.len() == 1) {
            Some((key, json)) if key.eq_ignore_ascii_case("ok") => half(out, "Ok", ok.as_deref(), json),
            Some((key, json)) if key.eq_ignore_ascii_case("err") => half(out, "Err", err.as_deref(), json),
            _ => unlike(),
        },
        (Shape::Flags(names), Value::Array(list)) => {
            let set: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            if set.len() != list.len() || !set.iter().all(|name| names.iter().any(|known| known == name)) {
                return unlike();
            }
            let set: Vec<&String> = names.iter().filter(|name| set.contains(&name.as_str())).collect();
            array(out, set.len())?;
            set.into_iter().try_for_each(|name| written(to::write_str(out, name)))
        }
        _ => unlike(),
    }
}

fn most(shape: &Shape) -> u64 {
    match shape {
        Shape::U8 => u8::MAX.into(),
        Shape::U16 => u16::MAX.into(),
        Shape::U64 => u64::MAX,
        _ => u32::MAX.into(),
    }
}

/// Floats that JSON cannot hold are the texts that a chain shows.
fn float(json: &Value) -> Option<f64> {
    match json {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if ["NaN", "inf", "-inf"].contains(&text.as_str()) => text.parse().ok(),
        _ => None,
    }
}

/// Text, `{"base64": ".."}` or numbers.
fn bytes(json: &Value) -> Option<Vec<u8>> {
    match json {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Array(list) => list.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect(),
        Value::Object(map) if map.len() == 1 => STANDARD.decode(map.get("base64")?.as_str()?).ok(),
        _ => None,
    }
}

fn each(out: &mut Vec<u8>, item: &Shape, list: &[Value]) -> Encoded {
    array(out, list.len())?;
    list.iter().enumerate().try_for_each(|(at, json)| within(format!("[{at}]"), value(out, item, json)))
}

fn items(out: &mut Vec<u8>, shapes: &[Shape], json: &Value) -> Encoded {
    let list = json.as_array().filter(|list| list.len() == shapes.len());
    let Some(list) = list else {
        return fault(format!("{json} stands where a list of {} values was expected", shapes.len()));
    };
    array(out, list.len())?;
    let mut pairs = shapes.iter().zip(list).enumerate();
    pairs.try_for_each(|(at, (shape, json))| within(format!("[{at}]"), value(out, shape, json)))
}

fn record(out: &mut Vec<u8>, fields: &[Field], map: &Map<String, Value>) -> Encoded {
    let is_field = |field: &Field, name: &str| field.name == name || field.key == name;
    if let Some(unknown) = map.keys().find(|name| !fields.iter().any(|field| is_field(field, name))) {
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        return fault(format!("there is no field {unknown:?}; the fields are {}", names.join(", ")));
    }
    written(to::write_map_len(out, u32::try_from(fields.len()).unwrap_or(u32::MAX)))?;
    fields.iter().try_for_each(|field| {
        written(to::write_str(out, &field.key))?;
        let json = map.iter().find(|(name, _)| is_field(field, name)).map(|(_, json)| json);
        match (json, &field.shape) {
            (Some(json), shape) => within(format!(".{}", field.name), value(out, shape, json)),
            (None, Shape::Option(_)) => written(to::write_nil(out)),
            (None, _) => fault(format!("the field {:?} is missing", field.name)),
        }
    })
}

fn is_case(case: &Case, name: &str) -> bool {
    case.name == name || case.key == name
}

fn variant(out: &mut Vec<u8>, cases: &[Case], json: &Value, unlike: impl Fn() -> Encoded) -> Encoded {
    match json {
        Value::String(name) => match cases.iter().find(|case| is_case(case, name) && case.shape.is_none()) {
            Some(case) => written(to::write_str(out, &case.key)),
            None => unlike(),
        },
        Value::Object(map) if map.len() == 1 => {
            let found = map.iter().next().and_then(|(name, json)| {
                let case = cases.iter().find(|case| is_case(case, name))?;
                Some((case, case.shape.as_ref()?, json))
            });
            let Some((case, shape, json)) = found else { return unlike() };
            written(to::write_map_len(out, 1))?;
            written(to::write_str(out, &case.key))?;
            within(format!(".{}", case.name), value(out, shape, json))
        }
        _ => unlike(),
    }
}

fn half(out: &mut Vec<u8>, key: &str, shape: Option<&Shape>, json: &Value) -> Encoded {
    written(to::write_map_len(out, 1))?;
    written(to::write_str(out, key))?;
    let path = format!(".{}", key.to_ascii_lowercase());
    match shape {
        Some(shape) => within(path, value(out, shape, json)),
        None if json.is_null() => written(to::write_nil(out)),
        None => within(path, fault("it holds nothing, which is null")),
    }
}

fn array(out: &mut Vec<u8>, len: usize) -> Encoded {
    written(to::write_array_len(out, u32::try_from(len).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;
    use serde_json::json;
    use theater_chain::codec;

    use super::*;
    use crate::decode;

    fn said(shape: &Shape, json: &Value) -> String {
        encode(&mut Vec::new(), std::slice::from_ref(shape), json)
            .map_or_else(|fault| fault.to_string(), |()| "fits".into())
    }

    fn result() -> Shape {
        Shape::Result(Some(Box::new(Shape::Bytes)), Some(Box::new(Shape::Text)))
    }

    #[test]
    fn an_answer_is_what_the_chain_would_hold() {
        let mut out = Vec::new();
        encode(&mut out, &[result()], &json!({ "ok": "five" })).ok().unwrap();
        assert_eq!(out, b"\x91\x81\xa2Ok\xc4\x04five");
        out.clear();
        encode(&mut out, &[result()], &json!({ "Err": "no" })).ok().unwrap();
        assert_eq!(out, b"\x91\x81\xa3Err\xa2no");
        out.clear();
        encode(&mut out, &[], &Value::Null).ok().unwrap();
        assert_eq!(out, [0xc0]);
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place_and_type() {
        let field = |name: &str, shape| Field { name: name.into(), key: name.replace('-', "_"), shape };
        let record = Shape::Record(vec![
            field("first-one", Shape::List(Box::new(Shape::U8))),
            field("second", Shape::Option(Box::new(Shape::S8))),
        ]);
        assert_eq!(
            said(&record, &json!({ "first-one": [1, 300] })),
            "at .first-one[1]: 300 stands where u8 was expected"
        );
        assert_eq!(said(&record, &json!({ "first_one": [], "second": -128 })), "fits");
        assert_eq!(
            said(&record, &json!({ "first-one": [], "second": -129 })),
            "at .second: -129 stands where s8 was expected"
        );
        assert_eq!(said(&record, &json!({})), "the field \"first-one\" is missing");
        assert!(said(&record, &json!({ "third": 1 })).contains("the fields are first-one, second"));
        assert_eq!(said(&result(), &json!("five")), "\"five\" stands where result<list<u8>, string> was expected");
        assert_eq!(said(&result(), &json!({ "ok": 5 })), "at .ok: 5 stands where list<u8> was expected");
    }

    /// Shapes of every kind, two levels deep.
    fn shapes() -> impl Strategy<Value = Shape> {
        let case = |name: &str, shape| Case { name: name.into(), key: name.to_uppercase(), shape };
        let leaf = prop_oneof![
            Just(Shape::Bool),
            Just(Shape::U8),
            Just(Shape::S16),
            Just(Shape::U64),
            Just(Shape::F32),
            Just(Shape::F64),
            Just(Shape::Char),
            Just(Shape::Text),
            Just(Shape::Bytes),
            Just(Shape::Flags(vec!["a".into(), "b".into()])),
            Just(Shape::Enum(vec![case("x", None), case("y", None)])),
        ];
        leaf.prop_recursive(3, 16, 3, move |inner| {
            prop_oneof![
                inner.clone().prop_map(|shape| Shape::List(Box::new(shape))),
                inner.clone().prop_map(|shape| Shape::Tuple(vec![shape.clone(), shape])),
                inner.clone().prop_map(|shape| Shape::Result(Some(Box::new(shape)), None)),
                inner
                    .clone()
                    .prop_map(move |shape| Shape::Variant(vec![case("full", Some(shape)), case("empty", None)])),
                inner.prop_map(|shape| Shape::Record(vec![Field { name: "f-g".into(), key: "f_g".into(), shape }])),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_example_of_a_type_is_of_that_type(shape in shapes()) {
            let mut out = Vec::new();
            let fits = encode(&mut out, std::slice::from_ref(&shape), &example(&shape));
            prop_assert!(fits.is_ok(), "{}", wit(&shape));
            codec::check(&out).unwrap();
            let decoded = decode::values(&out, std::slice::from_ref(&shape), &mut |_, rep| Ok(wasmtime::component::Val::U32(rep)));
            prop_assert!(decoded.is_ok(), "{}: {decoded:?}", wit(&shape));
        }
    }
}
