//! What a handler offers to import: collected once per runtime, linked per component by the
//! component's own imports.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use theater_chain::data::Effect;
use wasmtime::Result;
use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance, Lower, ResourceType};

use crate::actor_store::ActorStore;
use crate::call::Call;
use crate::foreign;
use crate::handler::Handler;
use crate::host_call;
use crate::interface::InterfaceName;

/// One importable function or resource.
pub(crate) struct ImportDef {
    pub(crate) interface: InterfaceName,
    pub(crate) item: Item,
    /// Whether its types are others' and may be what Theater's own interfaces refuse.
    pub(crate) foreign: bool,
    define: DefineFn,
}

/// What it is, with its name in the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    Function(&'static str),
    Resource(&'static str),
    /// A function that no guest can call, since it takes a handle that none is ever given.
    Absent(&'static str),
    /// A resource of which no guest is ever given a handle, so that none of its methods can be called.
    AbsentResource(&'static str),
}

impl Item {
    /// Whether this is what the import `name` of a function needs.
    pub(crate) fn is_function(self, name: &str) -> bool {
        match self {
            Self::Function(ours) | Self::Absent(ours) => ours == name,
            Self::Resource(_) => false,
            Self::AbsentResource(resource) => name
                .strip_prefix("[method]")
                .and_then(|method| method.split_once('.'))
                .is_some_and(|(of, _)| of == resource),
        }
    }

    /// Whether this is what the import `name` of a resource needs.
    pub(crate) fn is_resource(self, name: &str) -> bool {
        matches!(self, Self::Resource(ours) | Self::AbsentResource(ours) if ours == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Function(name) | Self::Resource(name) | Self::Absent(name) | Self::AbsentResource(name) => name,
        }
    }
}

type DefineFn = Box<dyn Fn(&mut LinkerInstance<'_, ActorStore>, Arc<Site>) -> Result<()> + Send + Sync>;

impl ImportDef {
    /// Links the function or resource `name` under the interface name that the component imports.
    pub(crate) fn define(
        &self,
        linker: &mut LinkerInstance<'_, ActorStore>,
        imported: &Arc<str>,
        name: &str,
        slot: usize,
    ) -> Result<()> {
        if self.item.name() != name {
            return foreign::absent(linker, name);
        }
        let site = Site { interface: imported.clone(), function: self.item.name(), slot };
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
    /// What it does is part of the call that is running.
    pub(crate) in_call: bool,
}

/// A host function, and what it answers where the process went down while it ran.
pub(crate) struct HostFn<F, R> {
    pub(crate) run: F,
    pub(crate) interrupted: Option<Interrupted<R>>,
}

type Interrupted<R> = Box<dyn Fn() -> R + Send + Sync>;

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
    /// Opens an interface that others designed, such as WASI's, as [`interface`](Self::interface) does
    /// it for one's own. Its functions may use [resources](InterfaceLinker::resource), and whatever types
    /// the handler's own can hold: flags are to be serialized as an array of the names of those that are set,
    /// so that a replay can read them.
    ///
    /// # Errors
    /// As [`interface`](Self::interface).
    pub fn foreign(&mut self, name: &str) -> Result<InterfaceLinker<'_, H>> {
        let mut interface = self.interface(name)?;
        interface.foreign = true;
        Ok(interface)
    }

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
            foreign: false,
            within_tree: false,
            self_timed: false,
            in_call: false,
            interrupted: None,
        })
    }
}

/// Adds functions to one interface.
pub struct InterfaceLinker<'a, H> {
    handler: Arc<H>,
    defs: &'a mut Vec<ImportDef>,
    interface: InterfaceName,
    foreign: bool,
    within_tree: bool,
    self_timed: bool,
    in_call: bool,
    /// An `Interrupted<R>` for the next function.
    interrupted: Option<Box<dyn Any + Send>>,
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

    /// Says that what the functions that follow do is part of the call that is running, as a message
    /// that leaves when it commits: when that call begins again after the process went down, they run
    /// again, and what they had answered is what counts. Of functions that never wait.
    #[must_use]
    pub fn in_call(mut self) -> Self {
        self.in_call = true;
        self
    }

    /// What the next function answers where the process went down while it ran and its effect is
    /// [`Effect::Write`], so that it is not repeated: a WIT `result` with an error, say. Without it
    /// such a call ends its actor.
    #[must_use]
    pub fn on_interrupted<R: HostResults>(mut self, answer: impl Fn() -> R + Send + Sync + 'static) -> Self {
        let answer: Interrupted<R> = Box::new(answer);
        self.interrupted = Some(Box::new(answer));
        self
    }

    /// Adds a function that never waits.
    ///
    /// # Errors
    /// The function is added twice.
    pub fn func<P, R, F>(mut self, name: &'static str, effect: Effect, f: F) -> Result<Self>
    where
        P: HostParams,
        R: HostResults,
        F: Fn(Call<'_, H>, P) -> Result<R> + Send + Sync + 'static,
    {
        let (handler, mode) = (self.handler.clone(), self.mode(effect));
        let f = Arc::new(HostFn { run: f, interrupted: self.take_interrupted::<R>(name)? });
        self.define(Item::Function(name), move |linker, site| {
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
    pub fn func_async<P, R, F>(mut self, name: &'static str, effect: Effect, f: F) -> Result<Self>
    where
        P: HostParams,
        R: HostResults,
        F: for<'c> AsyncHostFn<'c, H, P, R> + 'static,
    {
        let (handler, mode) = (self.handler.clone(), self.mode(effect));
        let f = Arc::new(HostFn { run: f, interrupted: self.take_interrupted::<R>(name)? });
        self.define(Item::Function(name), move |linker, site| {
            let (handler, f) = (handler.clone(), f.clone());
            linker.func_wrap_async(name, move |store, params: P| {
                let (handler, f, site) = (handler.clone(), f.clone(), site.clone());
                Box::new(
                    async move { host_call::run_async::<H, _, _, _>(store, &handler, &site, mode, &*f, params).await },
                )
            })
        })
    }

    /// Adds a resource; `T` marks its [handles](crate::Handle). When a guest drops one that it owns,
    /// `drop` gets the handle's number and the data of the [instance](Call::instance). Drops are not
    /// recorded: what a guest drops when follows from what it was answered.
    ///
    /// # Errors
    /// It is added twice, or the interface is not [foreign](HostLinker::foreign).
    pub fn resource<T, I>(self, name: &'static str, drop: fn(&mut I, u32)) -> Result<Self>
    where
        T: 'static,
        I: Default + Send + 'static,
    {
        self.foreign_only(name)?;
        self.define(Item::Resource(name), move |linker, site| {
            linker.resource(name, ResourceType::host::<T>(), move |mut store, number| {
                drop(store.data_mut().instance_data(site.slot), number);
                Ok(())
            })
        })
    }

    /// Adds a resource of which no guest is ever given a handle, with all its methods: none of them can
    /// be called.
    ///
    /// # Errors
    /// It is added twice, or the interface is not [foreign](HostLinker::foreign).
    pub fn absent_resource<T: 'static>(self, name: &'static str) -> Result<Self> {
        self.foreign_only(name)?;
        self.define(Item::AbsentResource(name), move |linker, _| {
            linker.resource(name, ResourceType::host::<T>(), |_, _| Ok(()))
        })
    }

    /// Adds a function that takes a handle of an [absent resource](Self::absent_resource), and that can
    /// not be called therefore.
    ///
    /// # Errors
    /// It is added twice, or the interface is not [foreign](HostLinker::foreign).
    pub fn absent_func(self, name: &'static str) -> Result<Self> {
        self.foreign_only(name)?;
        self.define(Item::Absent(name), move |linker, _| foreign::absent(linker, name))
    }

    fn foreign_only(&self, name: &str) -> Result<()> {
        if self.foreign {
            return Ok(());
        }
        Err(wasmtime::format_err!(
            "{}#{name} is or needs a resource, which only interfaces opened with `foreign` may have",
            self.interface.name
        ))
    }

    fn mode(&self, effect: Effect) -> Mode {
        Mode { effect, within_tree: self.within_tree, self_timed: self.self_timed, in_call: self.in_call }
    }

    fn take_interrupted<R: HostResults>(&mut self, name: &str) -> Result<Option<Interrupted<R>>> {
        let Some(answer) = self.interrupted.take() else { return Ok(None) };
        let answer = answer.downcast::<Interrupted<R>>().map_err(|_| {
            let interface = &self.interface.name;
            wasmtime::format_err!("on_interrupted answers {interface}#{name} with another type than the function")
        })?;
        Ok(Some(*answer))
    }

    fn define(
        self,
        item: Item,
        define: impl Fn(&mut LinkerInstance<'_, ActorStore>, Arc<Site>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let name = item.name();
        if self.defs.iter().any(|def| def.interface.name == self.interface.name && def.item.name() == name) {
            return Err(wasmtime::format_err!("{}#{name} is added twice", self.interface.name));
        }
        let (interface, foreign) = (self.interface.clone(), self.foreign);
        self.defs.push(ImportDef { interface, item, foreign, define: Box::new(define) });
        Ok(self)
    }
}
