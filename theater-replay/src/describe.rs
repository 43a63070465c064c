//! Types for people: as WIT writes them, and what a value looks like in JSON.

use serde_json::{Map, Value};

use crate::shape::{Case, Shape};

/// A type as WIT writes it.
pub(crate) fn wit(shape: &Shape) -> String {
    let list = |shapes: Vec<String>| shapes.join(", ");
    let case = |case: &Case| match &case.shape {
        Some(shape) => format!("{}({})", case.name, wit(shape)),
        None => case.name.clone(),
    };
    match shape {
        Shape::Bool => "bool".into(),
        Shape::S8 => "s8".into(),
        Shape::U8 => "u8".into(),
        Shape::S16 => "s16".into(),
        Shape::U16 => "u16".into(),
        Shape::S32 => "s32".into(),
        Shape::U32 => "u32".into(),
        Shape::S64 => "s64".into(),
        Shape::U64 => "u64".into(),
        Shape::F32 => "f32".into(),
        Shape::F64 => "f64".into(),
        Shape::Char => "char".into(),
        Shape::Text => "string".into(),
        Shape::Bytes => "list<u8>".into(),
        Shape::List(item) => format!("list<{}>", wit(item)),
        Shape::Fixed(item, len) => format!("list<{}, {len}>", wit(item)),
        Shape::Record(fields) => {
            let fields = fields.iter().map(|field| format!("{}: {}", field.name, wit(&field.shape)));
            format!("record {{ {} }}", list(fields.collect()))
        }
        Shape::Tuple(shapes) => format!("tuple<{}>", list(shapes.iter().map(wit).collect())),
        Shape::Variant(cases) => format!("variant {{ {} }}", list(cases.iter().map(case).collect())),
        Shape::Enum(cases) => format!("enum {{ {} }}", list(cases.iter().map(case).collect())),
        Shape::Option(some) => format!("option<{}>", wit(some)),
        Shape::Result(None, None) => "result".into(),
        Shape::Result(ok, err) => {
            let half = |half: &Option<Box<Shape>>| half.as_deref().map_or_else(|| "_".to_owned(), wit);
            match err {
                None => format!("result<{}>", half(ok)),
                err => format!("result<{}, {}>", half(ok), half(err)),
            }
        }
        Shape::Flags(names) => format!("flags {{ {} }}", list(names.clone())),
        Shape::Handle(_) => "the number of a resource".into(),
    }
}

/// A value of a type, to show what its JSON looks like.
pub(crate) fn example(shape: &Shape) -> Value {
    let of = |case: &Case| match &case.shape {
        Some(shape) => Value::Object(Map::from_iter([(case.name.clone(), example(shape))])),
        None => case.name.clone().into(),
    };
    match shape {
        Shape::Bool => true.into(),
        Shape::Char => "x".into(),
        Shape::Text | Shape::Bytes => "text".into(),
        Shape::List(item) => vec![example(item)].into(),
        Shape::Fixed(item, len) => vec![example(item); *len as usize].into(),
        Shape::Record(fields) => {
            fields.iter().map(|field| (field.name.clone(), example(&field.shape))).collect::<Map<_, _>>().into()
        }
        Shape::Tuple(shapes) => shapes.iter().map(example).collect(),
        Shape::Variant(cases) | Shape::Enum(cases) => cases.first().map_or(Value::Null, of),
        Shape::Option(some) => example(some),
        Shape::Result(ok, _) => {
            Value::Object(Map::from_iter([("ok".to_owned(), ok.as_deref().map_or(Value::Null, example))]))
        }
        Shape::Flags(names) => names.iter().take(1).cloned().collect(),
        _ => 1.into(),
    }
}
