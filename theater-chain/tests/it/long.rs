//! A chain of 1,000,000 events.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use theater_chain::{
    ActorEntry, ActorIndex, Answered, ChainEvent, ChainStore, Commit, Digest, Head, Level, PendingMessage, StoreError,
    TheaterId, Verification,
};

const EVENTS: u64 = 1_000_000;

/// A store whose one chain is made while it is read, from its beginning to its end and only once.
struct Generated {
    head: Mutex<Option<Head>>,
    largest: Mutex<usize>,
}

fn next(head: Option<&Head>) -> ChainEvent {
    ChainEvent::following(head, "instance_dropped", 7, Bytes::from_static(b"\x80"), None)
}

#[async_trait]
impl ChainStore for Generated {
    async fn commit(&self, _: Commit) -> Result<(), StoreError> {
        Err(StoreError::Io("it is read only".into()))
    }
    async fn actor(&self, _: TheaterId) -> Result<Option<ActorEntry>, StoreError> {
        Ok(None)
    }
    async fn actors(&self, _: Option<TheaterId>, _: usize) -> Result<Vec<ActorEntry>, StoreError> {
        Ok(Vec::new())
    }
    async fn children(&self, _: TheaterId, _: usize) -> Result<Vec<ActorEntry>, StoreError> {
        Ok(Vec::new())
    }
    async fn events(&self, _: TheaterId, from: u64, max: usize) -> Result<Vec<ChainEvent>, StoreError> {
        let mut head = self.head.lock().unwrap();
        assert_eq!(from, head.map_or(0, |head| head.seq + 1), "each event is read once, in order");
        let mut page = Vec::new();
        while page.len() < max && head.is_none_or(|head| head.seq + 1 < EVENTS) {
            let event = next(head.as_ref());
            *head = Some(event.head());
            page.push(event);
        }
        let mut largest = self.largest.lock().unwrap();
        *largest = page.len().max(*largest);
        Ok(page)
    }
    async fn state(&self, _: Digest) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }
    async fn component(&self, _: Digest) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }
    async fn manifest(&self, _: Digest) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }
    async fn pending(&self, _: Option<TheaterId>, _: usize) -> Result<Vec<PendingMessage>, StoreError> {
        Ok(Vec::new())
    }
    async fn answered(&self, _: &str) -> Result<Option<Answered>, StoreError> {
        Ok(None)
    }
}

/// What is held at once is a page; the figures of a real store are those of `cargo xtask bench chain`.
#[tokio::test]
async fn it_verifies_in_one_streaming_pass() {
    let mut head: Option<Head> = None;
    for _ in 0..EVENTS {
        head = Some(next(head.as_ref()).head());
    }
    let index = ActorIndex {
        parent: None,
        name: "long".into(),
        manifest_path: String::new(),
        incarnation: 1,
        started: 0,
        ended: None,
        state: Digest::ZERO,
        upgraded: None,
    };
    let entry = ActorEntry { id: TheaterId::from_bytes([1; 16]), head: head.unwrap(), index };
    let store = Generated { head: Mutex::default(), largest: Mutex::default() };
    let report = Verification::new(Level::Links).actor(&store, &entry).await.unwrap();
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(report.events, EVENTS);
    assert!(*store.largest.lock().unwrap() <= 1024, "a page of {} events", store.largest.lock().unwrap());
}
