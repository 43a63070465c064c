//! When an answer counts as given.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use theater::chain::{ActorEntry, Answered, ChainStore, Commit, MemoryStore, PendingMessage};
use theater::{ActorHandle, CallError, ChainEvent, Digest, Outside, StoreError, TheaterId};
use theater_handler_message_server::HANDLE_REQUEST;
use theater_tests::{World, builder};
use tokio::sync::{Semaphore, watch};

/// A store whose commits wait at a gate.
#[derive(Clone)]
struct Gated {
    store: Arc<MemoryStore>,
    gate: Arc<Semaphore>,
    /// Events that have reached the gate.
    reached: watch::Sender<Vec<String>>,
}

impl Gated {
    fn new() -> Self {
        Self {
            store: Arc::new(MemoryStore::new()),
            gate: Arc::new(Semaphore::new(0)),
            reached: watch::Sender::default(),
        }
    }

    fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Waits until an event of this type has reached the gate `count` times.
    async fn reached(&self, event_type: &str, count: usize) {
        let mut reached = self.reached.subscribe();
        reached.wait_for(|types| types.iter().filter(|found| *found == event_type).count() >= count).await.unwrap();
    }
}

#[async_trait]
impl ChainStore for Gated {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let types: Vec<_> = commit.events.iter().map(|(_, event)| event.event_type.to_string()).collect();
        self.reached.send_modify(|reached| reached.extend(types));
        self.gate.acquire().await.unwrap().forget();
        self.store.commit(commit).await
    }
    async fn actor(&self, actor: TheaterId) -> Result<Option<ActorEntry>, StoreError> {
        self.store.actor(actor).await
    }
    async fn actors(&self, after: Option<TheaterId>, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        self.store.actors(after, max).await
    }
    async fn children(&self, parent: TheaterId, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        self.store.children(parent, max).await
    }
    async fn events(&self, actor: TheaterId, from: u64, max: usize) -> Result<Vec<ChainEvent>, StoreError> {
        self.store.events(actor, from, max).await
    }
    async fn state(&self, hash: Digest) -> Result<Option<Bytes>, StoreError> {
        self.store.state(hash).await
    }
    async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.store.component(digest).await
    }
    async fn manifest(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.store.manifest(digest).await
    }
    async fn pending(&self, receiver: Option<TheaterId>, max: usize) -> Result<Vec<PendingMessage>, StoreError> {
        self.store.pending(receiver, max).await
    }
    async fn answered(&self, message_id: &str) -> Result<Option<Answered>, StoreError> {
        self.store.answered(message_id).await
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

fn world(durability: &str) -> (World, Gated) {
    let store = Gated::new();
    let world = World::with(&["counter"], builder().store(store.clone()));
    let handlers = "[[handlers]]\ntype = \"runtime\"\n[[handlers]]\ntype = \"message-server\"\n";
    world.manifest("one", "counter", &format!("durability = \"{durability}\"\n{handlers}"));
    (world, store)
}

#[tokio::test]
async fn batched_answers_inside_the_process_before_the_commit_and_outside_after_it() {
    let (world, store) = world("batched");
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
        () = store.reached("actor_started", 1) => {}
    }
    for _ in 0..1_000 {
        assert!(futures_poll(&mut durable).await.is_none(), "answered before the commit");
    }
    store.open();
    assert_eq!(durable.await.unwrap().0.as_deref(), Some(&b"2"[..]));
    world.close().await;
}

#[tokio::test]
async fn sync_answers_only_after_the_commit() {
    let (world, store) = world("sync");
    let mut start = Box::pin(world.try_spawn("one"));
    tokio::select! {
        biased;
        _ = &mut start => panic!("started before init was committed"),
        () = store.reached("actor_started", 1) => {}
    }
    store.gate.add_permits(100);
    let actor = start.await.unwrap();
    world.runtime.flush().await.unwrap();
    let left = store.gate.forget_permits(usize::MAX);
    assert!(left > 0);
    let mut answer = Box::pin(call(&actor, false));
    tokio::select! {
        biased;
        _ = &mut answer => panic!("answered before the commit"),
        () = store.reached("message_accepted", 1) => {}
    }
    for _ in 0..1_000 {
        assert!(futures_poll(&mut answer).await.is_none(), "answered before the commit");
    }
    store.open();
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
    let (world, store) = world("batched");
    let actor = world.spawn("one").await;
    // The same id before its answer is durable, after it, and at the same time.
    assert_eq!(call(&actor, false).await.unwrap().as_deref(), Some(&b"1"[..]));
    let mut again = Box::pin(call(&actor, false));
    assert!(futures_poll(&mut again).await.is_none());
    store.open();
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
