//! Reading a chain whose events are large: answers are bounded, and nothing is skipped.

use theater::chain::data::{DropReason, InstanceDropped, RestartStateKind};
use theater::chain::testing::Story;
use theater::chain::{ChainEvent, ChainStore as _, MemoryStore, payload};
use theater::{TheaterCommand, TheaterReply, TheaterRuntime};

const DROPPED: InstanceDropped = InstanceDropped { reason: DropReason::Aged };

/// A start and `count` events, each with the same payload of 1 MiB.
async fn large_chain(count: usize) -> (TheaterRuntime, Vec<ChainEvent>, Story) {
    let mut story = Story::new(1);
    let mut events = vec![story.start(RestartStateKind::Reset, None)];
    let first = story.append(&DROPPED, &[("result", Some(&payload::bin(&vec![7; 1 << 20])))]);
    events.push(first.clone());
    events.extend((1..count).map(|_| story.append_again(&DROPPED, &first)));
    let store = MemoryStore::new();
    store.commit(story.commit()).await.unwrap();
    (TheaterRuntime::builder().store(store).build().unwrap(), events, story)
}

#[tokio::test]
async fn events_are_read_over_the_pages_of_the_store() {
    let (runtime, events, story) = large_chain(50).await;
    assert!(runtime.get_actor_events(story.id, 0, usize::MAX).await.unwrap() == events);
    assert!(runtime.get_actor_events(story.id, 3, 30).await.unwrap() == events[3..33]);
    assert!(runtime.get_actor_events(story.id, 51, usize::MAX).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_read_of_64_mib_takes_no_more_and_goes_on_from_the_next_seq() {
    let (runtime, events, story) = large_chain(150).await;
    let mut read: Vec<ChainEvent> = Vec::new();
    let mut sizes = Vec::new();
    loop {
        let part = runtime.get_actor_events(story.id, read.len() as u64, usize::MAX).await.unwrap();
        sizes.push(part.len());
        if part.is_empty() {
            break;
        }
        read.extend(part);
    }
    assert!(read == events, "{sizes:?}");
    // 64 MiB and at most a page of the store more.
    assert!(sizes.len() == 4 && sizes.iter().all(|size| *size <= 64 + 10), "{sizes:?}");
}

#[tokio::test]
async fn a_reply_has_a_few_large_events_and_the_next_one_those_that_follow() {
    let (runtime, events, story) = large_chain(10).await;
    let mut seqs = Vec::new();
    loop {
        let (actor, from) = (story.id, seqs.len() as u64);
        let reply = runtime.command(TheaterCommand::GetActorEvents { actor, from, max: 1_000 }).await.unwrap();
        let TheaterReply::Events(documents) = reply else { panic!("{reply:?}") };
        if documents.is_empty() {
            break;
        }
        assert!(documents.len() <= 5, "{} events", documents.len());
        seqs.extend(documents.iter().map(|document| document["seq"].as_u64().unwrap()));
    }
    assert!(seqs.iter().copied().eq(0..events.len() as u64), "{seqs:?}");
}
