//! Exchanging the component of an actor that runs, and of one that does not; taking it back.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use theater::chain::data::{ActorRolledBack, ActorUpgraded, EventData as _};
use theater::chain::{ActorEntry, Answered, ChainEvent, Commit, Digest, PendingMessage};
use theater::chain::{ChainStore, MemoryStore};
use theater::{
    ActorHandle, Call, CallError, Checked, Denied, Effect, Handler, HostLinker, NoConfig, NoPermissions,
    ProposedUpgrade, RestartFrom, Start, TheaterId, TheaterRuntime, Upgrade, UpgradeCheck, UpgradeError,
};
use tokio::sync::Semaphore;

use crate::link;
use crate::support::{LogLevel, Post, Voice, ask, manifest, runtime, types, verify_all};

fn component(name: &str) -> Upgrade {
    Upgrade::new(std::fs::read(theater_build::testing::component(name)).unwrap())
}

fn next() -> Upgrade {
    component("tally-next").version("0.2.0")
}

async fn tally(runtime: &TheaterRuntime, folder: &Path, more: &str) -> ActorHandle {
    let tally = runtime.spawn_actor(manifest(folder, "tally", more)).await.unwrap();
    assert_eq!(ask(&tally, 1, "add 40").await.unwrap(), "40");
    assert_eq!(ask(&tally, 2, "add 2").await.unwrap(), "42");
    tally
}

async fn state(runtime: &TheaterRuntime, actor: &ActorHandle) -> String {
    let state = runtime.get_actor_state(actor.id()).await.unwrap().unwrap();
    String::from_utf8(state.to_vec()).unwrap()
}

#[tokio::test]
async fn an_actor_goes_on_with_another_component_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let tally = tally(&runtime, folder.path(), "version = \"0.1.0\"").await;
    let refused = ask(&tally, 3, "mean").await.unwrap_err();
    assert!(matches!(refused, CallError::Guest(_)), "{refused}");

    let upgraded = runtime.upgrade_actor(tally.id(), next()).await.unwrap();
    assert_eq!((&*upgraded.old_version, &*upgraded.new_version), ("0.1.0", "0.2.0"));
    assert!(upgraded.migrated && upgraded.checked.is_none() && upgraded.undone.is_none());
    assert_eq!(state(&runtime, &tally).await, r#"{"sum":42,"additions":0,"from":"0.1.0"}"#);
    assert_eq!(ask(&tally, 4, "add 8").await.unwrap(), "50");
    assert_eq!(ask(&tally, 5, "mean").await.unwrap(), "50");
    let process = runtime.actor(tally.id()).unwrap();
    assert_eq!(process.incarnation, 1, "it is the same incarnation");

    let same = runtime.upgrade_actor(tally.id(), next()).await.unwrap_err();
    assert!(matches!(same, UpgradeError::Unchanged { .. }), "{same}");

    let back = runtime.roll_back_actor(tally.id()).await.unwrap();
    assert_eq!((back.undone, &*back.new_version), (Some(upgraded.seq), "0.1.0"));
    assert_eq!((back.old_component, back.new_component), (upgraded.new_component, upgraded.old_component));
    assert_eq!(state(&runtime, &tally).await, r#"{"total":42}"#);
    assert_eq!(ask(&tally, 6, "add 1").await.unwrap(), "43");
    let none = runtime.roll_back_actor(tally.id()).await.unwrap_err();
    assert!(matches!(none, UpgradeError::NothingToRollBack(_)), "{none}");

    runtime.shutdown().await.unwrap();
    verify_all(&**runtime.store()).await;
    let types = types(&runtime, tally.id()).await;
    let exchanges = types.iter().filter(|kind| [ActorUpgraded::TYPE, ActorRolledBack::TYPE].contains(&&***kind));
    assert_eq!(exchanges.count(), 2);
}

#[tokio::test]
async fn upgrades_are_taken_back_newest_first_and_another_may_follow() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let tally = tally(&runtime, folder.path(), "version = \"0.1.0\"").await;
    let id = tally.id();
    let first = runtime.upgrade_actor(id, next()).await.unwrap();
    // The same component in another version migrates what it finds.
    let error = runtime.upgrade_actor(id, component("tally-next").version("0.3.0")).await.unwrap_err();
    assert!(
        matches!(&error, UpgradeError::Migrate { reason, .. } if reason.contains("missing field `total`")),
        "{error}"
    );
    runtime.roll_back_actor(id).await.unwrap();
    let second = runtime.upgrade_actor(id, component("tally-faulty").version("0.2.1")).await.unwrap();
    assert_eq!(second.old_version, "0.1.0");
    let third = runtime.upgrade_actor(id, next()).await.unwrap();
    assert_eq!(third.old_version, "0.2.1");
    assert_eq!(state(&runtime, &tally).await, r#"{"sum":42,"additions":0,"from":"0.2.1"}"#);
    for undone in [&third, &second] {
        let back = runtime.roll_back_actor(id).await.unwrap();
        assert_eq!((back.undone, back.new_component), (Some(undone.seq), undone.old_component));
    }
    let none = runtime.roll_back_actor(id).await.unwrap_err();
    assert!(matches!(none, UpgradeError::NothingToRollBack(_)), "{none}");
    assert_eq!(first.old_component, second.old_component);
    assert_eq!(ask(&tally, 3, "add 1").await.unwrap(), "43");
    runtime.shutdown().await.unwrap();
    verify_all(&**runtime.store()).await;
}

#[tokio::test]
async fn what_cannot_be_upgraded_to_is_refused_and_leaves_no_trace() {
    let refused = async |more: &str, upgrade: Upgrade, reason: &str| {
        let folder = tempfile::tempdir().unwrap();
        let runtime = runtime();
        let tally = tally(&runtime, folder.path(), more).await;
        let before = types(&runtime, tally.id()).await;
        let error = runtime.upgrade_actor(tally.id(), upgrade).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(types(&runtime, tally.id()).await, before);
        assert_eq!(ask(&tally, 3, "add 1").await.unwrap(), "43", "it goes on");
        runtime.shutdown().await.unwrap();
        verify_all(&**runtime.store()).await;
    };
    let faulty = || component("tally-faulty").version("2");
    refused("version = \"err\"", faulty(), "migrate answered err: version err is too old").await;
    refused("version = \"panic\"", faulty(), "no way from version panic").await;
    refused("version = \"ask\"", faulty(), "it called theater:simple/runtime@0.1.0#self-id").await;
    refused("version = \"large\"\n[limits]\nstate = \"64KiB\"", faulty(), "the manifest's limit `state` is 65536")
        .await;
    refused("version = \"greedy\"", faulty(), "more than the manifest's limit `memory`").await;
    refused("version = \"spin\"\n[limits]\ninit_timeout = \"300ms\"", faulty(), "the manifest's `init_timeout`").await;
    refused("", Upgrade::new(&b"no component"[..]), "it is not a WebAssembly file").await;
    refused("", component("rogue"), "an upgrade keeps the manifest with its handlers").await;
    let deaf = Upgrade::new(link::component(link::ACTOR));
    refused("", deaf, "it does not export theater:simple/message-server-client#handle-request").await;
}

#[tokio::test]
async fn a_restart_goes_on_with_the_component_of_the_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let tally = tally(&runtime, folder.path(), "version = \"0.1.0\"").await;
    runtime.upgrade_actor(tally.id(), next()).await.unwrap();
    // Known here, and then from the record alone.
    runtime.restart_actor(tally.id(), RestartFrom::Resume).await.unwrap();
    assert_eq!(ask(&tally, 3, "from").await.unwrap(), "0.1.0");
    runtime.stop_actor(tally.id()).await.unwrap();
    runtime.restart_actor(tally.id(), RestartFrom::Resume).await.unwrap();
    assert_eq!(ask(&tally, 4, "from").await.unwrap(), "0.1.0");
    // With `reset` its own `init` runs.
    runtime.restart_actor(tally.id(), RestartFrom::Reset).await.unwrap();
    assert_eq!(ask(&tally, 5, "from").await.unwrap(), "");
    let back = runtime.roll_back_actor(tally.id()).await.unwrap();
    assert_eq!(back.new_version, "0.1.0");
    assert_eq!(ask(&tally, 6, "get").await.unwrap(), "42");
    runtime.shutdown().await.unwrap();
    verify_all(&**runtime.store()).await;
}

/// A store that several runtimes use, one after the other.
struct Kept(Arc<MemoryStore>);

macro_rules! forward {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl ChainStore for Kept {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, theater::StoreError> {
                self.0.$name($($arg),*).await
            })*
        }
    };
}

forward! {
    commit(commit: Commit) -> ();
    actor(actor: TheaterId) -> Option<ActorEntry>;
    actors(after: Option<TheaterId>, max: usize) -> Vec<ActorEntry>;
    children(parent: TheaterId, max: usize) -> Vec<ActorEntry>;
    events(actor: TheaterId, from: u64, max: usize) -> Vec<ChainEvent>;
    state(hash: Digest) -> Option<bytes::Bytes>;
    component(digest: Digest) -> Option<bytes::Bytes>;
    manifest(digest: Digest) -> Option<bytes::Bytes>;
    pending(receiver: Option<TheaterId>, max: usize) -> Vec<PendingMessage>;
    answered(message_id: &str) -> Option<Answered>;
}

#[tokio::test]
async fn an_actor_that_has_ended_is_upgraded_for_its_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let another = || {
        let store = Kept(store.clone());
        TheaterRuntime::builder().handler(Voice).handler(Post).store(store).build().unwrap()
    };
    let first = another();
    let id = tally(&first, folder.path(), "version = \"0.1.0\"").await.id();
    first.shutdown().await.unwrap();
    drop(first);

    let second = another();
    let upgraded = second.upgrade_actor(id, next()).await.unwrap();
    let unknown = second.upgrade_actor(TheaterId::from_bytes([7; 16]), next()).await.unwrap_err();
    assert!(matches!(unknown, UpgradeError::NotFound(_)), "{unknown}");
    assert_eq!(upgraded.old_version, "0.1.0");
    drop(second);
    verify_all(&*store).await;

    let third = another();
    third.restart_actor(id, RestartFrom::Resume).await.unwrap();
    assert_eq!(ask(&third.handle(id), 3, "from").await.unwrap(), "0.1.0");
    third.shutdown().await.unwrap();
    drop(third);
    let fourth = another();
    assert_eq!(fourth.roll_back_actor(id).await.unwrap().undone, Some(upgraded.seq));
    fourth.restart_actor(id, RestartFrom::Resume).await.unwrap();
    assert_eq!(ask(&fourth.handle(id), 4, "add 1").await.unwrap(), "43");
    fourth.shutdown().await.unwrap();
    verify_all(&*store).await;
}

/// Says how often it was asked, and what it was told to.
#[derive(Clone, Default)]
struct Told {
    refuse: bool,
    seen: Arc<Mutex<Vec<u64>>>,
}

#[async_trait]
impl UpgradeCheck for Told {
    async fn check(&self, proposed: &ProposedUpgrade) -> Result<Checked, String> {
        let migrated = proposed.migrate(Some(br#"{"total":7}"#.as_slice().into())).await?;
        assert_eq!(migrated.unwrap(), br#"{"sum":7,"additions":0,"from":"0.1.0"}"#.as_slice());
        self.seen.lock().unwrap().push(proposed.head.seq);
        if self.refuse { Err("as it was told".to_owned()) } else { Ok(Checked { calls: 3, ..Checked::default() }) }
    }
}

#[tokio::test]
async fn a_runtime_s_check_is_asked_before_anything_happens() {
    for refuse in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let check = Told { refuse, ..Told::default() };
        let seen = check.seen.clone();
        let runtime = TheaterRuntime::builder().handler(Voice).handler(Post).upgrade_check(check).build().unwrap();
        let tally = tally(&runtime, folder.path(), "version = \"0.1.0\"").await;
        let head = types(&runtime, tally.id()).await.len() as u64 - 1;
        let upgraded = runtime.upgrade_actor(tally.id(), next()).await;
        match upgraded {
            Ok(upgraded) => assert_eq!((refuse, upgraded.checked.unwrap().calls), (false, 3)),
            Err(error) => assert!(refuse && error.to_string().contains("as it was told"), "{error}"),
        }
        assert_eq!(*seen.lock().unwrap(), [head], "nothing was recorded meanwhile, so once is enough");
        assert_eq!(ask(&tally, 3, "add 1").await.unwrap(), "43");
        runtime.shutdown().await.unwrap();
    }
}

/// Takes as long as it is let the first time, and for ever the second.
struct Endless(Arc<Semaphore>, Arc<Semaphore>);

#[async_trait]
impl UpgradeCheck for Endless {
    async fn check(&self, _: &ProposedUpgrade) -> Result<Checked, String> {
        self.0.add_permits(1);
        self.1.acquire().await.unwrap().forget();
        Ok(Checked::default())
    }
}

#[tokio::test]
async fn a_check_of_what_came_meanwhile_holds_an_actor_for_so_long_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let (asked, may) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let check = Endless(asked.clone(), may.clone());
    let runtime = TheaterRuntime::builder().handler(Voice).handler(Post).upgrade_check(check).build().unwrap();
    let tally = tally(&runtime, folder.path(), "").await;
    let upgrading = runtime.upgrade_actor(tally.id(), next().within(Duration::from_millis(50)));
    let meanwhile = async {
        asked.acquire().await.unwrap().forget();
        assert_eq!(ask(&tally, 3, "add 1").await.unwrap(), "43", "it is not held while all is checked");
        may.add_permits(1);
        asked.acquire().await.unwrap().forget();
        ask(&tally, 4, "add 1").await.unwrap()
    };
    let (upgraded, answer) = tokio::join!(upgrading, meanwhile);
    let error = upgraded.unwrap_err();
    assert!(matches!(error, UpgradeError::TooLong { .. }), "{error}");
    assert_eq!(answer, "44");
    runtime.shutdown().await.unwrap();
    verify_all(&**runtime.store()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_actor_is_upgraded_between_two_calls_and_no_message_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let tally = runtime.spawn_actor(manifest(folder.path(), "tally", "version = \"0.1.0\"")).await.unwrap();
    let asking = async {
        for n in 0..400 {
            ask(&tally, n, "add 1").await.unwrap();
        }
    };
    let upgrading = async {
        for n in 1_000.. {
            // A message with the same number is answered from the record.
            if ask(&tally, n, "get").await.unwrap() != "0" {
                break;
            }
        }
        runtime.upgrade_actor(tally.id(), next()).await.unwrap();
    };
    tokio::join!(asking, upgrading);
    assert_eq!(ask(&tally, 999, "get").await.unwrap(), "400");
    runtime.shutdown().await.unwrap();
    verify_all(&**runtime.store()).await;
}

/// `runtime.log`, which answers when it may.
struct Slow(Arc<Semaphore>);

impl Handler for Slow {
    const NAME: &'static str = "runtime";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = ();

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> theater::Result<()> {
        let log = async |call: Call<'_, Self>, (_, _): (LogLevel, String)| {
            call.handler().0.acquire().await?.forget();
            Ok(())
        };
        host.interface("theater:simple/runtime@0.1.0")?.func_async("log", Effect::Read, log)?;
        Ok(())
    }

    async fn start(&self, _: Start<'_>, _: NoConfig, _: NoPermissions) -> theater::Result<()> {
        Ok(())
    }

    fn narrow(_: &NoPermissions, asked: NoPermissions) -> Result<NoPermissions, Denied> {
        Ok(asked)
    }
}

#[tokio::test]
async fn an_actor_that_does_not_come_to_rest_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let may = Arc::new(Semaphore::new(0));
    let runtime = TheaterRuntime::builder().handler(Slow(may.clone())).handler(Post).build().unwrap();
    let tally = runtime.spawn_actor(manifest(folder.path(), "tally", "")).await.unwrap();
    let adding = ask(&tally, 1, "add 1");
    let upgrading = async {
        let upgrade = next().within(Duration::from_millis(20));
        let busy = runtime.upgrade_actor(tally.id(), upgrade).await.unwrap_err();
        assert!(matches!(busy, UpgradeError::Busy { .. }), "{busy}");
        let waiting = runtime.upgrade_actor(tally.id(), next());
        let meanwhile = async {
            let second = runtime.upgrade_actor(tally.id(), next()).await.unwrap_err();
            assert!(matches!(second, UpgradeError::UnderWay(_)), "{second}");
            may.add_permits(1);
        };
        tokio::join!(waiting, meanwhile).0.unwrap();
    };
    assert_eq!(tokio::join!(adding, upgrading).0.unwrap(), "1");
    assert_eq!(ask(&tally, 2, "from").await.unwrap(), "", "its manifest names no version");
    runtime.shutdown().await.unwrap();
    verify_all(&**runtime.store()).await;
}
