//! Calls of common types without a value for each byte: the exports that messages are delivered to, and
//! imports of texts and bytes. What they read and write is what the dynamic ones do.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use theater_chain::codec;
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, LinkerInstance, Lower};
use wasmtime::{Result, StoreContextMut};

use crate::answer::answer;
use crate::guest::{Guest, Live};
use crate::link::{ActorExport, Site};
use crate::outcome::Returned;
use crate::shape::Shape;

/// A call of an export, its params read.
pub(crate) trait Prepared: Send {
    /// Makes it.
    fn call<'a>(
        self: Box<Self>,
        guest: &'a mut Live,
        export: &'a ActorExport,
        state: Option<&'a [u8]>,
    ) -> Pin<Box<dyn Future<Output = Result<Returned>> + Send + 'a>>;
}

/// Reads recorded params; `None` where they are of other types.
pub(crate) type Prepare = fn(&[u8]) -> Option<Box<dyn Prepared>>;

type State = Option<Vec<u8>>;
type Bytes = Vec<u8>;
type Fallible<T> = std::result::Result<T, String>;

/// A Rust type whose values stand in a chain as those of a WIT type do.
trait Known {
    fn shape() -> Shape;
}

macro_rules! known {
    ($($type:ty => $shape:expr),* $(,)?) => {
        $(impl Known for $type { fn shape() -> Shape { $shape } })*
    };
}

known! {
    bool => Shape::Bool,
    u32 => Shape::U32,
    u64 => Shape::U64,
    String => Shape::Text,
    Bytes => Shape::Bytes,
    Vec<String> => Shape::List(Box::new(Shape::Text)),
}

impl<T: Known> Known for Option<T> {
    fn shape() -> Shape {
        Shape::Option(Box::new(T::shape()))
    }
}

impl Known for Fallible<()> {
    fn shape() -> Shape {
        Shape::Result(None, Some(Box::new(Shape::Text)))
    }
}

macro_rules! fallible {
    ($($type:ty),*) => {
        $(impl Known for Fallible<$type> {
            fn shape() -> Shape {
                Shape::Result(Some(Box::new(<$type>::shape())), Some(Box::new(Shape::Text)))
            }
        })*
    };
}

fallible!(Bytes, String, Option<Bytes>, Vec<String>);

/// The first of these signatures that is the one of the shapes.
macro_rules! first {
    ($params:expr, $results:expr, $with:ident; $(($($param:ty),*) => ($($result:ty),*);)*) => {
        $(if same(&$params, &[$(<$param>::shape()),*]) && same(&$results, &[$(<$result>::shape()),*]) {
            $with!(($($param,)*), ($($result,)*));
        })*
    };
}

fn same(shapes: &[Shape], of: &[Shape]) -> bool {
    shapes == of
}

/// How an export of these params and results is called; `None`: by dynamic values.
pub(crate) fn export(params: &Shape, results: &[Shape]) -> Option<Prepare> {
    let Shape::Tuple(params) = params else { return None };
    macro_rules! prepared {
        ($params:ty, ($($result:ty,)*)) => { return Some(prepare::<$params, (State, $($result,)*)>) };
    }
    first! { params[..], results[..], prepared;
        () => ();
        (String) => ();
        (Bytes) => ();
        (String, Bytes) => (Option<Bytes>);
        (String, Bytes) => (Bytes);
        (String, Bytes) => (String);
        (String, Bytes) => ();
        (String, Option<Bytes>) => ();
        (Option<Bytes>) => (Option<Bytes>);
        (Bytes) => (Bytes);
        (Bytes) => (String);
        (String) => (Bytes);
        (String) => (String);
        (String, String) => ();
        (String, String) => (String);
    }
    None
}

/// What an export returns with `ok`.
trait Answer {
    /// The next state, and the encoded `{"Ok": ..}`.
    fn split(self) -> (State, Vec<u8>);
}

impl Answer for (State,) {
    fn split(self) -> (State, Vec<u8>) {
        (self.0, codec::encode(&Ok::<_, ()>(())))
    }
}

impl<T: Serialize> Answer for (State, T) {
    fn split(self) -> (State, Vec<u8>) {
        (self.0, codec::encode(&Ok::<_, ()>((self.1,))))
    }
}

struct Typed<P, R> {
    params: P,
    returns: PhantomData<fn() -> R>,
}

fn prepare<P, R>(recorded: &[u8]) -> Option<Box<dyn Prepared>>
where
    P: DeserializeOwned + Lower + Send + Sync + 'static,
    R: Answer + Lift + Send + Sync + 'static,
{
    let params: P = codec::decode(recorded).ok()?;
    Some(Box::new(Typed::<P, R> { params, returns: PhantomData }))
}

impl<P, R> Prepared for Typed<P, R>
where
    P: Lower + Send + Sync + 'static,
    R: Answer + Lift + Send + Sync + 'static,
{
    fn call<'a>(
        self: Box<Self>,
        guest: &'a mut Live,
        export: &'a ActorExport,
        state: Option<&'a [u8]>,
    ) -> Pin<Box<dyn Future<Output = Result<Returned>> + Send + 'a>> {
        Box::pin(async move {
            let Live { store, instance } = guest;
            let func = instance
                .get_typed_func::<(Option<&[u8]>, P), (std::result::Result<R, String>,)>(&mut *store, export.index)?;
            Ok(match func.call_async(&mut *store, (state, self.params)).await?.0 {
                Ok(answer) => {
                    let (state, result) = answer.split();
                    Returned { ok: true, state, result }
                }
                Err(message) => Returned { ok: false, state: None, result: codec::encode(&Err::<(), _>(message)) },
            })
        })
    }
}

/// Links an import that takes and gives texts, bytes and numbers alone; whether it is one.
///
/// # Errors
/// It is defined already.
pub(crate) fn import(into: &mut LinkerInstance<'_, Guest>, name: &str, site: &Arc<Site>) -> Result<bool> {
    let (params, results) = (&site.shape.params, &site.shape.results);
    macro_rules! defined {
        ($params:ty, $results:ty) => {
            return define::<$params, $results>(into, name, site).map(|()| true)
        };
    }
    first! { params[..], results[..], defined;
        () => ();
        () => (bool);
        () => (u64);
        () => (String);
        () => (Bytes);
        () => (Option<Bytes>);
        () => (Vec<String>);
        (u64) => (u64);
        (u64) => (Bytes);
        (String) => ();
        (String) => (String);
        (String) => (Option<Bytes>);
        (String) => (Fallible<()>);
        (String) => (Fallible<Bytes>);
        (String) => (Fallible<String>);
        (String) => (Fallible<Option<Bytes>>);
        (String) => (Fallible<Vec<String>>);
        (Bytes) => ();
        (Bytes) => (Bytes);
        (Bytes) => (Fallible<()>);
        (Bytes) => (Fallible<Bytes>);
        (Bytes) => (Fallible<String>);
        (Option<Bytes>) => ();
        (String, Bytes) => ();
        (String, Bytes) => (Fallible<()>);
        (String, Bytes) => (Fallible<Bytes>);
        (String, Bytes) => (Fallible<String>);
        (String, Bytes) => (Fallible<Option<Bytes>>);
        (String, Option<Bytes>) => (Fallible<String>);
        (String, String) => ();
        (String, String) => (Fallible<()>);
        (String, String) => (Fallible<String>);
        (String, String) => (Fallible<Bytes>);
    }
    Ok(false)
}

fn define<P, R>(into: &mut LinkerInstance<'_, Guest>, name: &str, site: &Arc<Site>) -> Result<()>
where
    P: ComponentNamedList + ComponentType + Lift + Serialize + Send + Sync + 'static,
    R: ComponentNamedList + Lower + DeserializeOwned + Send + Sync + 'static,
{
    let site = site.clone();
    into.func_wrap_async(name, move |mut store: StoreContextMut<'_, Guest>, params: P| {
        let site = site.clone();
        Box::new(async move {
            let encoded = codec::try_encode(&params)?;
            let answer = answer(store.data_mut(), &site, &encoded).await?;
            Ok(codec::decode::<R>(&answer)?)
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;
    use crate::{decode, encode};

    /// A typed value is written as a dynamic one is, and read back from it.
    fn agrees<T: Known + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T) {
        let shapes = [T::shape()];
        let typed = codec::encode(&(&value,));
        let no_handle = &mut |_: u32, _: u32| Err(wasmtime::format_err!("a resource"));
        let values = decode::values(&typed, &shapes, no_handle).unwrap();
        let mut dynamic = Vec::new();
        encode::values(&mut dynamic, &shapes, &values, &mut |_| Err(wasmtime::format_err!("a resource"))).unwrap();
        assert_eq!(dynamic, typed, "{value:?}");
        assert_eq!(codec::decode::<(T,)>(&dynamic).unwrap(), (value,));
    }

    proptest! {
        #[test]
        fn typed_values_are_written_as_dynamic_ones(
            number: u64, less: u32, flag: bool, text: String, bytes: Vec<u8>, list: Vec<String>, is: bool,
        ) {
            agrees(number);
            agrees(less);
            agrees(flag);
            agrees(text.clone());
            agrees(is.then(|| bytes.clone()));
            agrees(if is { Ok(()) } else { Err(text.clone()) });
            agrees(if is { Ok(bytes.clone()) } else { Err(text.clone()) });
            agrees(if is { Ok(text.clone()) } else { Err(text.clone()) });
            agrees(if is { Ok(Some(bytes.clone())) } else { Err(text.clone()) });
            agrees(if is { Ok(list.clone()) } else { Err(text) });
            agrees(bytes);
            agrees(list);
        }
    }
}
