//! A runtime with the clerk and the tally of `actors/wasi`.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use theater::chain::{Level, document, verify_actor};
use theater::{ActorHandle, CallError, ManifestConfig, Outside, SpawnError, TheaterId, TheaterRuntime};
use theater_handler_message_server::{MessageServerHandler, request};
use theater_handler_runtime::RuntimeHandler;
use theater_handler_wasi::WasiHandler;
use theater_replay::{Part, Replayer};

use crate::clock::Clock;

/// The clerk's entry of the handler.
pub(crate) const CLERK: &str =
    "[[handlers]]\ntype = \"wasi\"\nenv = { DESK = \"7\" }\nargs = [\"clerk\", \"--polite\"]\n";

pub(crate) struct Stage {
    pub(crate) runtime: TheaterRuntime,
    pub(crate) clock: Clock,
    folder: TempDir,
    asked: AtomicU64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let clock = Clock::new();
        let runtime = TheaterRuntime::builder()
            .handler(RuntimeHandler::new())
            .handler(MessageServerHandler::new())
            .handler(WasiHandler::new())
            .sources(clock.clone())
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let tally = Path::new(env!("CARGO_MANIFEST_DIR")).join("../actors/wasi/tally/tally.wasm");
        for (from, name) in [(theater_build::testing::wasi_component("clerk"), "clerk"), (tally, "tally")] {
            std::fs::copy(from, folder.path().join(format!("{name}.wasm"))).unwrap();
        }
        Self { runtime, clock, folder, asked: AtomicU64::new(0) }
    }

    /// A manifest of a component, with this more in it.
    pub(crate) fn manifest(&self, name: &str, more: &str) -> ManifestConfig {
        let text = format!(
            "name = \"{name}\"\nversion = \"0.1.0\"\ncomponent = \"{name}.wasm\"\n\n[[handlers]]\ntype = \"runtime\"\n\n\
             [[handlers]]\ntype = \"message-server\"\n\n{more}"
        );
        ManifestConfig::from_source(self.folder.path().join(format!("{name}.toml")), text).unwrap()
    }

    pub(crate) async fn spawn(&self, name: &str, more: &str) -> Result<ActorHandle, SpawnError> {
        self.runtime.spawn_actor(self.manifest(name, more)).await
    }

    pub(crate) async fn clerk(&self) -> ActorHandle {
        self.spawn("clerk", CLERK).await.unwrap()
    }

    /// The answer, or the error that the guest answered.
    pub(crate) async fn try_ask(&self, actor: &ActorHandle, order: &str) -> Result<String, CallError> {
        let n = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = request(actor, Outside { source: "test", n }, order).await?;
        Ok(String::from_utf8(answer.unwrap()).unwrap())
    }

    pub(crate) async fn ask(&self, actor: &ActorHandle, order: &str) -> String {
        self.try_ask(actor, order).await.unwrap()
    }

    /// The documents of the calls of one host function.
    pub(crate) async fn host_calls(&self, actor: TheaterId, function: &str) -> Vec<Value> {
        let events = self.runtime.get_actor_events(actor, 0, usize::MAX).await.unwrap();
        let calls = events.iter().filter(|event| event.event_type == "host_call");
        let documents = calls.map(|event| document::to_json(&document::merged(event).unwrap()).unwrap());
        documents.filter(|call| call["function"] == function).collect()
    }

    /// The whole chain verifies, and the actor, replayed from it without this handler, does again what
    /// it did.
    pub(crate) async fn verify(&self, actor: TheaterId) {
        self.runtime.flush().await.unwrap();
        let store = self.runtime.store();
        let entry = store.actor(actor).await.unwrap().unwrap();
        let report = verify_actor(&**store, &entry, Level::Full).await.unwrap();
        assert_eq!(report.fault, None);
        let replay = Replayer::new().unwrap().replay(store.clone(), actor, Part::whole()).await.unwrap();
        assert!(replay.is_ok(), "{:#?}", replay.diverged);
    }
}
