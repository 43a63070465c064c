//! A WIT type as a tree of our own, compiled once per function: how its values stand in a chain.

use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{ResourceType, Type};

use crate::names;

/// How values of one WIT type are encoded, and what they look like as [`Val`](wasmtime::component::Val)s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    Text,
    /// `list<u8>`: a byte string.
    Bytes,
    List(Box<Shape>),
    /// A list of a length that the type gives.
    Fixed(Box<Shape>, u32),
    Record(Vec<Field>),
    Tuple(Vec<Shape>),
    Variant(Vec<Case>),
    Enum(Vec<Case>),
    Option(Box<Shape>),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
    Flags(Vec<String>),
    /// A resource, owned or borrowed, by the number of its type among those of the component.
    Handle(u32),
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// In WIT.
    pub(crate) name: String,
    /// In a chain.
    pub(crate) key: String,
    pub(crate) shape: Shape,
}

/// A case of a variant, or of an enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// In WIT.
    pub(crate) name: String,
    /// In a chain.
    pub(crate) key: String,
    pub(crate) shape: Option<Shape>,
}

/// The resource types of a component, each numbered when it is first seen.
#[derive(Debug, Default)]
pub(crate) struct Resources(Vec<ResourceType>);

impl Resources {
    /// The number of a resource type.
    pub(crate) fn number(&mut self, ty: ResourceType) -> u32 {
        let found = self.0.iter().position(|known| *known == ty);
        let number = found.unwrap_or_else(|| {
            self.0.push(ty);
            self.0.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

/// A type that no chain holds values of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}, whose values are not recorded")]
pub(crate) struct Unsupported(&'static str);

impl Shape {
    /// The shape of a type.
    pub(crate) fn of(ty: &Type, resources: &mut Resources) -> Result<Self, Unsupported> {
        let mut inner = |ty: Type| Self::of(&ty, resources);
        Ok(match ty {
            Type::Bool => Self::Bool,
            Type::S8 => Self::S8,
            Type::U8 => Self::U8,
            Type::S16 => Self::S16,
            Type::U16 => Self::U16,
            Type::S32 => Self::S32,
            Type::U32 => Self::U32,
            Type::S64 => Self::S64,
            Type::U64 => Self::U64,
            Type::Float32 => Self::F32,
            Type::Float64 => Self::F64,
            Type::Char => Self::Char,
            Type::String => Self::Text,
            Type::List(list) => match inner(list.ty())? {
                Self::U8 => Self::Bytes,
                item => Self::List(Box::new(item)),
            },
            Type::FixedLengthList(list) => Self::Fixed(Box::new(inner(list.ty())?), list.len()),
            Type::Record(record) => Self::Record(
                record
                    .fields()
                    .map(|field| {
                        let (name, key) = (field.name.to_owned(), names::field(field.name));
                        Ok(Field { name, key, shape: inner(field.ty)? })
                    })
                    .collect::<Result<_, _>>()?,
            ),
            Type::Tuple(tuple) => Self::Tuple(tuple.types().map(inner).collect::<Result<_, _>>()?),
            Type::Variant(variant) => Self::Variant(
                variant
                    .cases()
                    .map(|case| {
                        let (name, key) = (case.name.to_owned(), names::case(case.name));
                        Ok(Case { name, key, shape: case.ty.map(&mut inner).transpose()? })
                    })
                    .collect::<Result<_, _>>()?,
            ),
            Type::Enum(cases) => Self::Enum(
                cases.names().map(|name| Case { name: name.to_owned(), key: names::case(name), shape: None }).collect(),
            ),
            Type::Option(option) => match inner(option.ty())? {
                Self::Option(_) => return Err(Unsupported("an option directly in an option")),
                some => Self::Option(Box::new(some)),
            },
            Type::Result(result) => {
                let ok = result.ok().map(&mut inner).transpose()?;
                let err = result.err().map(&mut inner).transpose()?;
                Self::Result(ok.map(Box::new), err.map(Box::new))
            }
            Type::Flags(flags) => Self::Flags(flags.names().map(str::to_owned).collect()),
            Type::Own(ty) | Type::Borrow(ty) => Self::Handle(resources.number(*ty)),
            Type::Map(_) => return Err(Unsupported("a map")),
            Type::Future(_) => return Err(Unsupported("a future")),
            Type::Stream(_) => return Err(Unsupported("a stream")),
            Type::ErrorContext => return Err(Unsupported("an error context")),
        })
    }
}

/// The shapes of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FuncShape {
    pub(crate) params: Vec<Shape>,
    pub(crate) results: Vec<Shape>,
}

impl FuncShape {
    /// The shapes of a function's params and results.
    pub(crate) fn of(func: &ComponentFunc, resources: &mut Resources) -> Result<Self, Unsupported> {
        Ok(Self {
            params: func.params().map(|(_, ty)| Shape::of(&ty, resources)).collect::<Result<_, _>>()?,
            results: func.results().map(|ty| Shape::of(&ty, resources)).collect::<Result<_, _>>()?,
        })
    }
}
