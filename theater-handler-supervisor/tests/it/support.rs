//! A folder with manifests, a runtime that runs them, and a parent that spawns what it is told.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;
use theater::chain::{Level, document, verify_store};
use theater::{
    ActorHandle, Denied, Handler, HostLinker, ManifestConfig, NoConfig, Outside, Result, SpawnError, Start, TheaterId,
    TheaterRuntime,
};
use theater_handler_message_server::{MessageServerHandler, request};
use theater_handler_runtime::RuntimeHandler;
use theater_handler_supervisor::{SupervisorHandler, SupervisorHostConfig, SupervisorPermissions};

/// The entries that a relay needs.
pub(crate) const RELAY: &str = "
[[handlers]]
type = \"runtime\"
[[handlers]]
type = \"message-server\"
[[handlers]]
type = \"supervisor\"
";

pub(crate) struct Stage {
    pub(crate) runtime: TheaterRuntime,
    folder: TempDir,
    asked: AtomicU64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::under(None)
    }

    /// A stage whose runtime has a ceiling.
    pub(crate) fn under(ceiling: Option<SupervisorPermissions>) -> Self {
        let runtime = TheaterRuntime::builder()
            .handler(RuntimeHandler::new())
            .handler(MessageServerHandler::new())
            .handler(SupervisorHandler::new(SupervisorHostConfig::default(), ceiling))
            .handler(Extra)
            .build();
        let folder = tempfile::tempdir().unwrap();
        let stage = Self { runtime: runtime.unwrap(), folder, asked: AtomicU64::new(0) };
        std::fs::create_dir(stage.path().join("workers")).unwrap();
        for place in [stage.path(), &stage.path().join("workers")] {
            theater_build::testing::stage(place, &["relay", "counter"]);
        }
        stage
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A manifest of a relay, whose supervisor entry ends with `entry`.
    pub(crate) fn relay(&self, path: &str, entry: &str) {
        self.manifest(path, &format!("component = \"relay.wasm\"\n{RELAY}{entry}\n"));
    }

    /// A manifest with this text.
    pub(crate) fn manifest(&self, path: &str, text: &str) {
        let name = path.rsplit('/').next().unwrap().trim_end_matches(".toml");
        std::fs::write(self.path().join(path), format!("name = \"{name}\"\n{text}")).unwrap();
    }

    pub(crate) async fn try_spawn(&self, path: &str) -> std::result::Result<ActorHandle, SpawnError> {
        self.runtime.spawn_actor(ManifestConfig::from_file(self.path().join(path))?).await
    }

    /// A relay, whose supervisor entry ends with `entry`.
    pub(crate) async fn parent(&self, entry: &str) -> ActorHandle {
        self.relay("parent.toml", entry);
        self.try_spawn("parent.toml").await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) async fn ask(&self, actor: &ActorHandle, order: &str) -> String {
        let n = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = request(actor, Outside { source: "test", n }, order).await.unwrap();
        self.bare(&String::from_utf8(answer.unwrap()).unwrap())
    }

    /// A text without the name of this test's folder.
    pub(crate) fn bare(&self, text: &str) -> String {
        let folder = self.path().display().to_string();
        text.replace(&format!("{folder}/"), "").replace(&folder, "the folder")
    }

    /// A child that must start.
    pub(crate) async fn child(&self, parent: &ActorHandle, path: &str) -> ActorHandle {
        let id = self.ask(parent, &format!("spawn {path}")).await;
        self.runtime.handle(id.parse().unwrap_or_else(|_| panic!("{path}: {id}")))
    }

    /// The answer to an order that is refused: nothing starts by it, and the call is recorded with
    /// this outcome and with the answer that the guest got.
    pub(crate) async fn refused(&self, parent: &ActorHandle, order: &str, outcome: Value) -> String {
        let alive = self.runtime.actors().len();
        let answer = self.ask(parent, order).await;
        let reason = answer.strip_prefix("error: ").unwrap_or_else(|| panic!("{order}: {answer}"));
        assert_eq!(self.runtime.actors().len(), alive, "{order}");
        let calls = self.documents(parent.id(), "host_call").await;
        let last = calls.last().unwrap();
        assert_eq!(last["outcome"], outcome, "{order}: {answer}");
        if let Some(recorded) = last["result"]["Err"].as_str() {
            assert_eq!(self.bare(recorded), reason, "{order}");
        }
        reason.to_owned()
    }

    /// As [`Stage::refused`], by a rule.
    pub(crate) async fn denied(&self, parent: &ActorHandle, order: &str, rule: &str) -> String {
        self.refused(parent, order, json!({ "denied": rule })).await
    }

    /// The documents of the events of one type.
    pub(crate) async fn documents(&self, actor: TheaterId, event_type: &str) -> Vec<Value> {
        let events = self.runtime.get_actor_events(actor, 0, usize::MAX).await.unwrap();
        let wanted = events.iter().filter(|event| event.event_type == event_type);
        wanted.map(|event| document::to_json(&document::merged(event).unwrap()).unwrap()).collect()
    }

    /// Stops everything and verifies every chain.
    pub(crate) async fn close(&self) {
        self.runtime.shutdown().await.unwrap();
        assert!(self.runtime.actors().is_empty());
        let report = verify_store(&**self.runtime.store(), Level::Full, &mut |_| {}).await.unwrap();
        let faults: Vec<_> = report.actors.iter().filter_map(|actor| actor.fault.as_ref()).collect();
        assert!(report.ok, "{faults:?}");
    }
}

/// A handler that no relay lists; it has permissions, and nothing to import.
struct Extra;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Calls {
    calls: u32,
}

impl Handler for Extra {
    const NAME: &'static str = "extra";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Permissions = Calls;
    type State = ();

    fn setup_host_functions(_: &mut HostLinker<'_, Self>) -> Result<()> {
        Ok(())
    }

    async fn start(&self, _: Start<'_>, _: NoConfig, _: Calls) -> Result<()> {
        Ok(())
    }

    fn narrow(held: &Calls, asked: Calls) -> std::result::Result<Calls, Denied> {
        if asked.calls > held.calls {
            return Err(Denied::new(format!("calls = {} is asked for and {} is held", asked.calls, held.calls)));
        }
        Ok(asked)
    }
}
