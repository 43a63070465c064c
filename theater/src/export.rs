//! Functions that a handler calls on an actor: declared once with their types, found in a component
//! when it is linked, called with encoded params so that a message is the same in memory, in the
//! store and in the chain.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use theater_chain::codec;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{ComponentExportIndex, ComponentType, Instance, InstancePre, Lift, Lower};
use wasmtime::{AsContextMut as _, Result, Store};

use crate::actor_store::ActorStore;
use crate::handler::Handler;

/// An export that a handler may call: `f(state, params: P) -> result<tuple<state, R..>, string>`.
///
/// `P` and `R` leave out the state, which the core passes. Both are tuples, `()` for none.
pub struct Export<P, R> {
    pub(crate) interface: &'static str,
    pub(crate) function: &'static str,
    types: PhantomData<fn(P) -> R>,
}

impl<P, R> Export<P, R> {
    /// The function `function` of `interface`, named without its version.
    pub const fn new(interface: &'static str, function: &'static str) -> Self {
        Self { interface, function, types: PhantomData }
    }

    /// The interface, without its version.
    pub const fn interface(&self) -> &'static str {
        self.interface
    }

    /// The function.
    pub const fn function(&self) -> &'static str {
        self.function
    }
}

impl<P, R> Clone for Export<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for Export<P, R> {}

/// Params of an export: a tuple of WIT types.
pub trait Params: ComponentType + Lower + Serialize + DeserializeOwned + Send + Sync + 'static {}
impl<T: ComponentType + Lower + Serialize + DeserializeOwned + Send + Sync + 'static> Params for T {}

/// A WIT type that an export may return.
pub trait Returned: ComponentType + Lift + Serialize + DeserializeOwned + Send + Sync + 'static {}
impl<T: ComponentType + Lift + Serialize + DeserializeOwned + Send + Sync + 'static> Returned for T {}

/// Results of an export beside the next state: `()`, `(A,)` or `(A, B)`.
pub trait Results: Serialize + DeserializeOwned + Send + 'static {
    /// With the state in front, as the component returns it.
    type WithState: ComponentType + Lift + Send + Sync + 'static;

    /// Takes the two apart.
    fn split(with: Self::WithState) -> (Option<Vec<u8>>, Self);
}

impl Results for () {
    type WithState = (Option<Vec<u8>>,);

    fn split((state,): Self::WithState) -> (Option<Vec<u8>>, Self) {
        (state, ())
    }
}

impl<A: Returned> Results for (A,) {
    type WithState = (Option<Vec<u8>>, A);

    fn split((state, a): Self::WithState) -> (Option<Vec<u8>>, Self) {
        (state, (a,))
    }
}

impl<A: Returned, B: Returned> Results for (A, B) {
    type WithState = (Option<Vec<u8>>, A, B);

    fn split((state, a, b): Self::WithState) -> (Option<Vec<u8>>, Self) {
        (state, (a, b))
    }
}

/// Collects the exports that a handler calls.
pub struct ExportLinker<'a, H> {
    pub(crate) defs: &'a mut Vec<Arc<dyn ExportDef>>,
    pub(crate) handler: PhantomData<fn(H)>,
}

impl<H: Handler> ExportLinker<'_, H> {
    /// Declares an export. A component may leave out the interface; what it exports must have
    /// these types.
    ///
    /// # Errors
    /// The export is declared twice.
    pub fn func<P: Params, R: Results>(&mut self, export: &Export<P, R>) -> Result<&mut Self> {
        let def = TypedExport(*export);
        if self.defs.iter().any(|d| d.interface() == def.interface() && d.function() == def.function()) {
            return Err(wasmtime::format_err!("{}#{} is declared twice", export.interface, export.function));
        }
        self.defs.push(Arc::new(def));
        Ok(self)
    }
}

/// What a guest call gave back.
pub(crate) enum CallReturn {
    /// The next state and the encoded result, `{"Ok": [..]}`.
    Ok { state: Option<Vec<u8>>, result: Vec<u8> },
    /// The guest's `err`.
    Err(String),
}

pub(crate) type Invocation<'a> = Pin<Box<dyn Future<Output = Result<CallReturn>> + Send + 'a>>;

/// An export without its types.
pub(crate) trait ExportDef: Send + Sync {
    fn interface(&self) -> &'static str;
    fn function(&self) -> &'static str;
    fn typecheck(&self, func: &ComponentFunc, pre: &InstancePre<ActorStore>) -> Result<()>;
    fn invoke<'a>(
        &self,
        store: &'a mut Store<ActorStore>,
        instance: &'a Instance,
        index: &'a ComponentExportIndex,
        state: Option<&'a [u8]>,
        params: &'a [u8],
    ) -> Invocation<'a>;
}

pub(crate) struct TypedExport<P, R>(pub(crate) Export<P, R>);

impl<P: Params, R: Results> ExportDef for TypedExport<P, R> {
    fn interface(&self) -> &'static str {
        self.0.interface
    }

    fn function(&self) -> &'static str {
        self.0.function
    }

    /// Uses what wasmtime's own generated bindings use, so that a wrong type is found when the
    /// component is linked and not at the first call.
    fn typecheck(&self, func: &ComponentFunc, pre: &InstancePre<ActorStore>) -> Result<()> {
        func.typecheck::<(Option<&[u8]>, P), (std::result::Result<R::WithState, String>,)>(&pre.instance_type())
    }

    fn invoke<'a>(
        &self,
        store: &'a mut Store<ActorStore>,
        instance: &'a Instance,
        index: &'a ComponentExportIndex,
        state: Option<&'a [u8]>,
        params: &'a [u8],
    ) -> Invocation<'a> {
        Box::pin(async move {
            let params: P = codec::decode(params)?;
            let func = instance.get_typed_func::<(Option<&[u8]>, P), (std::result::Result<R::WithState, String>,)>(
                store.as_context_mut(),
                index,
            )?;
            let (returned,) = func.call_async(store.as_context_mut(), (state, params)).await?;
            Ok(match returned {
                Ok(with_state) => {
                    let (state, results) = R::split(with_state);
                    CallReturn::Ok { state, result: encode_ok(&results)? }
                }
                Err(message) => CallReturn::Err(message),
            })
        })
    }
}

/// `{"Ok": results}`, as a WIT result is encoded; the state is left out.
fn encode_ok<R: Serialize>(results: &R) -> Result<Vec<u8>> {
    Ok(codec::try_encode(&std::result::Result::<&R, ()>::Ok(results))?)
}

/// `{"Err": message}`.
pub(crate) fn encode_err(message: &str) -> Vec<u8> {
    codec::encode(&std::result::Result::<(), &str>::Err(message))
}

/// Reads an encoded result back.
pub(crate) fn decode_result<R: DeserializeOwned>(
    result: &[u8],
) -> std::result::Result<std::result::Result<R, String>, codec::DecodeError> {
    codec::decode(result)
}
