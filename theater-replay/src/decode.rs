//! MessagePack of a chain to values. Chains come from strangers: what does not fit the type is an
//! error, and nothing is allocated for a length that is only claimed.

use theater_chain::codec::{self, DecodeError};
use theater_chain::scan::{Reader, Token};
use wasmtime::component::Val;
use wasmtime::{Result, format_err};

use crate::shape::{Field, Shape};

/// Makes the value of a resource: of the type with this number, by the number by which the host knew it.
pub(crate) type HandleOf<'a> = dyn FnMut(u32, u32) -> Result<Val> + 'a;

/// Params or results from all of `bytes`.
pub(crate) fn values(bytes: &[u8], shapes: &[Shape], handle: &mut HandleOf<'_>) -> Result<Vec<Val>> {
    codec::check(bytes)?;
    let mut reader = Reader::new(bytes);
    let values = if shapes.is_empty() {
        match reader.token()? {
            Token::Nil => Vec::new(),
            other => return Err(unlike("nothing", other)),
        }
    } else {
        items(&mut reader, shapes, handle)?
    };
    reader.finish()?;
    Ok(values)
}

/// One value from all of `bytes`.
pub(crate) fn whole(bytes: &[u8], shape: &Shape, handle: &mut HandleOf<'_>) -> Result<Val> {
    codec::check(bytes)?;
    let mut reader = Reader::new(bytes);
    let val = value(&mut reader, shape, handle)?;
    reader.finish()?;
    Ok(val)
}

fn items(reader: &mut Reader<'_>, shapes: &[Shape], handle: &mut HandleOf<'_>) -> Result<Vec<Val>> {
    match reader.token()? {
        Token::Array(len) if len as usize == shapes.len() => {}
        other => return Err(unlike("a tuple of its length", other)),
    }
    shapes.iter().map(|shape| value(reader, shape, handle)).collect()
}

fn value(reader: &mut Reader<'_>, shape: &Shape, handle: &mut HandleOf<'_>) -> Result<Val> {
    // An option has no mark of its own: nil is none, and anything else is what is in it.
    if let Shape::Option(some) = shape {
        let mut ahead = reader.clone();
        if ahead.token()? == Token::Nil {
            *reader = ahead;
            return Ok(Val::Option(None));
        }
        return Ok(Val::Option(Some(Box::new(value(reader, some, handle)?))));
    }
    let token = reader.token()?;
    Ok(match (shape, token) {
        (Shape::Bool, Token::Bool(value)) => Val::Bool(value),
        (Shape::S8, token) => Val::S8(signed(token)?),
        (Shape::S16, token) => Val::S16(signed(token)?),
        (Shape::S32, token) => Val::S32(signed(token)?),
        (Shape::S64, token) => Val::S64(signed(token)?),
        (Shape::U8, token) => Val::U8(unsigned(token)?),
        (Shape::U16, token) => Val::U16(unsigned(token)?),
        (Shape::U32, token) => Val::U32(unsigned(token)?),
        (Shape::U64, token) => Val::U64(unsigned(token)?),
        (Shape::F32, Token::F32(value)) => Val::Float32(value),
        (Shape::F64, Token::F64(value)) => Val::Float64(value),
        (Shape::Char, Token::Text(text)) => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(char), None) => Val::Char(char),
                _ => return Err(unlike("a char", token)),
            }
        }
        (Shape::Text, Token::Text(text)) => Val::String(text.to_owned()),
        (Shape::Bytes, Token::Bin(bytes)) => Val::List(bytes.iter().map(|byte| Val::U8(*byte)).collect()),
        (Shape::Bytes, Token::Array(len)) => Val::List(list(reader, &Shape::U8, len, handle)?),
        (Shape::List(item), Token::Array(len)) => Val::List(list(reader, item, len, handle)?),
        (Shape::Fixed(item, expected), Token::Array(len)) if len == *expected => {
            Val::FixedLengthList(list(reader, item, len, handle)?)
        }
        (Shape::Record(fields), Token::Map(len)) if len as usize == fields.len() => record(reader, fields, handle)?,
        (Shape::Tuple(shapes), Token::Array(len)) if len as usize == shapes.len() => {
            Val::Tuple(shapes.iter().map(|shape| value(reader, shape, handle)).collect::<Result<_>>()?)
        }
        (Shape::Variant(cases), Token::Text(key)) => {
            let case = cases.iter().find(|case| case.key == key && case.shape.is_none());
            Val::Variant(case.ok_or_else(|| unlike("a case of its variant", token))?.name.clone(), None)
        }
        (Shape::Variant(cases), Token::Map(1)) => {
            let key = reader.key()?;
            let case = cases.iter().find(|case| case.key == key);
            let (case, shape) = case
                .and_then(|case| Some((case, case.shape.as_ref()?)))
                .ok_or_else(|| format_err!("{key:?} is no case of its variant"))?;
            Val::Variant(case.name.clone(), Some(Box::new(value(reader, shape, handle)?)))
        }
        (Shape::Enum(cases), Token::Text(key)) => {
            let case = cases.iter().find(|case| case.key == key);
            Val::Enum(case.ok_or_else(|| unlike("a case of its enum", token))?.name.clone())
        }
        (Shape::Result(ok, err), Token::Map(1)) => match reader.key()? {
            "Ok" => Val::Result(Ok(half(reader, ok.as_deref(), handle)?)),
            "Err" => Val::Result(Err(half(reader, err.as_deref(), handle)?)),
            key => return Err(format_err!("{key:?} is no half of a result")),
        },
        (Shape::Flags(names), Token::Array(len)) => flags(reader, names, len)?,
        (Shape::Handle(kind), token) => handle(*kind, unsigned(token)?)?,
        (shape, token) => return Err(unlike(&format!("{shape:?}"), token)),
    })
}

fn list(reader: &mut Reader<'_>, item: &Shape, len: u32, handle: &mut HandleOf<'_>) -> Result<Vec<Val>> {
    (0..len).map(|_| value(reader, item, handle)).collect()
}

fn record(reader: &mut Reader<'_>, fields: &[Field], handle: &mut HandleOf<'_>) -> Result<Val> {
    let values = fields.iter().map(|field| {
        let key = reader.key()?;
        if key != field.key {
            return Err(format_err!("the field {key:?} stands where {:?} was expected", field.key));
        }
        Ok((field.name.clone(), value(reader, &field.shape, handle)?))
    });
    Ok(Val::Record(values.collect::<Result<_>>()?))
}

fn half(reader: &mut Reader<'_>, shape: Option<&Shape>, handle: &mut HandleOf<'_>) -> Result<Option<Box<Val>>> {
    match shape {
        Some(shape) => Ok(Some(Box::new(value(reader, shape, handle)?))),
        None => match reader.token()? {
            Token::Nil => Ok(None),
            other => Err(unlike("nothing", other)),
        },
    }
}

fn flags(reader: &mut Reader<'_>, names: &[String], len: u32) -> Result<Val> {
    let mut set = Vec::new();
    for _ in 0..len {
        match reader.token()? {
            Token::Text(name) if names.iter().any(|known| known == name) => set.push(name.to_owned()),
            other => return Err(unlike("one of its flags", other)),
        }
    }
    Ok(Val::Flags(set))
}

fn signed<T: TryFrom<i64> + TryFrom<u64>>(token: Token<'_>) -> Result<T> {
    let value = match token {
        Token::Signed(value) => T::try_from(value).ok(),
        Token::Unsigned(value) => T::try_from(value).ok(),
        _ => None,
    };
    value.ok_or_else(|| unlike("an integer of its width", token))
}

fn unsigned<T: TryFrom<i64> + TryFrom<u64>>(token: Token<'_>) -> Result<T> {
    signed(token)
}

fn unlike(expected: &str, token: Token<'_>) -> wasmtime::Error {
    DecodeError::Type(format!("{token:?} stands where {expected} was expected")).into()
}
