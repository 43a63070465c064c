//! When an answer counts as given.

use std::sync::Arc;

use theater::chain::MemoryStore;
use theater::{ActorHandle, CallError, Outside, StoreError};
use theater_handler_message_server::HANDLE_REQUEST;
use theater_tests::{Crashing, HANDLERS, Tapped, World, builder};
use tokio::sync::{Semaphore, watch};

/// The gate at which the commits of a store wait.
#[derive(Clone)]
struct Gate {
    permits: Arc<Semaphore>,
    /// Events that have reached the gate.
    reached: watch::Sender<Vec<String>>,
}

impl Gate {
    fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), reached: watch::Sender::default() }
    }

    /// A store behind it.
    fn store(&self) -> Tapped {
        let Self { permits, reached } = self.clone();
        Tapped::new(move |commit| {
            let types: Vec<_> = commit.events.iter().map(|(_, event)| event.event_type.to_string()).collect();
            reached.send_modify(|reached| reached.extend(types));
            let permits = permits.clone();
            async move { permits.acquire().await.unwrap().forget() }
        })
    }

    fn open(&self) {
        self.permits.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Waits until an event of this type has reached the gate `count` times.
    async fn reached(&self, event_type: &str, count: usize) {
        let mut reached = self.reached.subscribe();
        reached.wait_for(|types| types.iter().filter(|found| *found == event_type).count() >= count).await.unwrap();
    }
}

const FROM: Outside<'_> = Outside { source: "gate", n: 1 };

async fn call(actor: &ActorHandle, durable: bool) -> Result<Option<Vec<u8>>, CallError> {
    let params = |id: &str| (id.to_owned(), b"inc".to_vec());
    let (answer,) = match durable {
        true => actor.call_durable(&HANDLE_REQUEST, FROM, params).await?,
        false => actor.call(&HANDLE_REQUEST, FROM, params).await?,
    };
    Ok(answer)
}

fn world(durability: &str) -> (World, Gate) {
    let gate = Gate::new();
    let world = World::with(&["counter"], builder().store(gate.store()));
    let handlers = "[[handlers]]\ntype = \"runtime\"\n[[handlers]]\ntype = \"message-server\"\n";
    world.manifest("one", "counter", &format!("durability = \"{durability}\"\n{handlers}"));
    (world, gate)
}

#[tokio::test]
async fn batched_answers_inside_the_process_before_the_commit_and_outside_after_it() {
    let (world, gate) = world("batched");
    let actor = world.spawn("one").await;
    // Nothing is committed yet, and the answer is here.
    assert_eq!(call(&actor, false).await.unwrap().as_deref(), Some(&b"1"[..]));
    let mut durable = Box::pin(
        actor.call_durable(&HANDLE_REQUEST, Outside { source: "gate", n: 2 }, |id| (id.to_owned(), b"inc".to_vec())),
    );
    // The first commit is at the gate: whatever the actor does, this answer waits behind it.
    tokio::select! {
        biased;
        _ = &mut durable => panic!("answered before the commit"),
        () = gate.reached("actor_started", 1) => {}
    }
    for _ in 0..1_000 {
        assert!(futures_poll(&mut durable).await.is_none(), "answered before the commit");
    }
    gate.open();
    assert_eq!(durable.await.unwrap().0.as_deref(), Some(&b"2"[..]));
    world.close().await;
}

#[tokio::test]
async fn sync_answers_only_after_the_commit() {
    let (world, gate) = world("sync");
    let mut start = Box::pin(world.try_spawn("one"));
    tokio::select! {
        biased;
        _ = &mut start => panic!("started before init was committed"),
        () = gate.reached("actor_started", 1) => {}
    }
    gate.permits.add_permits(100);
    let actor = start.await.unwrap();
    world.runtime.flush().await.unwrap();
    let left = gate.permits.forget_permits(usize::MAX);
    assert!(left > 0);
    let mut answer = Box::pin(call(&actor, false));
    tokio::select! {
        biased;
        _ = &mut answer => panic!("answered before the commit"),
        () = gate.reached("message_accepted", 1) => {}
    }
    for _ in 0..1_000 {
        assert!(futures_poll(&mut answer).await.is_none(), "answered before the commit");
    }
    gate.open();
    assert_eq!(answer.await.unwrap().as_deref(), Some(&b"1"[..]));
    world.close().await;
}

#[tokio::test]
async fn an_ephemeral_actor_leaves_nothing_in_the_store_and_sends_only_to_its_like() {
    let world = World::new(&["relay", "counter"]);
    let handlers = "[[handlers]]\ntype = \"runtime\"\n[[handlers]]\ntype = \"message-server\"\n[[handlers]]\ntype = \"supervisor\"\n";
    world.manifest("brief", "relay", &format!("durability = \"ephemeral\"\n{handlers}"));
    let brief = world.spawn("brief").await;
    let kept = world.ask(&brief, "spawn counter.toml").await;
    let like = world.ask(&brief, "spawn brief.toml").await;
    let refused = world.ask(&brief, &format!("send {kept} inc")).await;
    assert!(refused.contains("ephemeral"), "{refused}");
    assert_eq!(world.ask(&brief, &format!("send {like} hello")).await, "sent");
    assert_eq!(world.ask(&brief, &format!("request {like} log")).await, "init\nsend hello");
    assert!(!world.events(brief.id()).await.is_empty());
    let recorded = world.recorded().await;
    assert_eq!(recorded.iter().map(|entry| entry.id.to_string()).collect::<Vec<_>>(), [kept]);
    world.close().await;
}

/// Polls once and lets others run.
async fn futures_poll<F: std::future::Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::task::yield_now().await;
    std::future::poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn a_message_from_outside_is_processed_once_however_often_it_comes() {
    let (world, gate) = world("batched");
    let actor = world.spawn("one").await;
    // The same id before its answer is durable, after it, and at the same time.
    assert_eq!(call(&actor, false).await.unwrap().as_deref(), Some(&b"1"[..]));
    let mut again = Box::pin(call(&actor, false));
    assert!(futures_poll(&mut again).await.is_none());
    gate.open();
    assert_eq!(again.await.unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(call(&actor, true).await.unwrap().as_deref(), Some(&b"1"[..]));
    let twice = Outside { source: "gate", n: 7 };
    let inc = |id: &str| (id.to_owned(), b"inc".to_vec());
    let (first, second) =
        tokio::join!(actor.call(&HANDLE_REQUEST, twice, inc), actor.call(&HANDLE_REQUEST, twice, inc));
    assert_eq!(first.unwrap().0.as_deref(), Some(&b"2"[..]));
    assert!(matches!(second, Err(CallError::InFlight(_))), "{second:?}");
    // Another actor is not answered with this one's answer.
    let other = world.spawn("one").await;
    assert!(matches!(call(&other, true).await, Err(CallError::Answer { .. })));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "a guard against hanging, not a wait")]
async fn a_runtime_ends_although_its_store_cannot_write_what_its_actors_wait_for() {
    for kills in [false, true] {
        let disk = Crashing::after(u64::MAX, Arc::new(MemoryStore::new()));
        let world = World::with(&["counter"], builder().store(disk.clone()));
        world.manifest("one", "counter", &format!("durability = \"sync\"\n{HANDLERS}"));
        let actor = world.spawn("one").await;
        world.runtime.flush().await.unwrap();
        disk.fill_up();
        // Its answer waits for its commit.
        let waits = call(&actor, false);
        let ends = async {
            while !is_behind(&world).await {
                tokio::task::yield_now().await;
            }
            if kills { world.runtime.kill().await } else { world.runtime.shutdown().await }
        };
        let (answer, ended) =
            tokio::time::timeout(std::time::Duration::from_secs(60), async { tokio::join!(waits, ends) })
                .await
                .unwrap();
        assert!(answer.is_err(), "{answer:?}");
        assert!(matches!(ended, Err(StoreError::Io(_))), "{ended:?}");
    }
}

/// Whether something waits for the store, which cannot write it.
async fn is_behind(world: &World) -> bool {
    world.runtime.get_actor_events(theater::TheaterId::from_bytes([0; 16]), 0, 1).await.is_err()
}
