//! Values to MessagePack, byte for byte as serde writes the types of wasmtime's bindings.

use rmp::encode as to;
use wasmtime::component::{ResourceAny, Val};
use wasmtime::{Result, format_err};

use crate::shape::Shape;

/// Gives the number of a resource, by which the host knows it.
pub(crate) type RepOf<'a> = dyn FnMut(ResourceAny) -> Result<u32> + 'a;

/// Params or results: nil for none, else an array.
pub(crate) fn values(out: &mut Vec<u8>, shapes: &[Shape], values: &[Val], rep: &mut RepOf<'_>) -> Result<()> {
    if shapes.is_empty() {
        return Ok(to::write_nil(out)?);
    }
    items(out, shapes, values, rep)
}

fn items(out: &mut Vec<u8>, shapes: &[Shape], values: &[Val], rep: &mut RepOf<'_>) -> Result<()> {
    if shapes.len() != values.len() {
        return Err(format_err!("{} values where there are {} types", values.len(), shapes.len()));
    }
    array(out, values.len())?;
    shapes.iter().zip(values).try_for_each(|(shape, val)| value(out, shape, val, rep))
}

/// One value.
pub(crate) fn value(out: &mut Vec<u8>, shape: &Shape, val: &Val, rep: &mut RepOf<'_>) -> Result<()> {
    match (shape, val) {
        (Shape::Bool, Val::Bool(value)) => to::write_bool(out, *value)?,
        (Shape::S8, Val::S8(value)) => signed(out, (*value).into())?,
        (Shape::S16, Val::S16(value)) => signed(out, (*value).into())?,
        (Shape::S32, Val::S32(value)) => signed(out, (*value).into())?,
        (Shape::S64, Val::S64(value)) => signed(out, *value)?,
        (Shape::U8, Val::U8(value)) => unsigned(out, (*value).into())?,
        (Shape::U16, Val::U16(value)) => unsigned(out, (*value).into())?,
        (Shape::U32, Val::U32(value)) => unsigned(out, (*value).into())?,
        (Shape::U64, Val::U64(value)) => unsigned(out, *value)?,
        (Shape::F32, Val::Float32(value)) => to::write_f32(out, *value)?,
        (Shape::F64, Val::Float64(value)) => to::write_f64(out, *value)?,
        (Shape::Char, Val::Char(value)) => text(out, value.encode_utf8(&mut [0; 4]))?,
        (Shape::Text, Val::String(value)) => text(out, value)?,
        (Shape::Bytes, Val::List(list)) => bytes(out, list)?,
        (Shape::List(item), Val::List(list)) => {
            array(out, list.len())?;
            list.iter().try_for_each(|val| value(out, item, val, rep))?;
        }
        (Shape::Fixed(item, len), Val::FixedLengthList(list)) if list.len() == *len as usize => {
            array(out, list.len())?;
            list.iter().try_for_each(|val| value(out, item, val, rep))?;
        }
        (Shape::Record(fields), Val::Record(values)) if fields.len() == values.len() => {
            to::write_map_len(out, length(fields.len())?)?;
            for (field, (_, val)) in fields.iter().zip(values) {
                text(out, &field.key)?;
                value(out, &field.shape, val, rep)?;
            }
        }
        (Shape::Tuple(shapes), Val::Tuple(values)) => items(out, shapes, values, rep)?,
        (Shape::Variant(cases), Val::Variant(name, val)) => {
            let case = cases.iter().find(|case| case.name == *name).ok_or_else(|| unlike(shape, val.as_deref()))?;
            match (&case.shape, val) {
                (None, None) => text(out, &case.key)?,
                (Some(shape), Some(val)) => tagged(out, &case.key, Some((shape, val)), rep)?,
                (_, val) => return Err(unlike(shape, val.as_deref())),
            }
        }
        (Shape::Enum(cases), Val::Enum(name)) => {
            let case = cases.iter().find(|case| case.name == *name).ok_or_else(|| unlike(shape, None))?;
            text(out, &case.key)?;
        }
        (Shape::Option(_), Val::Option(None)) => to::write_nil(out)?,
        (Shape::Option(some), Val::Option(Some(val))) => value(out, some, val, rep)?,
        (Shape::Result(ok, _), Val::Result(Ok(val))) => half(out, "Ok", ok.as_deref(), val.as_deref(), rep)?,
        (Shape::Result(_, err), Val::Result(Err(val))) => half(out, "Err", err.as_deref(), val.as_deref(), rep)?,
        (Shape::Flags(names), Val::Flags(set)) => {
            let set: Vec<_> = names.iter().filter(|name| set.contains(name)).collect();
            array(out, set.len())?;
            set.into_iter().try_for_each(|name| text(out, name))?;
        }
        (Shape::Handle(_), Val::Resource(resource)) => unsigned(out, rep(*resource)?.into())?,
        (shape, val) => return Err(unlike(shape, Some(val))),
    }
    Ok(())
}

fn half(out: &mut Vec<u8>, key: &str, shape: Option<&Shape>, val: Option<&Val>, rep: &mut RepOf<'_>) -> Result<()> {
    match (shape, val) {
        (None, None) => tagged(out, key, None, rep),
        (Some(shape), Some(val)) => tagged(out, key, Some((shape, val)), rep),
        (_, val) => Err(format_err!("{val:?} is not the payload of {key}")),
    }
}

fn tagged(out: &mut Vec<u8>, key: &str, payload: Option<(&Shape, &Val)>, rep: &mut RepOf<'_>) -> Result<()> {
    to::write_map_len(out, 1)?;
    text(out, key)?;
    match payload {
        Some((shape, val)) => value(out, shape, val, rep),
        None => Ok(to::write_nil(out)?),
    }
}

/// A byte string is `bin`, but an empty one is an empty array.
fn bytes(out: &mut Vec<u8>, list: &[Val]) -> Result<()> {
    if list.is_empty() {
        return array(out, 0);
    }
    to::write_bin_len(out, length(list.len())?)?;
    for val in list {
        let Val::U8(byte) = val else { return Err(unlike(&Shape::U8, Some(val))) };
        out.push(*byte);
    }
    Ok(())
}

fn unsigned(out: &mut Vec<u8>, value: u64) -> Result<()> {
    to::write_uint(out, value)?;
    Ok(())
}

fn signed(out: &mut Vec<u8>, value: i64) -> Result<()> {
    to::write_sint(out, value)?;
    Ok(())
}

fn text(out: &mut Vec<u8>, text: &str) -> Result<()> {
    Ok(to::write_str(out, text)?)
}

fn array(out: &mut Vec<u8>, len: usize) -> Result<()> {
    to::write_array_len(out, length(len)?)?;
    Ok(())
}

fn length(len: usize) -> Result<u32> {
    Ok(u32::try_from(len)?)
}

fn unlike(shape: &Shape, val: Option<&Val>) -> wasmtime::Error {
    format_err!("{val:?} is not of the type {shape:?}")
}
