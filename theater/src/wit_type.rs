//! WIT types that a handler's interface may not use, because the chain cannot hold their values.

use wasmtime::component::Type;
use wasmtime::component::types::ComponentFunc;

/// Refuses what the chain cannot hold, with the path to it.
pub(crate) fn check(func: &ComponentFunc) -> Result<(), String> {
    for (name, ty) in func.params() {
        check_type(&ty, name)?;
    }
    for ty in func.results() {
        check_type(&ty, "result")?;
    }
    Ok(())
}

fn check_type(ty: &Type, path: &str) -> Result<(), String> {
    let inner = |ty: Option<Type>, step: &str| ty.map_or(Ok(()), |ty| check_type(&ty, &format!("{path}.{step}")));
    match ty {
        Type::Option(option) => {
            if matches!(option.ty(), Type::Option(_)) {
                return Err(format!("{path} is an option directly in an option, which cannot be recorded"));
            }
            inner(Some(option.ty()), "some")
        }
        Type::List(list) => inner(Some(list.ty()), "item"),
        Type::Record(record) => record.fields().try_for_each(|field| inner(Some(field.ty), field.name)),
        Type::Tuple(tuple) => tuple.types().try_for_each(|ty| inner(Some(ty), "item")),
        Type::Variant(variant) => variant.cases().try_for_each(|case| inner(case.ty, case.name)),
        Type::Result(result) => inner(result.ok(), "ok").and_then(|()| inner(result.err(), "err")),
        Type::Bool
        | Type::S8
        | Type::U8
        | Type::S16
        | Type::U16
        | Type::S32
        | Type::U32
        | Type::S64
        | Type::U64
        | Type::Float32
        | Type::Float64
        | Type::Char
        | Type::String
        | Type::Enum(_) => Ok(()),
        _ => Err(format!("{path} is a resource, flags, a stream, a future or a map, which cannot be recorded")),
    }
}
