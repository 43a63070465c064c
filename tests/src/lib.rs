//! What the scenarios share: a folder with actors, a runtime with the first-party handlers, and
//! readers of its chains.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alone;
mod crashing;
mod doubtful;
mod edited;
mod passers_by;
mod tapped;

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use theater::chain::{ActorEntry, Level, Verification, document};
use theater::{
    ActorHandle, CallError, ManifestConfig, Outside, RestartFrom, SpawnError, TheaterId, TheaterRuntime,
    TheaterRuntimeBuilder,
};
use theater_handler_message_server::{HANDLE_REQUEST, HANDLE_SEND, MessageServerHandler};
use theater_handler_runtime::RuntimeHandler;
use theater_handler_supervisor::{SupervisorHandler, SupervisorHostConfig};
use theater_replay::{Part, Replayer};
use theater_supervision_policy::DecisionAudit;

pub use alone::alone;
pub use crashing::Crashing;
pub use doubtful::Doubtful;
pub use edited::Edited;
pub use passers_by::{PassersBy, resident};
pub use tapped::Tapped;

/// The entries of an actor that logs and takes messages.
pub const HANDLERS: &str = "
[[handlers]]
type = \"runtime\"

[[handlers]]
type = \"message-server\"
";

/// One for all scenarios of a process: components are compiled once.
static REPLAYER: LazyLock<Replayer> = LazyLock::new(|| Replayer::new().unwrap());

/// A folder with actors and a runtime that runs them.
pub struct World {
    /// Manifests and components, side by side.
    pub folder: TempDir,
    /// The runtime.
    pub runtime: TheaterRuntime,
    asked: AtomicU64,
}

/// The first-party handlers.
pub fn builder() -> TheaterRuntimeBuilder {
    TheaterRuntime::builder()
        .handler(RuntimeHandler::new())
        .handler(MessageServerHandler::new())
        .handler(SupervisorHandler::new(SupervisorHostConfig::default(), None))
}

impl World {
    /// A world with these actors, recorded in memory.
    pub fn new(actors: &[&str]) -> Self {
        Self::with(actors, builder())
    }

    /// A world with these actors and a runtime of the caller's.
    pub fn with(actors: &[&str], builder: TheaterRuntimeBuilder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        theater_build::testing::stage(folder.path(), actors);
        Self { folder, runtime: builder.build().unwrap(), asked: AtomicU64::new(0) }
    }

    /// Adds a manifest beside the others, with the component of one of them; `text` is everything
    /// but the name and the component.
    pub fn manifest(&self, name: &str, component: &str, text: &str) -> &Self {
        let text = format!("name = \"{name}\"\ncomponent = \"{component}.wasm\"\n{text}");
        std::fs::write(self.folder.path().join(format!("{name}.toml")), text).unwrap();
        self
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Reads a manifest and starts a root from it.
    pub async fn try_spawn(&self, name: &str) -> Result<ActorHandle, SpawnError> {
        let manifest = ManifestConfig::from_file(self.path().join(format!("{name}.toml")))?;
        self.runtime.spawn_actor(manifest).await
    }

    /// As [`World::try_spawn`], with init bytes.
    pub async fn try_spawn_with(&self, name: &str, init: &str) -> Result<ActorHandle, SpawnError> {
        let manifest = ManifestConfig::from_file(self.path().join(format!("{name}.toml")))?;
        self.runtime.spawn_actor_with(manifest, init.as_bytes().to_vec()).await
    }

    /// Starts a root that must start.
    pub async fn spawn(&self, name: &str) -> ActorHandle {
        match self.try_spawn(name).await {
            Ok(actor) => actor,
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// Asks an actor; each call is a new message.
    pub async fn try_ask(&self, actor: &ActorHandle, message: &str) -> Result<String, CallError> {
        let from = self.outside();
        let (answer,) =
            actor.call_durable(&HANDLE_REQUEST, from, |id| (id.to_owned(), message.as_bytes().to_vec())).await?;
        Ok(String::from_utf8(answer.unwrap_or_default()).unwrap())
    }

    /// As [`World::try_ask`], but the answer stays in the process: nothing waits for the disk.
    pub async fn try_call(&self, actor: &ActorHandle, message: &str) -> Result<String, CallError> {
        let from = self.outside();
        let (answer,) = actor.call(&HANDLE_REQUEST, from, |id| (id.to_owned(), message.as_bytes().to_vec())).await?;
        Ok(String::from_utf8(answer.unwrap_or_default()).unwrap())
    }

    /// Asks an actor that must answer.
    pub async fn ask(&self, actor: &ActorHandle, message: &str) -> String {
        match self.try_ask(actor, message).await {
            Ok(answer) => answer,
            Err(error) => panic!("{message}: {error}"),
        }
    }

    /// Sends a message and does not wait until it is processed.
    pub async fn send(&self, actor: &ActorHandle, message: &str) -> Result<(), CallError> {
        actor.send(&HANDLE_SEND, self.outside(), &(message.as_bytes().to_vec(),)).await
    }

    /// Messages are new ones also where another world asked before, over the same record.
    pub fn after(self, before: &Self) -> Self {
        self.asked.store(before.asked.load(Ordering::Relaxed), Ordering::Relaxed);
        self
    }

    fn outside(&self) -> Outside<'static> {
        Outside { source: "test", n: self.asked.fetch_add(1, Ordering::Relaxed) }
    }

    /// Restarts an actor with its last state.
    pub async fn resume(&self, actor: &ActorHandle) {
        self.runtime.restart_actor(actor.id(), RestartFrom::Resume).await.unwrap();
    }

    /// A handle from an id in text.
    pub fn handle(&self, id: &str) -> ActorHandle {
        self.runtime.handle(id.trim().parse().unwrap())
    }

    /// The merged documents of a chain, with their types in front.
    pub async fn events(&self, actor: TheaterId) -> Vec<(String, serde_json::Value)> {
        let (mut documents, mut from) = (Vec::new(), 0);
        loop {
            let events = self.runtime.get_actor_events(actor, from, usize::MAX).await.unwrap();
            let Some(last) = events.last() else { return documents };
            from = last.seq + 1;
            documents.extend(events.iter().map(|event| {
                let document = document::event_json(&actor, event).unwrap();
                (event.event_type.to_string(), document["data"].clone())
            }));
        }
    }

    /// The documents of the events of one type.
    pub async fn of_type(&self, actor: TheaterId, event_type: &str) -> Vec<serde_json::Value> {
        self.events(actor).await.into_iter().filter(|(found, _)| found == event_type).map(|(_, data)| data).collect()
    }

    /// Waits until the chain has `count` events of a type; their documents.
    pub async fn wait_for(&self, actor: TheaterId, event_type: &str, count: usize) -> Vec<serde_json::Value> {
        let mut cursor = self.runtime.subscribe(actor, 0).await.unwrap();
        let mut found = Vec::new();
        while found.len() < count {
            let event = cursor.next().await.unwrap().expect("the runtime has not been shut down");
            if event.event_type == event_type {
                found.push(document::event_json(&actor, &event).unwrap()["data"].clone());
            }
        }
        found
    }

    /// The id of a declared child.
    pub fn declared(&self, parent: &ActorHandle, spec: &str) -> ActorHandle {
        self.runtime.handle(TheaterId::of_spec(&parent.id(), spec))
    }

    /// Every actor in the store.
    pub async fn recorded(&self) -> Vec<ActorEntry> {
        self.runtime.flush().await.unwrap();
        self.runtime.store().actors(None, usize::MAX).await.unwrap()
    }

    /// Every chain verifies in full.
    pub async fn verify(&self) {
        self.runtime.flush().await.unwrap();
        let verification = Verification::new(Level::Full).audited(&DecisionAudit);
        let report = verification.store(&**self.runtime.store(), &mut |_| {}).await.unwrap();
        let faults: Vec<_> = report.actors.iter().filter_map(|actor| actor.fault.as_ref()).collect();
        assert!(report.ok, "{faults:?}");
    }

    /// Every actor, replayed from its record, does again what it did.
    pub async fn replay(&self) {
        for entry in self.recorded().await {
            let store = self.runtime.store().clone();
            let replay = REPLAYER.replay(store, entry.id, Part::whole()).await.unwrap();
            let name = &entry.index.name;
            assert!(replay.is_ok(), "{name} ({}): {:#?}", entry.id, replay.diverged);
            assert!(replay.unreplayed.is_empty(), "{name} ({}): {:?}", entry.id, replay.unreplayed);
            assert_eq!(replay.events, entry.head.seq + 1, "{name} ({})", entry.id);
        }
    }

    /// Stops every tree, verifies every chain, and replays it.
    pub async fn close(&self) {
        self.runtime.shutdown().await.unwrap();
        self.verify().await;
        self.replay().await;
    }
}
