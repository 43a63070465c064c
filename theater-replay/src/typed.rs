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

/// How an export of these params and results is called; `None`: by dynamic values.
pub(crate) fn export(params: &Shape, results: &[Shape]) -> Option<Prepare> {
    let Shape::Tuple(params) = params else { return None };
    let answers = match results {
        [] => false,
        [Shape::Option(bytes)] if **bytes == Shape::Bytes => true,
        _ => return None,
    };
    Some(match (&params[..], answers) {
        ([Shape::Text], false) => prepare::<(String,), (State,)>,
        ([Shape::Bytes], false) => prepare::<(Bytes,), (State,)>,
        ([Shape::Text, Shape::Bytes], true) => prepare::<(String, Bytes), (State, Option<Bytes>)>,
        _ => return None,
    })
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

impl Answer for (State, Option<Bytes>) {
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

/// Links an import that takes and gives texts and bytes alone; whether it is one.
///
/// # Errors
/// It is defined already.
pub(crate) fn import(into: &mut LinkerInstance<'_, Guest>, name: &str, site: &Arc<Site>) -> Result<bool> {
    let err = |ok: Option<Shape>| Shape::Result(ok.map(Box::new), Some(Box::new(Shape::Text)));
    match (&*site.shape.params, &*site.shape.results) {
        ([], [Shape::Text]) => define::<(), (String,)>(into, name, site)?,
        ([Shape::Text, Shape::Bytes], [result]) if *result == err(None) => {
            define::<(String, Bytes), (std::result::Result<(), String>,)>(into, name, site)?;
        }
        ([Shape::Text, Shape::Bytes], [result]) if *result == err(Some(Shape::Bytes)) => {
            define::<(String, Bytes), (std::result::Result<Bytes, String>,)>(into, name, site)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
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
