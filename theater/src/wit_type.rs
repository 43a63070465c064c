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
                return refused(path, "an option directly in an option");
            }
            inner(Some(option.ty()), "some")
        }
        Type::List(list) => inner(Some(list.ty()), "item"),
        Type::Record(record) => record.fields().try_for_each(|field| inner(Some(field.ty), field.name)),
        Type::Tuple(tuple) => tuple.types().enumerate().try_for_each(|(index, ty)| inner(Some(ty), &index.to_string())),
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
        Type::FixedLengthList(list) => inner(Some(list.ty()), "item"),
        Type::Own(_) | Type::Borrow(_) => refused(path, "a resource"),
        Type::Flags(_) => refused(path, "of a flags type"),
        Type::Stream(_) => refused(path, "a stream"),
        Type::Future(_) => refused(path, "a future"),
        Type::Map(_) => refused(path, "a map"),
        Type::ErrorContext => refused(path, "an error context"),
    }
}

fn refused(path: &str, what: &str) -> Result<(), String> {
    Err(format!("{path} is {what}, which cannot be recorded; use another type in the handler's WIT"))
}
