//! Bare wasmtime: instances of the same component in an engine of the same settings, with nothing of the
//! runtime around them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use theater::wasmtime::component::{Component, Instance, InstancePre, Linker, TypedFunc};
use theater::wasmtime::{Engine, Error, Store};

use super::frames::Frames;
use super::mailbox::Mailbox;

type Bytes = Option<Vec<u8>>;
type Answer = std::result::Result<(Bytes, Bytes), String>;
type Request = TypedFunc<(Bytes, (String, Vec<u8>)), (Answer,)>;
type Init = TypedFunc<(Bytes, (String,)), (std::result::Result<(Bytes,), String>,)>;

const CLIENT: &str = "theater:simple/message-server-client@0.1.0";
const HOST: &str = "theater:simple/message-server-host@0.1.0";
const ACTOR: &str = "theater:simple/actor@0.1.0";

/// An id, as long as the real ones.
pub(crate) const ID: &str = "00112233445566778899aabbccddeeff";

/// Instances that may live at once.
const LIVE: u32 = 64;

/// What a guest's store holds.
pub(crate) struct Data {
    /// What of its chain is written, and where.
    pub(crate) frames: Frames,
    /// Who its requests go to.
    pub(crate) peer: Option<Mailbox>,
}

/// A component, compiled and linked: `request` of the message server works, all else that it may import
/// traps.
#[derive(Clone)]
pub(crate) struct Guest {
    engine: Engine,
    pre: Arc<InstancePre<Data>>,
}

/// An instance and its one function.
pub(crate) struct Live {
    pub(crate) store: Store<Data>,
    instance: Instance,
    request: Request,
}

impl Guest {
    /// Compiles it.
    pub(crate) fn new(component: &Path) -> Result<Self> {
        Self::of(&theater::engine::build(LIVE)?, component)
    }

    /// Compiles it for an engine that others use, too.
    pub(crate) fn of(engine: &Engine, component: &Path) -> Result<Self> {
        let component = Component::from_file(engine, component)?;
        let mut linker = Linker::<Data>::new(engine);
        linker.instance(HOST)?.func_wrap_async("request", |mut store, (_, message): (String, Vec<u8>)| {
            Box::new(async move {
                let data: &mut Data = store.data_mut();
                // What is left: that it begins, what it answered, and how the call ended.
                if data.frames.left() > 2 {
                    data.frames.next();
                }
                let peer = data.peer.clone().ok_or_else(|| Error::msg("a bare guest has nobody to ask"))?;
                let answer = peer.ask(message).await;
                store.data_mut().frames.next();
                Ok((answer.map_err(|error| error.to_string()),))
            })
        })?;
        linker.define_unknown_imports_as_traps(&component)?;
        Ok(Self { pre: Arc::new(linker.instantiate_pre(&component)?), engine: engine.clone() })
    }

    /// A fresh instance, ready for requests.
    pub(crate) async fn live(&self, frames: Frames, peer: Option<Mailbox>) -> Result<Live> {
        let mut store = Store::new(&self.engine, Data { frames, peer });
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let request = function(&mut store, &instance, CLIENT, "handle-request")?;
        let request = instance.get_typed_func(&mut store, request)?;
        Ok(Live { store, instance, request })
    }
}

impl Live {
    /// Calls `init` without bytes; the state.
    pub(crate) async fn init(&mut self) -> Result<Bytes> {
        let init = function(&mut self.store, &self.instance, ACTOR, "init")?;
        let init: Init = self.instance.get_typed_func(&mut self.store, init)?;
        let (made,) = init.call_async(&mut self.store, (None, (ID.to_owned(),))).await?;
        Ok(made.map_err(anyhow::Error::msg)?.0)
    }

    /// Calls `handle-request`: the next state, and the answer.
    pub(crate) async fn request(&mut self, state: Bytes, id: String, text: Vec<u8>) -> Result<(Bytes, Bytes)> {
        let (answer,) = self.request.call_async(&mut self.store, (state, (id, text))).await?;
        answer.map_err(anyhow::Error::msg)
    }
}

fn function(
    store: &mut Store<Data>,
    instance: &Instance,
    interface: &str,
    name: &str,
) -> Result<theater::wasmtime::component::ComponentExportIndex> {
    let found = instance.get_export_index(&mut *store, None, interface).context("no such interface")?;
    instance.get_export_index(store, Some(&found), name).context("no such function")
}
