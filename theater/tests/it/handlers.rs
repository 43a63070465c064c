//! What the core does for handlers, and with handlers that fail.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use theater::chain::codec;
use theater::chain::data::{EventData, HostCall, HostCallBegun, Outcome};
use theater::{
    Call, Denied, Effect, ErrorType, ExitReason, Handler, HostLinker, ManifestConfig, NoConfig, NoPermissions, Result,
    Shutdown, SpawnError, Start, TheaterId, TheaterRuntime,
};
use tokio::sync::Notify;

use crate::support::{LogLevel, Post, ask, manifest, types, verify_all};

type Diary = Arc<Mutex<Vec<String>>>;

/// `theater:simple/runtime` with one function, which the guest `bare` calls in its init.
struct Scripted {
    diary: Diary,
    entered: Arc<Notify>,
    script: Script,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Answer,
    Fail,
    Panic,
    Hang,
}

struct Loud(Diary);

impl Drop for Loud {
    fn drop(&mut self) {
        self.0.lock().unwrap().push("runtime state dropped".to_owned());
    }
}

impl Handler for Scripted {
    const NAME: &'static str = "runtime";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = Loud;

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        host.interface("theater:simple/runtime")?.func_async("log", Effect::Write, log)?;
        Ok(())
    }

    async fn start(&self, _: Start<'_>, _: NoConfig, _: NoPermissions) -> Result<Loud> {
        self.diary.lock().unwrap().push("runtime starts".to_owned());
        Ok(Loud(self.diary.clone()))
    }

    fn narrow(_: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }

    async fn stop(&self, _: Loud, exit: &ExitReason) {
        self.diary.lock().unwrap().push(format!("runtime stops: {exit}"));
    }
}

async fn log(mut call: Call<'_, Scripted>, (_level, _text): (LogLevel, String)) -> Result<()> {
    // The begun event is in the store before the function runs.
    let key = call.idempotency_key().unwrap();
    let chain = call.chain();
    let (events, _) = chain.events(0, 100, 1 << 20).await?;
    assert_eq!(events.last().unwrap().hash, key);
    assert_eq!(events.last().unwrap().event_type, HostCallBegun::TYPE);
    call.state().0.lock().unwrap().push("log".to_owned());
    match call.handler().script {
        Script::Answer => Ok(()),
        Script::Fail => Err(theater::Error::msg("the disk is on fire")),
        Script::Panic => panic!("a bug in a handler"),
        Script::Hang => {
            call.handler().entered.notify_one();
            std::future::pending().await
        }
    }
}

/// A handler whose start can fail.
struct Picky(Diary, bool);

impl Handler for Picky {
    const NAME: &'static str = "picky";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = ();

    fn setup_host_functions(_: &mut HostLinker<'_, Self>) -> Result<()> {
        Ok(())
    }

    async fn start(&self, cx: Start<'_>, _: NoConfig, _: NoPermissions) -> Result<()> {
        self.0.lock().unwrap().push(format!("picky starts for {}", cx.actor_name()));
        if self.1 { Err(theater::Error::msg("the port is taken")) } else { Ok(()) }
    }

    fn narrow(_: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }

    async fn stop(&self, (): (), exit: &ExitReason) {
        self.0.lock().unwrap().push(format!("picky stops: {exit}"));
    }
}

struct Stage {
    folder: tempfile::TempDir,
    runtime: TheaterRuntime,
    diary: Diary,
    entered: Arc<Notify>,
}

impl Stage {
    fn new(script: Script, picky_fails: bool) -> Self {
        let (diary, entered) = (Diary::default(), Arc::new(Notify::new()));
        let runtime = TheaterRuntime::builder()
            .handler(Scripted { diary: diary.clone(), entered: entered.clone(), script })
            .handler(Post)
            .handler(Picky(diary.clone(), picky_fails))
            .build()
            .unwrap();
        Self { folder: tempfile::tempdir().unwrap(), runtime, diary, entered }
    }

    fn manifest(&self, limits: &str) -> ManifestConfig {
        let file = manifest(self.folder.path(), "bare", limits).path;
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}\n[[handlers]]\ntype = \"picky\"\n")).unwrap();
        ManifestConfig::from_file(file).unwrap()
    }

    fn diary(&self) -> Vec<String> {
        self.diary.lock().unwrap().clone()
    }

    async fn host_calls(&self, actor: TheaterId) -> Vec<Outcome> {
        let events = self.runtime.get_actor_events(actor, 0, 100).await.unwrap();
        let calls = events.iter().filter(|event| event.event_type == HostCall::TYPE);
        calls.map(|event| codec::decode::<HostCall>(&event.data).unwrap().outcome).collect()
    }

    async fn fails(&self, limits: &str) -> (TheaterId, ErrorType, String) {
        let error = self.runtime.spawn_actor(self.manifest(limits)).await.unwrap_err();
        let SpawnError::Failed { id, error, .. } = error else { panic!("{error}") };
        assert!(self.runtime.actors().is_empty());
        verify_all(&**self.runtime.store()).await;
        (id, error.kind, error.message)
    }
}

#[tokio::test]
async fn handlers_start_in_order_and_stop_in_reverse_after_the_instance() {
    let stage = Stage::new(Script::Answer, false);
    let actor = stage.runtime.spawn_actor(stage.manifest("")).await.unwrap();
    assert_eq!(ask(&actor, 1, "inc").await.unwrap(), "1");
    stage.runtime.stop_actor(actor.id()).await.unwrap();
    let expected = [
        "runtime starts",
        "picky starts for bare",
        "log",
        "picky stops: stopped",
        "runtime stops: stopped",
        "runtime state dropped",
    ];
    assert_eq!(stage.diary(), expected);
    let types = types(&stage.runtime, actor.id()).await;
    assert_eq!(types[..5], ["actor_started", "call", "host_call_begun", "host_call", "state_updated"]);
    verify_all(&**stage.runtime.store()).await;
}

#[tokio::test]
async fn a_handler_that_does_not_start_fails_the_actor_and_stops_those_before_it() {
    let stage = Stage::new(Script::Answer, true);
    let (_, kind, message) = stage.fails("").await;
    assert_eq!(kind, ErrorType::InstantiateFailed);
    assert!(message.contains("`picky`") && message.contains("the port is taken"), "{message}");
    let diary = stage.diary();
    assert_eq!(diary.iter().filter(|line| line.starts_with("runtime stops: failed")).count(), 1, "{diary:?}");
    assert!(!diary.iter().any(|line| line.starts_with("picky stops")), "{diary:?}");
}

#[tokio::test]
async fn a_host_function_that_fails_ends_the_actor() {
    let stage = Stage::new(Script::Fail, false);
    let (id, kind, message) = stage.fails("").await;
    assert_eq!(kind, ErrorType::HostCallFailed);
    assert!(message.contains("theater:simple/runtime@0.1.0#log: the disk is on fire"), "{message}");
    assert_eq!(stage.host_calls(id).await, [Outcome::Trap]);
}

#[tokio::test]
async fn a_host_function_that_panics_ends_the_actor_and_nothing_else() {
    let stage = Stage::new(Script::Panic, false);
    let (id, kind, message) = stage.fails("").await;
    assert_eq!(kind, ErrorType::HandlerPanic);
    assert!(message.contains("a bug in a handler"), "{message}");
    assert_eq!(stage.host_calls(id).await, [Outcome::Trap]);
}

#[tokio::test]
async fn a_host_function_that_hangs_ends_at_its_deadline() {
    let stage = Stage::new(Script::Hang, false);
    let (id, kind, message) = stage.fails("[limits]\nhost_call_timeout = \"50ms\"").await;
    assert_eq!(kind, ErrorType::HostCallFailed);
    assert!(message.contains("did not answer within 50ms"), "{message}");
    assert_eq!(stage.host_calls(id).await, [Outcome::Abandoned]);
}

#[tokio::test]
async fn a_kill_reaches_a_host_function_that_waits_and_leaves_its_event() {
    let stage = Stage::new(Script::Hang, false);
    let spawn = stage.runtime.spawn_actor(stage.manifest(""));
    let kill = async {
        stage.entered.notified().await;
        let [actor] = &stage.runtime.actors()[..] else { panic!("one actor") };
        stage.runtime.stop_actor_within(actor.actor_id, Shutdown::BrutalKill).await.unwrap();
        actor.actor_id
    };
    let (spawned, id) = tokio::join!(spawn, kill);
    assert!(matches!(spawned, Err(SpawnError::Ended { reason: ExitReason::Killed(_), .. })));
    assert_eq!(stage.host_calls(id).await, [Outcome::Abandoned]);
    assert!(stage.diary().contains(&"runtime stops: killed by the host".to_owned()));
    verify_all(&**stage.runtime.store()).await;
}

#[tokio::test]
async fn a_stop_waits_for_a_waiting_host_function_until_its_deadline() {
    let stage = Stage::new(Script::Hang, false);
    let spawn = stage.runtime.spawn_actor(stage.manifest(""));
    let stop = async {
        stage.entered.notified().await;
        let [actor] = &stage.runtime.actors()[..] else { panic!("one actor") };
        let shutdown = Shutdown::Within(Duration::from_millis(20));
        stage.runtime.stop_actor_within(actor.actor_id, shutdown).await.unwrap();
    };
    let (spawned, ()) = tokio::join!(spawn, stop);
    let error = spawned.unwrap_err().to_string();
    assert!(error.contains("did not stop in time"), "{error}");
}
