//! The encoding of every kind of WIT type against the types that wasmtime's bindings generate, written
//! and read by serde: both must give the same bytes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(missing_docs, unreachable_pub, reason = "generated bindings have neither")]

use std::sync::LazyLock;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use theater_chain::codec;
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Val};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use crate::shape::{FuncShape, Resources, Shape};
use crate::{decode, encode};

mod bindings {
    wasmtime::component::bindgen!({
        path: "tests/wit/kinds.wit",
        additional_derives: [serde::Serialize, serde::Deserialize, PartialEq, Clone],
    });
}
use bindings::test::kinds::kinds::{Colour, Deep, OneByte, Shape as Case};

static FUNCTIONS: LazyLock<Vec<(String, FuncShape)>> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("kinds.wit", include_str!("../tests/wit/kinds.wit")).unwrap();
    let world = resolve.select_world(&[package], Some("host")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let component = ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
    let engine = Engine::default();
    let component = Component::from_binary(&engine, &component).unwrap();
    let ty = component.component_type();
    let (_, import) = ty.imports(&engine).next().unwrap();
    let ComponentItem::ComponentInstance(instance) = import.ty else { panic!("not an interface") };
    let functions = instance.exports(&engine).filter_map(|(name, item)| match item.ty {
        ComponentItem::ComponentFunc(func) => {
            Some((name.to_owned(), FuncShape::of(&func, &mut Resources::default()).unwrap()))
        }
        _ => None,
    });
    functions.collect()
});

fn params(function: &str) -> &'static [Shape] {
    &FUNCTIONS.iter().find(|(name, _)| name == function).unwrap().1.params
}

fn none(_: u32, _: u32) -> wasmtime::Result<Val> {
    panic!("there are no resources here")
}

fn encoded(shapes: &[Shape], values: &[Val]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::values(&mut out, shapes, values, &mut |_| panic!("there are no resources here")).unwrap();
    out
}

/// What serde writes of typed values is read by the shape and written again as the same bytes, and serde
/// reads the same values back.
#[track_caller]
fn same<T: Serialize + DeserializeOwned>(function: &str, typed: &T) {
    let bytes = codec::try_encode(typed).unwrap();
    let values = decode::values(&bytes, params(function), &mut none).unwrap();
    let again = encoded(params(function), &values);
    assert_eq!(again, bytes, "{function}: {values:?}");
    let back: T = codec::decode(&again).unwrap();
    assert_eq!(codec::try_encode(&back).unwrap(), bytes, "{function}");
}

fn colour() -> impl Strategy<Value = Colour> {
    prop_oneof![Just(Colour::Red), Just(Colour::DarkGreen), Just(Colour::Type)]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 0..300)]
}

fn case() -> impl Strategy<Value = Case> {
    prop_oneof![
        Just(Case::Empty),
        Just(Case::Type),
        any::<u8>().prop_map(Case::AB1C),
        any::<(i8, String)>().prop_map(Case::Pair),
        bytes().prop_map(Case::Bytes),
        any::<Option<u32>>().prop_map(Case::Nothing),
    ]
}

fn deep() -> impl Strategy<Value = Deep> {
    let lists = (prop::collection::vec(colour(), 0..4), prop::option::of(bytes()));
    (any::<(u8, bool)>(), lists, case()).prop_map(|((type_, self_), (a_b, x1_y), last)| Deep {
        type_,
        self_,
        a_b,
        x1_y,
        last,
    })
}

proptest! {
    #[test]
    fn integers(typed: (u8, i8, u16, i16, u32, i32, u64, i64)) {
        same("integers", &typed);
    }

    /// All bits of a NaN are kept.
    #[test]
    fn floats(a: u32, b: u64) {
        same("floats", &(f32::from_bits(a), f64::from_bits(b)));
    }

    #[test]
    fn texts(typed: (char, String, bool)) {
        same("texts", &typed);
    }

    #[test]
    fn lists(
        a in bytes(),
        b: Vec<i8>,
        c: Vec<bool>,
        d in prop::collection::vec(bytes(), 0..3),
        e: Vec<Option<u8>>,
        f: Vec<u8>,
        g in prop::collection::vec(colour(), 0..4),
        h: Vec<(u8,)>,
    ) {
        let f: Vec<OneByte> = f.into_iter().map(|b| OneByte { b }).collect();
        same("lists", &(a, b, c, d, e, f, g, h));
    }

    #[test]
    fn tuples(a: (u8, u8, u8), b in bytes()) {
        same("tuples", &(a, (b,)));
    }

    #[test]
    fn records(a in deep(), b in prop::collection::vec(deep(), 0..3)) {
        same("records", &(a, b));
    }

    #[test]
    fn cases(a in case(), b in colour(), c in prop::collection::vec(case(), 0..3)) {
        same("cases", &(a, b, c));
    }

    #[test]
    fn options(typed: (Option<u8>, Option<String>, Option<Vec<Option<bool>>>), inner: Option<Option<u8>>) {
        let (a, b, c) = typed;
        same("options", &(a, b, c, inner.map(|inner| (inner,))));
    }

    #[test]
    fn results(
        a: Result<(), ()>,
        b: Result<u8, ()>,
        c: Result<(), String>,
        d in prop_oneof![bytes().prop_map(Ok), any::<Option<u8>>().prop_map(Err)],
        e: Vec<Result<u8, u8>>,
    ) {
        let d: Result<Vec<u8>, Option<u8>> = d;
        same("results", &(a, b, c, d, e));
    }

    /// Whatever a stranger writes, reading it gives values or an error.
    #[test]
    fn any_bytes_are_values_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0..16_usize) {
        let (_, shape) = &FUNCTIONS[at % FUNCTIONS.len()];
        if let Ok(values) = decode::values(&bytes, &shape.params, &mut none) {
            prop_assert_eq!(values.len(), shape.params.len());
        }
    }
}

#[test]
fn nothing_is_nil() {
    same("nothing", &());
    assert_eq!(encoded(&[], &[]), [0xc0]);
}

#[test]
fn flags_are_the_names_of_those_that_are_set() {
    let shape = [Shape::Flags(["read", "write-only", "x1-y"].map(str::to_owned).to_vec())];
    let set = Val::Flags(vec!["x1-y".to_owned(), "read".to_owned()]);
    let bytes = encoded(&shape, &[set]);
    assert_eq!(bytes, codec::encode(&(["read", "x1-y"],)));
    let back = decode::values(&bytes, &shape, &mut none).unwrap();
    assert_eq!(encoded(&shape, &back), bytes);
    decode::values(&codec::encode(&(["execute"],)), &shape, &mut none).unwrap_err();
}

#[test]
fn what_is_of_another_type_is_refused() {
    for (function, bytes) in [
        ("integers", &[0x98, 0xcd, 1, 0, 0, 0, 0, 0, 0, 0, 0][..]),
        ("texts", &[0x93, 0xa2, b'a', b'b', 0xa0, 0xc2]),
        ("tuples", &[0x92, 0x92, 0, 0, 0x91, 0x90]),
        ("cases", &[0x93, 0xa3, b'O', b'd', b'd', 0xa3, b'R', b'e', b'd', 0x90]),
        ("nothing", &[0x90]),
    ] {
        decode::values(bytes, params(function), &mut none).expect_err(function);
    }
}
