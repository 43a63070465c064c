//! Running `migrate`: a function of a state and a version, in an instance of its own, without the
//! actor's handlers.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, Instance, InstancePre, Linker, Val};
use wasmtime::{AsContextMut as _, Engine, Store};

use crate::actor_store::Turn;
use crate::core_exports::MIGRATE;
use crate::failure;
use crate::interface::InterfaceName;
use crate::manifest::Limits;
use crate::memory_limit::MemoryLimit;
use crate::program::Program;
use crate::shared::Shared;
use crate::sources::within;

/// What `migrate` may import and call: guests report their panics through it.
const LOG: (&str, &str) = ("theater:simple/runtime", "log");

/// A state in its bytes, as far as there is one.
type State = Option<Bytes>;

/// The function's params and results.
type Params<'a> = (Option<&'a [u8]>, (&'a str,));
type Results = (Result<(Option<Vec<u8>>,), String>,);

/// The `migrate` of a component.
#[derive(Clone)]
pub(crate) struct Migration {
    shared: Arc<Shared>,
    pre: InstancePre<Scratch>,
    index: ComponentExportIndex,
    limits: Limits,
}

/// What is kept of a run.
struct Scratch {
    memory: MemoryLimit,
    /// What the guest logged last.
    said: Option<String>,
}

impl Migration {
    /// `None`: the component does not export it.
    pub(crate) fn of(shared: &Arc<Shared>, program: &Program, limits: &Limits) -> Result<Option<Self>, String> {
        let Some(found) = program.component.export(MIGRATE.interface(), MIGRATE.function()) else {
            return Ok(None);
        };
        let pre = link(&shared.engine, program.compiled()).map_err(|error| format!("{error:#}"))?;
        Ok(Some(Self { shared: shared.clone(), pre, index: found.index, limits: limits.clone() }))
    }

    /// The state that it makes of one that was written by `version`; the sentence says why it does not.
    pub(crate) async fn run(&self, state: State, version: &str) -> Result<State, String> {
        let (this, version) = (self.clone(), version.to_owned());
        // Nobody waits for a guest but who asked for this.
        self.shared.background.run(Box::pin(async move { this.run_here(state, &version).await })).await
    }

    async fn run_here(&self, state: State, version: &str) -> Result<State, String> {
        let _place = self.shared.pool.place().await;
        let mut store = self.store();
        let limit = self.limits.init_timeout;
        let call = self.call(&mut store, state.as_deref(), version);
        let answer = within(&*self.shared.sources, limit, call).await;
        let Scratch { memory, said } = store.into_data();
        match answer {
            None => Err(format!("migrate ran for more than {limit:?}, the manifest's `init_timeout`")),
            Some(Ok((Err(reason),))) => Err(format!("migrate answered err: {reason}")),
            Some(Err(error)) => Err(format!("migrate failed: {}", why(&error, said, memory.refused()))),
            Some(Ok((Ok((state,)),))) => match state.as_ref().map_or(0, Vec::len) {
                size if size > self.limits.state => Err(format!(
                    "the state that migrate made has {size} bytes; the manifest's limit `state` is {}",
                    self.limits.state
                )),
                _ => Ok(state.map(Bytes::from)),
            },
        }
    }

    fn store(&self) -> Store<Scratch> {
        let data = Scratch { memory: MemoryLimit::new(self.limits.memory), said: None };
        let mut store = Store::new(&self.shared.engine, data);
        store.limiter(|data| &mut data.memory);
        store.set_hostcall_fuel(self.limits.host_call_bytes);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }

    async fn call(&self, store: &mut Store<Scratch>, state: Option<&[u8]>, version: &str) -> wasmtime::Result<Results> {
        let instance: Instance = self.pre.instantiate_async(&mut *store).await?;
        let func = instance.get_typed_func::<Params<'_>, Results>(store.as_context_mut(), &self.index)?;
        func.call_async(store.as_context_mut(), (state, (version,))).await
    }
}

/// All imports but the one trap when they are called.
fn link(engine: &Engine, component: &Component) -> wasmtime::Result<InstancePre<Scratch>> {
    let mut linker: Linker<Scratch> = Linker::new(engine);
    for (imported, item) in component.component_type().imports(engine) {
        let is_log = imported.parse::<InterfaceName>().is_ok_and(|name| name.name == LOG.0);
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        if is_log && instance.get_export(engine, LOG.1).is_some() {
            linker.instance(imported)?.func_new(LOG.1, |mut store, _, params, _| {
                if let Some(Val::String(said)) = params.last() {
                    store.data_mut().said = Some(said.clone());
                }
                Ok(())
            })?;
        }
    }
    linker.define_unknown_imports_as_traps(component)?;
    linker.instantiate_pre(component)
}

fn why(error: &wasmtime::Error, said: Option<String>, refused: Option<usize>) -> String {
    // wasmtime's words for an import that traps.
    let cause = error.root_cause().to_string();
    let import = cause.strip_prefix("unknown import: `").and_then(|rest| rest.split('`').next());
    match import {
        Some(import) => format!("it called {import}, and of what it imports migrate may call runtime.log alone"),
        None => failure::classify(error, Turn { said, ..Turn::default() }, refused).message,
    }
}
