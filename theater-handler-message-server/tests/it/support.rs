//! Couriers, and a runtime that runs them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use theater::chain::{Level, document, verify_actor};
use theater::{ActorHandle, CallError, ManifestConfig, Outside, SpawnError, TheaterId, TheaterRuntime};
use theater_handler_message_server::{MessageServerHandler, request};
use theater_handler_runtime::RuntimeHandler;
use theater_handler_supervisor::{SupervisorHandler, SupervisorHostConfig};

/// Any actor may talk to any.
pub(crate) const ANY: &str = "permissions = { talk_to = [\"any\"] }";

pub(crate) struct Stage {
    pub(crate) runtime: TheaterRuntime,
    folder: TempDir,
    asked: AtomicU64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(MessageServerHandler::new())
    }

    pub(crate) fn with(handler: MessageServerHandler) -> Self {
        let runtime = TheaterRuntime::builder()
            .handler(RuntimeHandler::new())
            .handler(handler)
            .handler(SupervisorHandler::new(SupervisorHostConfig::default(), None))
            .build();
        let folder = tempfile::tempdir().unwrap();
        theater_build::testing::stage(folder.path(), &["counter", "courier"]);
        Self { runtime: runtime.unwrap(), folder, asked: AtomicU64::new(0) }
    }

    /// Writes the manifest of a courier, `<name>.toml`: `entry` is in its entry of the handler, `more`
    /// at the end.
    pub(crate) fn courier_manifest(&self, name: &str, entry: &str, more: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.toml"));
        let handlers = "[[handlers]]\ntype = \"runtime\"\n[[handlers]]\ntype = \"supervisor\"\n[[handlers]]\ntype = \"message-server\"";
        let text = format!("name = \"{name}\"\ncomponent = \"courier.wasm\"\n{handlers}\n{entry}\n{more}\n");
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) async fn try_courier(&self, name: &str, entry: &str, more: &str) -> Result<ActorHandle, SpawnError> {
        let path = self.courier_manifest(name, entry, more);
        self.runtime.spawn_actor(ManifestConfig::from_file(path)?).await
    }

    pub(crate) async fn courier(&self, name: &str, entry: &str) -> ActorHandle {
        self.try_courier(name, entry, "").await.unwrap()
    }

    pub(crate) async fn counter(&self) -> ActorHandle {
        let manifest = ManifestConfig::from_file(self.folder.path().join("counter.toml")).unwrap();
        self.runtime.spawn_actor(manifest).await.unwrap()
    }

    /// A child of a courier, from a manifest in the folder.
    pub(crate) async fn child(&self, parent: &ActorHandle, name: &str) -> ActorHandle {
        let id = self.ask(parent, &format!("spawn {name}.toml")).await;
        self.runtime.handle(id.parse().unwrap())
    }

    pub(crate) async fn try_ask(&self, actor: &ActorHandle, order: &str) -> Result<String, CallError> {
        let n = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = request(actor, Outside { source: "test", n }, order).await?;
        Ok(String::from_utf8(answer.unwrap()).unwrap())
    }

    pub(crate) async fn ask(&self, actor: &ActorHandle, order: &str) -> String {
        self.try_ask(actor, order).await.unwrap()
    }

    /// What came of the calls of one host function, as recorded.
    pub(crate) async fn outcomes(&self, actor: TheaterId, function: &str) -> Vec<Value> {
        let calls = self.documents(actor, "host_call").await;
        calls.into_iter().filter(|call| call["function"] == function).map(|call| call["outcome"].clone()).collect()
    }

    /// The documents of the events of one type.
    pub(crate) async fn documents(&self, actor: TheaterId, event_type: &str) -> Vec<Value> {
        let events = self.runtime.get_actor_events(actor, 0, usize::MAX).await.unwrap();
        let wanted = events.iter().filter(|event| event.event_type == event_type);
        wanted.map(|event| document::to_json(&document::merged(event).unwrap()).unwrap()).collect()
    }

    /// The whole chain verifies.
    pub(crate) async fn verify(&self, actor: TheaterId) {
        self.runtime.flush().await.unwrap();
        let store = self.runtime.store();
        let entry = store.actor(actor).await.unwrap().unwrap();
        assert_eq!(verify_actor(&**store, &entry, Level::Full).await.unwrap().fault, None);
    }
}
