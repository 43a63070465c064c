//! What a handler offers to import: collected once per runtime, linked per component by the
//! component's own imports.

use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use theater_chain::data::Effect;
use wasmtime::Result;
use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance, Lower};

use crate::actor_store::ActorStore;
use crate::call::Call;
use crate::handler::Handler;
use crate::host_call;
use crate::interface::InterfaceName;

/// One importable function.
pub(crate) struct ImportDef {
    pub(crate) interface: InterfaceName,
    pub(crate) function: &'static str,
    define: DefineFn,
}

type DefineFn = Box<dyn Fn(&mut LinkerInstance<'_, ActorStore>, Arc<Site>) -> Result<()> + Send + Sync>;

impl ImportDef {
    /// Links the function under the interface name that the component imports.
    pub(crate) fn define(
        &self,
        linker: &mut LinkerInstance<'_, ActorStore>,
        imported: &Arc<str>,
        slot: usize,
    ) -> Result<()> {
        let site = Site { interface: imported.clone(), function: self.function, slot };
        (self.define)(linker, Arc::new(site))
    }
}

/// Where a host function is linked: what its events name.
pub(crate) struct Site {
    /// The interface as the component imports it.
    pub(crate) interface: Arc<str>,
    /// The function.
    pub(crate) function: &'static str,
    /// Which of the actor's handler states is its own.
    pub(crate) slot: usize,
}

/// How a function is recorded.
#[derive(Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) effect: Effect,
    /// The effect stays inside the tree, so that its begun event need not be durable first.
    pub(crate) within_tree: bool,
    /// The function bounds its own time: the manifest's `host_call_timeout` does not apply.
    pub(crate) self_timed: bool,
}

/// Params of a host function: a tuple of WIT types, `()` for none.
pub trait HostParams: ComponentNamedList + Lift + Serialize + Send + 'static {}
impl<T: ComponentNamedList + Lift + Serialize + Send + 'static> HostParams for T {}

/// Results of a host function: `()` or a tuple of one WIT type. Read back from the record when a
/// call is begun again after a crash.
pub trait HostResults: ComponentNamedList + Lower + Serialize + DeserializeOwned + Send + 'static {}
impl<T: ComponentNamedList + Lower + Serialize + DeserializeOwned + Send + 'static> HostResults for T {}

/// An async host function; implemented by `async fn`s and async closures.
pub trait AsyncHostFn<'a, H: Handler, P, R>: Send + Sync {
    /// The future that the function returns.
    type Fut: Future<Output = Result<R>> + Send + 'a;

    /// Calls it.
    fn call(&self, call: Call<'a, H>, params: P) -> Self::Fut;
}

impl<'a, H: Handler, P, R, F, Fut> AsyncHostFn<'a, H, P, R> for F
where
    F: Fn(Call<'a, H>, P) -> Fut + Send + Sync,
    Fut: Future<Output = Result<R>> + Send + 'a,
{
    type Fut = Fut;

    fn call(&self, call: Call<'a, H>, params: P) -> Fut {
        self(call, params)
    }
}

/// Collects the functions that a handler offers.
pub struct HostLinker<'a, H> {
    pub(crate) handler: Arc<H>,
    pub(crate) defs: &'a mut Vec<ImportDef>,
}

impl<H: Handler> HostLinker<'_, H> {
    /// Opens an interface, such as `acme:clock/clock` or `acme:clock/clock@1.2.0`. With a version,
    /// components that import a compatible version or none are served; without, all are.
    ///
    /// # Errors
    /// The name is not of the form `namespace:package/interface[@version]`, or is opened twice.
    pub fn interface(&mut self, name: &str) -> Result<InterfaceLinker<'_, H>> {
        let interface: InterfaceName = name.parse().map_err(|reason: String| wasmtime::format_err!("{reason}"))?;
        if self.defs.iter().any(|def| def.interface.name == interface.name) {
            return Err(wasmtime::format_err!("interface {} is opened twice", interface.name));
        }
        Ok(InterfaceLinker {
            handler: self.handler.clone(),
            defs: self.defs,
            interface,
            within_tree: false,
            self_timed: false,
        })
    }
}

/// Adds functions to one interface.
pub struct InterfaceLinker<'a, H> {
    handler: Arc<H>,
    defs: &'a mut Vec<ImportDef>,
    interface: InterfaceName,
    within_tree: bool,
    self_timed: bool,
}

impl<H: Handler> InterfaceLinker<'_, H> {
    /// Says that the effects of the functions that follow stay inside the tree: their begun events
    /// are appended, but not waited for.
    #[must_use]
    pub fn within_tree(mut self) -> Self {
        self.within_tree = true;
        self
    }

    /// Says that the functions that follow bound their own time, as a start is bounded by the
    /// child's `init_timeout`: the manifest's `host_call_timeout` does not apply to them.
    #[must_use]
    pub fn self_timed(mut self) -> Self {
        self.self_timed = true;
        self
    }

    /// Adds a function that never waits.
    ///
    /// # Errors
    /// The function is added twice.
    pub fn func<P, R, F>(self, name: &'static str, effect: Effect, f: F) -> Result<Self>
    where
        P: HostParams,
        R: HostResults,
        F: Fn(Call<'_, H>, P) -> Result<R> + Send + Sync + 'static,
    {
        let (handler, mode) = (self.handler.clone(), self.mode(effect));
        let f = Arc::new(f);
        self.define(name, move |linker, site| {
            let (handler, f) = (handler.clone(), f.clone());
            linker.func_wrap_async(name, move |store, params: P| {
                let (handler, f, site) = (handler.clone(), f.clone(), site.clone());
                Box::new(
                    async move { host_call::run_sync::<H, _, _, _>(store, &handler, &site, mode, &*f, params).await },
                )
            })
        })
    }

    /// Adds a function that may wait: an `async fn` or an async closure such as
    /// `async |call: Call<'_, Clock>, (ms,): (u64,)| { .. }`.
    ///
    /// # Errors
    /// The function is added twice.
    pub fn func_async<P, R, F>(self, name: &'static str, effect: Effect, f: F) -> Result<Self>
    where
        P: HostParams,
        R: HostResults,
        F: for<'c> AsyncHostFn<'c, H, P, R> + 'static,
    {
        let (handler, mode) = (self.handler.clone(), self.mode(effect));
        let f = Arc::new(f);
        self.define(name, move |linker, site| {
            let (handler, f) = (handler.clone(), f.clone());
            linker.func_wrap_async(name, move |store, params: P| {
                let (handler, f, site) = (handler.clone(), f.clone(), site.clone());
                Box::new(
                    async move { host_call::run_async::<H, _, _, _>(store, &handler, &site, mode, &*f, params).await },
                )
            })
        })
    }

    fn mode(&self, effect: Effect) -> Mode {
        Mode { effect, within_tree: self.within_tree, self_timed: self.self_timed }
    }

    fn define(
        self,
        function: &'static str,
        define: impl Fn(&mut LinkerInstance<'_, ActorStore>, Arc<Site>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        if self.defs.iter().any(|def| def.interface.name == self.interface.name && def.function == function) {
            return Err(wasmtime::format_err!("{}#{function} is added twice", self.interface.name));
        }
        self.defs.push(ImportDef { interface: self.interface.clone(), function, define: Box::new(define) });
        Ok(self)
    }
}
