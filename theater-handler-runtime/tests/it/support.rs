//! A folder with manifests, and a runtime that runs them.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use theater::chain::{Level, document, verify_actor};
use theater::{ActorHandle, CallError, ChainEvent, ManifestConfig, Outside, SpawnError, TheaterId, TheaterRuntime};
use theater_handler_message_server::{MessageServerHandler, request};
use theater_handler_runtime::RuntimeHandler;

pub(crate) struct Stage {
    pub(crate) runtime: TheaterRuntime,
    folder: TempDir,
    asked: AtomicU64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let runtime =
            TheaterRuntime::builder().handler(RuntimeHandler::new()).handler(MessageServerHandler::new()).build();
        let folder = tempfile::tempdir().unwrap();
        theater_build::testing::stage(folder.path(), &["bare", "diarist", "unversioned"]);
        Self { runtime: runtime.unwrap(), folder, asked: AtomicU64::new(0) }
    }

    /// A manifest that the folder has.
    pub(crate) fn manifest(&self, name: &str) -> ManifestConfig {
        ManifestConfig::from_file(self.folder.path().join(format!("{name}.toml"))).unwrap()
    }

    /// The diarist with more in its manifest.
    pub(crate) fn diarist_with(&self, more: &str) -> ManifestConfig {
        let path = self.folder.path().join("diarist.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        ManifestConfig::from_source(path, format!("{text}{more}")).unwrap()
    }

    /// A diarist whose `[limits]` these are.
    pub(crate) async fn diarist(&self, limits: &str) -> ActorHandle {
        let manifest = self.diarist_with(&format!("\n[limits]\n{limits}\n"));
        self.runtime.spawn_actor(manifest).await.unwrap()
    }

    pub(crate) async fn spawn(&self, name: &str) -> Result<ActorHandle, SpawnError> {
        self.runtime.spawn_actor(self.manifest(name)).await
    }

    pub(crate) async fn try_ask(&self, actor: &ActorHandle, order: &str) -> Result<String, CallError> {
        let n = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = request(actor, Outside { source: "test", n }, order).await?;
        Ok(String::from_utf8(answer.unwrap()).unwrap())
    }

    pub(crate) async fn ask(&self, actor: &ActorHandle, order: &str) -> String {
        self.try_ask(actor, order).await.unwrap()
    }

    pub(crate) async fn events(&self, actor: TheaterId) -> Vec<ChainEvent> {
        self.runtime.get_actor_events(actor, 0, usize::MAX).await.unwrap()
    }

    /// The documents of the events of one type.
    pub(crate) async fn documents(&self, actor: TheaterId, event_type: &str) -> Vec<Value> {
        let events = self.events(actor).await;
        let wanted = events.iter().filter(|event| event.event_type == event_type);
        wanted.map(|event| document::to_json(&document::merged(event).unwrap()).unwrap()).collect()
    }

    /// The documents of the calls of one host function.
    pub(crate) async fn host_calls(&self, actor: TheaterId, function: &str) -> Vec<Value> {
        let calls = self.documents(actor, "host_call").await;
        calls.into_iter().filter(|call| call["function"] == function).collect()
    }

    /// The whole chain verifies.
    pub(crate) async fn verify(&self, actor: TheaterId) {
        self.runtime.flush().await.unwrap();
        let store = self.runtime.store();
        let entry = store.actor(actor).await.unwrap().unwrap();
        let report = verify_actor(&**store, &entry, Level::Full).await.unwrap();
        assert_eq!(report.fault, None);
    }
}
