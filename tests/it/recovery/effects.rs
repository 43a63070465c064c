//! A process that goes down in a host call: what its effect says comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::Value;
use theater::chain::MemoryStore;
use theater::{
    Call, CallError, Denied, Digest, Effect, ErrorType, ExportLinker, Handler, HostLinker, NoConfig, NoPermissions,
    Result, Start, TheaterRuntime,
};
use theater_handler_message_server::{HANDLE_REQUEST, HANDLE_SEND};
use theater_handler_runtime::RuntimeHandler;
use theater_handler_supervisor::{SupervisorHandler, SupervisorHostConfig};
use theater_tests::{Crashing, HANDLERS, World};
use tokio::sync::Notify;

use super::ask;

const READ: u8 = 0;
const IDEMPOTENT: u8 = 1;
const WRITE: u8 = 2;
const WRITE_WITH_ANSWER: u8 = 3;

/// `send` with an effect of its own; the first time it does not end.
#[derive(Clone, Default)]
struct Post<const KIND: u8> {
    begun: Arc<Notify>,
    runs: Arc<AtomicU32>,
    ends: Arc<AtomicBool>,
    key: Arc<std::sync::Mutex<Option<Option<Digest>>>>,
}

type Answer = (std::result::Result<(), String>,);

impl<const KIND: u8> Handler for Post<KIND> {
    const NAME: &'static str = "message-server";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = ();

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        let effect = match KIND {
            READ => Effect::Read,
            IDEMPOTENT => Effect::WriteIdempotent,
            _ => Effect::Write,
        };
        let mut linker = host.interface("theater:simple/message-server-host@0.1.0")?;
        if KIND == WRITE_WITH_ANSWER {
            linker = linker.on_interrupted(|| -> Answer { (Err("perhaps".into()),) });
        }
        linker.func_async("send", effect, send::<KIND>)?.func(
            "request",
            Effect::Read,
            |_: Call<'_, Self>, _: (String, Vec<u8>)| Ok((Err::<Vec<u8>, _>("nobody".to_owned()),)),
        )?;
        Ok(())
    }

    fn add_export_functions(exports: &mut ExportLinker<'_, Self>) -> Result<()> {
        exports.func(&HANDLE_REQUEST)?.func(&HANDLE_SEND)?;
        Ok(())
    }

    async fn start(&self, _: Start<'_>, _: NoConfig, _: NoPermissions) -> Result<()> {
        Ok(())
    }

    fn narrow(_: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }
}

async fn send<const KIND: u8>(call: Call<'_, Post<KIND>>, _: (String, Vec<u8>)) -> Result<Answer> {
    let post = call.handler();
    let (runs, ends, key) = (post.runs.clone(), post.ends.clone(), call.idempotency_key());
    let before = post.key.lock().unwrap().replace(key);
    runs.fetch_add(1, Ordering::SeqCst);
    if !ends.load(Ordering::SeqCst) {
        post.begun.notify_one();
        std::future::pending::<()>().await;
    }
    assert_eq!(before, Some(key), "the key is the same");
    Ok((Ok(()),))
}

fn process<const KIND: u8>(post: &Post<KIND>, store: Crashing) -> World {
    let builder = TheaterRuntime::builder()
        .handler(RuntimeHandler::new())
        .handler(post.clone())
        .handler(SupervisorHandler::new(SupervisorHostConfig::default(), None))
        .store(store);
    World::with(&["relay"], builder)
}

/// What the one who asked is told when the tree goes on, how often the function ran, and the ends of
/// host calls that are recorded.
async fn after_a_crash<const KIND: u8>() -> (std::result::Result<String, CallError>, u32, Vec<Value>) {
    let (store, post) = (Arc::new(MemoryStore::new()), Post::<KIND>::default());
    let down = Crashing::after(u64::MAX, store.clone());
    let first = process(&post, down.clone());
    first.manifest("relay", "relay", &format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n"));
    let relay = first.spawn("relay").await;
    let order = format!("send {} hello", relay.id());
    tokio::select! {
        answer = ask(&relay, 1, &order) => panic!("{answer:?}"),
        () = post.begun.notified() => first.runtime.flush().await.unwrap(),
    }
    down.go_down().await;
    drop(first);
    post.ends.store(true, Ordering::SeqCst);
    let second = process(&post, Crashing::after(u64::MAX, store.clone()));
    let recovered = second.runtime.recover().await.unwrap();
    assert_eq!((recovered.actors, recovered.calls), (1, 1));
    let answer = ask(&second.runtime.handle(relay.id()), 1, &order).await;
    let ends = second.of_type(relay.id(), "host_call").await;
    let dropped = second.of_type(relay.id(), "instance_dropped").await;
    assert_eq!(dropped[0]["reason"], "recovered");
    assert_eq!(second.of_type(relay.id(), "host_call_begun").await.len(), usize::from(KIND != READ));
    second.close().await;
    (answer, post.runs.load(Ordering::SeqCst), ends.iter().map(|end| end["outcome"].clone()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_runs_again() {
    let (answer, runs, ends) = after_a_crash::<READ>().await;
    assert_eq!((answer.unwrap().as_str(), runs), ("sent", 2));
    assert_eq!(ends, ["ok"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotent_write_runs_again_with_the_same_key() {
    let (answer, runs, ends) = after_a_crash::<IDEMPOTENT>().await;
    assert_eq!((answer.unwrap().as_str(), runs), ("sent", 2));
    assert_eq!(ends, ["ok"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_not_repeated() {
    let (answer, runs, ends) = after_a_crash::<WRITE>().await;
    match answer {
        Err(CallError::Failed { error, .. }) => assert_eq!(error.kind, ErrorType::HostCallInterrupted, "{error}"),
        answer => panic!("{answer:?}"),
    }
    assert_eq!((runs, ends), (1, vec![Value::from("interrupted")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_may_have_an_answer_for_it() {
    let (answer, runs, ends) = after_a_crash::<WRITE_WITH_ANSWER>().await;
    assert_eq!(answer.unwrap(), "error: perhaps");
    assert_eq!((runs, ends), (1, vec![Value::from("interrupted")]));
}
