//! What every store must do.

use std::sync::Arc;

use bytes::Bytes;

use super::Story;
use super::dropping::what_is_dropped_is_gone;
use super::log::the_log_of_heads_only_grows;
use super::passing;
use crate::data::{DropReason, InstanceDropped, RestartStateKind};
use crate::{
    ActorUpdate, Answered, ChainEvent, ChainStore, Commit, Digest, Level, PAGE_BYTES, Payload, PendingMessage,
    StoreError, TheaterId, newest, payload, verify_store,
};

/// Runs every check, each on a new empty store. Panics where a store does not conform.
pub async fn conformance(make: impl Fn() -> Arc<dyn ChainStore>) {
    what_is_committed_is_read_back(make()).await;
    an_empty_store_has_nothing(make()).await;
    pages_begin_where_asked(make()).await;
    pages_of_large_events_are_short(make()).await;
    one_event_may_be_larger_than_a_page(make()).await;
    of_two_writers_one_wins(make()).await;
    many_commits_at_once_keep_their_order(make()).await;
    a_batch_is_all_or_nothing(make()).await;
    invalid_batches_are_refused(make()).await;
    actors_are_listed_in_order_of_birth(make()).await;
    pending_messages_come_and_go(make()).await;
    answers_are_found_and_the_last_one_counts(make()).await;
    a_recorded_life_verifies(make()).await;
    the_log_of_heads_only_grows(make()).await;
    what_is_dropped_is_gone(make()).await;
    passing::a_passing_state_goes_with_the_next(make()).await;
    passing::what_passes_is_counted(make()).await;
    passing::actors_hold_passing_states_for_themselves(make()).await;
    passing::a_refused_batch_leaves_the_passing_state(make()).await;
    passing::an_import_leaves_the_passing_state(make()).await;
}

/// A story that has started, committed.
pub(super) async fn started(store: &dyn ChainStore, id: u8) -> Story {
    let mut story = Story::new(id);
    story.start(RestartStateKind::Reset, Some(b"{}"));
    store.commit(story.commit()).await.unwrap();
    story
}

async fn what_is_committed_is_read_back(store: Arc<dyn ChainStore>) {
    let mut story = Story::new(1);
    story.write_life();
    let commit = story.commit();
    let events: Vec<_> = commit.events.iter().map(|(_, event)| event.clone()).collect();
    let (states, components, manifests) = (commit.states.clone(), commit.components.clone(), commit.manifests.clone());
    store.commit(commit).await.unwrap();
    assert_eq!(store.events(story.id, 0, 1000).await.unwrap(), events);
    let entry = store.actor(story.id).await.unwrap().unwrap();
    assert_eq!((entry.id, Some(entry.head), entry.index), (story.id, story.head, story.index));
    for (hash, bytes) in states {
        assert_eq!(store.state(hash).await.unwrap(), Some(bytes));
    }
    for (digest, bytes) in components {
        assert_eq!(store.component(digest).await.unwrap(), Some(bytes));
        assert_eq!(store.manifest(digest).await.unwrap(), None, "a component is no manifest");
    }
    for (digest, bytes) in manifests {
        assert_eq!(store.manifest(digest).await.unwrap(), Some(bytes));
    }
}

async fn an_empty_store_has_nothing(store: Arc<dyn ChainStore>) {
    let id = TheaterId::from_bytes([1; 16]);
    assert_eq!(store.actor(id).await.unwrap(), None);
    assert_eq!(store.actors(None, 10).await.unwrap(), []);
    assert_eq!(store.actors(Some(id), 10).await.unwrap(), []);
    assert_eq!(store.children(id, 10).await.unwrap(), []);
    assert_eq!(store.events(id, 0, 10).await.unwrap(), []);
    assert_eq!(store.state(Digest::ZERO).await.unwrap(), None);
    assert_eq!(store.pending(None, 10).await.unwrap(), []);
    assert_eq!(store.answered("x/1").await.unwrap(), None);
    assert_eq!(store.kept_from(id).await.unwrap(), 0);
    store.commit(Commit::default()).await.unwrap();
}

/// Two actors whose events alternate, in commits of uneven size.
async fn pages_begin_where_asked(store: Arc<dyn ChainStore>) {
    let (mut one, mut two) = (started(&*store, 1).await, started(&*store, 2).await);
    let mut events = store.events(one.id, 0, 10).await.unwrap();
    for size in (0..40).map(|n| n % 7 + 1) {
        for _ in 0..size {
            events.push(one.call(None));
            events.push(one.commit_state(None, format!("{}", events.len()).as_bytes()));
            two.append(&InstanceDropped { reason: DropReason::Aged }, &[]);
        }
        let (mut commit, other) = (one.commit(), two.commit());
        commit.actors.extend(other.actors);
        // Alternating, as a shared queue would have them.
        commit.events.extend(other.events);
        commit.events.sort_by_key(|(_, event)| event.timestamp);
        store.commit(commit).await.unwrap();
    }
    for from in 0..events.len() + 3 {
        for max in [0, 1, 2, 63, 64, 65, 1000] {
            let expected: Vec<_> = events.iter().skip(from).take(max).cloned().collect();
            let page = store.events(one.id, from as u64, max).await.unwrap();
            assert!(page == expected, "from {from}, {max} at most: {} events", page.len());
        }
    }
    assert_eq!(store.events(one.id, u64::MAX, 10).await.unwrap(), []);
}

/// All events from `from` on by pages of `max`, and how many pages they were. Every page is checked.
async fn by_pages(store: &dyn ChainStore, id: TheaterId, from: u64, max: usize) -> (Vec<ChainEvent>, usize) {
    let (mut all, mut pages): (Vec<ChainEvent>, usize) = (Vec::new(), 0);
    loop {
        let page = store.events(id, from + all.len() as u64, max).await.unwrap();
        let Some((_, before)) = page.split_last() else { return (all, pages) };
        let bytes: usize = before.iter().map(ChainEvent::content_len).sum();
        assert!(bytes <= PAGE_BYTES, "a page of {} events has {bytes} bytes before its last", page.len());
        assert!(page.len() <= max, "{} events, {max} at most were asked for", page.len());
        pages += 1;
        all.extend(page);
    }
}

/// Over 40 MiB, of events that are small, large, and of one payload.
async fn pages_of_large_events_are_short(store: Arc<dyn ChainStore>) {
    let mut story = started(&*store, 1).await;
    let mut events = store.events(story.id, 0, 10).await.unwrap();
    let large = payload::bin(&vec![7; 300 << 10]);
    for n in 0..200 {
        events.push(story.call(None));
        events.push(match n % 3 {
            0 => story.append(&InstanceDropped { reason: DropReason::Aged }, &[]),
            _ => story.append(&InstanceDropped { reason: DropReason::Parked }, &[("result", Some(&large))]),
        });
        // One payload that the chain holds before.
        events.push(story.append_again(&InstanceDropped { reason: DropReason::Aged }, &events[events.len() - 1]));
        if n % 8 == 0 {
            store.commit(story.commit()).await.unwrap();
        }
    }
    store.commit(story.commit()).await.unwrap();
    let total: usize = events.iter().map(ChainEvent::content_len).sum();
    for from in [0, 1, 64, 100, 127, 599, 600] {
        for max in [7, 64, 1000, usize::MAX] {
            let (read, pages) = by_pages(&*store, story.id, from as u64, max).await;
            assert!(read == events[from..], "from {from}, {max} at most: {} events", read.len());
            assert!(from > 0 || pages >= total / (PAGE_BYTES + (1 << 20)), "{pages} pages of {total} bytes");
        }
    }
}

async fn one_event_may_be_larger_than_a_page(store: Arc<dyn ChainStore>) {
    let mut story = started(&*store, 1).await;
    let larger = payload::bin(&vec![7; PAGE_BYTES + 1]);
    let mut events = store.events(story.id, 0, 10).await.unwrap();
    for _ in 0..2 {
        events.push(story.append(&InstanceDropped { reason: DropReason::Aged }, &[("result", Some(&larger))]));
        events.push(story.call(None));
    }
    store.commit(story.commit()).await.unwrap();
    let (read, _) = by_pages(&*store, story.id, 0, 1000).await;
    assert!(read == events, "{} events", read.len());
    for event in &events[1..4] {
        let page = store.events(story.id, event.seq, 1).await.unwrap();
        assert!(page == [event.clone()], "event {} alone", event.seq);
    }
    let found = newest(&*store, story.id, 0..4, |event| (event.seq % 2 == 1).then_some(event.seq)).await.unwrap();
    assert_eq!(found, Some(3));
    let found = newest(&*store, story.id, 0..3, |event| (event.content_len() > PAGE_BYTES).then_some(event.seq));
    assert_eq!(found.await.unwrap(), Some(1));
    assert_eq!(newest(&*store, story.id, 2..5, |event| (event.seq == 1).then_some(())).await.unwrap(), None);
}

async fn of_two_writers_one_wins(store: Arc<dyn ChainStore>) {
    let mut story = started(&*store, 1).await;
    let (before, head) = (story.stored, story.head);
    story.call(None);
    let first = story.commit();
    // A second writer that knew the same head.
    let mut late = Story::new(1);
    (late.stored, late.head, late.index) = (before, head, story.index.clone());
    late.append(&InstanceDropped { reason: DropReason::Parked }, &[]);
    let second = late.commit();
    let (one, two) = both(store.commit(first.clone()), store.commit(second.clone())).await;
    let (lost, winner) = match (one, two) {
        (Ok(()), Err(lost)) => (lost, first),
        (Err(lost), Ok(())) => (lost, second),
        other => panic!("exactly one must win: {other:?}"),
    };
    let winner = winner.events[0].1.clone();
    let StoreError::Conflict { actor, expected, stored } = lost else { panic!("not a conflict: {lost}") };
    assert_eq!((actor, expected, stored), (story.id, before, Some(winner.head())));
    assert_eq!(store.events(story.id, 1, 10).await.unwrap(), [winner]);
    // And two that both start the same actor.
    let mut new = Story::new(2);
    new.start(RestartStateKind::Reset, None);
    let commit = new.commit();
    store.commit(commit.clone()).await.unwrap();
    assert!(matches!(store.commit(commit).await, Err(StoreError::Conflict { expected: None, .. })));
}

/// Both at once, without a runtime's help.
async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (Box::pin(a), Box::pin(b));
    let (mut done_a, mut done_b) = (None, None);
    std::future::poll_fn(move |cx| {
        if done_a.is_none()
            && let std::task::Poll::Ready(out) = a.as_mut().poll(cx)
        {
            done_a = Some(out);
        }
        if done_b.is_none()
            && let std::task::Poll::Ready(out) = b.as_mut().poll(cx)
        {
            done_b = Some(out);
        }
        match (done_a.take(), done_b.take()) {
            (Some(a), Some(b)) => std::task::Poll::Ready((a, b)),
            (a, b) => {
                (done_a, done_b) = (a, b);
                std::task::Poll::Pending
            }
        }
    })
    .await
}

/// Commits given without waiting for those before, a conflict among them.
async fn many_commits_at_once_keep_their_order(store: Arc<dyn ChainStore>) {
    let mut story = started(&*store, 1).await;
    let mut commits = Vec::new();
    for n in 0..100 {
        story.append(&InstanceDropped { reason: DropReason::Parked }, &[]);
        let commit = story.commit();
        if n == 50 {
            // The same once more: it must fail alone.
            commits.push(commit.clone());
        }
        commits.push(commit);
    }
    let mut running: Vec<_> = commits.into_iter().map(|commit| store.commit(commit)).collect();
    let mut results: Vec<Option<Result<(), StoreError>>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, result) in running.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(out) = future.as_mut().poll(cx)
            {
                *result = Some(out);
            }
        }
        if results.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    let failed: Vec<_> = (0..).zip(&results).filter(|(_, r)| !matches!(r, Some(Ok(())))).map(|(n, _)| n).collect();
    assert_eq!(failed, [51], "only the repeated commit fails");
    assert_eq!(store.actor(story.id).await.unwrap().unwrap().head, story.head.unwrap());
    assert_eq!(store.events(story.id, 0, 1000).await.unwrap().len(), 101);
}

async fn a_batch_is_all_or_nothing(store: Arc<dyn ChainStore>) {
    let mut good = started(&*store, 1).await;
    let mut bad = started(&*store, 2).await;
    good.call(None);
    good.commit_state(None, b"never");
    bad.stored.as_mut().unwrap().hash = Digest([1; 32]);
    bad.call(None);
    let (mut commit, other) = (good.commit(), bad.commit());
    commit.actors.extend(other.actors);
    commit.events.extend(other.events);
    commit.answered = vec![Answered { message_id: "cli/1".into(), actor: good.id, seq: 2 }];
    commit.pending_added = vec![message("x/1/0", 2)];
    assert!(matches!(store.commit(commit).await, Err(StoreError::Conflict { actor, .. }) if actor == bad.id));
    assert_eq!(store.actor(good.id).await.unwrap().unwrap().head.seq, 0);
    assert_eq!(store.events(good.id, 1, 10).await.unwrap(), []);
    assert_eq!(store.state(Digest::of(b"never")).await.unwrap(), None);
    assert_eq!(store.answered("cli/1").await.unwrap(), None);
    assert_eq!(store.pending(None, 10).await.unwrap(), []);
}

async fn invalid_batches_are_refused(store: Arc<dyn ChainStore>) {
    let mut story = started(&*store, 1).await;
    story.call(None);
    let good = story.commit();
    let spoiled = |spoil: &dyn Fn(&mut Commit)| {
        let mut commit = good.clone();
        spoil(&mut commit);
        commit
    };
    let cases = [
        spoiled(&|commit| commit.events[0].1.seq = 7),
        spoiled(&|commit| commit.events[0].1.parent_hash = Digest([1; 32])),
        spoiled(&|commit| commit.events[0].1.payload = None),
        spoiled(&|commit| commit.events[0].1.payload_commit = None),
        spoiled(&|commit| commit.events.clear()),
        spoiled(&|commit| commit.events.push((TheaterId::from_bytes([9; 16]), commit.events[0].1.clone()))),
        spoiled(&|commit| commit.actors.push(commit.actors[0].clone())),
        spoiled(&|commit| {
            let index = commit.actors[0].index.clone();
            commit.actors.push(ActorUpdate { id: TheaterId::from_bytes([8; 16]), expected: None, index });
        }),
        spoiled(&|commit| commit.pending_added.push(PendingMessage { payload: None, ..message("x/1/0", 1) })),
    ];
    for (n, commit) in cases.into_iter().enumerate() {
        let error = store.commit(commit).await.unwrap_err();
        assert!(matches!(error, StoreError::Invalid { .. }), "case {n}: {error}");
    }
    assert_eq!(store.events(story.id, 1, 10).await.unwrap(), []);
    store.commit(good).await.unwrap();
}

async fn actors_are_listed_in_order_of_birth(store: Arc<dyn ChainStore>) {
    let root = started(&*store, 200).await;
    let mut ids = vec![root.id];
    for id in [5, 9, 1, 7, 3] {
        let mut child = Story::child_of(id, root.id);
        child.start(RestartStateKind::Reset, None);
        store.commit(child.commit()).await.unwrap();
        ids.push(child.id);
    }
    let listed = |entries: Vec<crate::ActorEntry>| entries.into_iter().map(|entry| entry.id).collect::<Vec<_>>();
    assert_eq!(listed(store.actors(None, 100).await.unwrap()), ids);
    assert_eq!(listed(store.actors(None, 2).await.unwrap()), ids[..2]);
    assert_eq!(listed(store.actors(Some(ids[1]), 2).await.unwrap()), ids[2..4]);
    assert_eq!(listed(store.actors(Some(ids[5]), 2).await.unwrap()), []);
    let mut youngest_first = ids[1..].to_vec();
    youngest_first.reverse();
    assert_eq!(listed(store.children(root.id, 100).await.unwrap()), youngest_first);
    assert_eq!(listed(store.children(root.id, 2).await.unwrap()), youngest_first[..2]);
    assert_eq!(listed(store.children(ids[1], 100).await.unwrap()), []);
}

/// A message with a payload of its own.
fn message(id: &str, receiver: u8) -> PendingMessage {
    let bytes = payload::encode(&[("params", Some(&payload::text(id)))]).unwrap();
    let payload = Payload::new([receiver; 16], bytes);
    PendingMessage {
        message_id: id.to_owned(),
        receiver: TheaterId::from_bytes([receiver; 16]),
        interface: "theater:simple/message-server-client".into(),
        function: "handle-send".into(),
        payload_commit: payload.commit(),
        payload: Some(payload),
        cause: Some(Digest([9; 32])),
    }
}

async fn pending_messages_come_and_go(store: Arc<dyn ChainStore>) {
    let mut story = started(&*store, 1).await;
    // One whose payload came with an event of an earlier batch, one with an event of this batch,
    // and some with their own.
    let earlier = story.call(None);
    store.commit(story.commit()).await.unwrap();
    let now = story.host_call_begun(0);
    let of_event = |id: &str, event: &crate::ChainEvent| {
        let payload_commit = event.payload_commit.unwrap();
        PendingMessage { payload_commit, payload: event.payload.clone(), ..message(id, 2) }
    };
    let (a, b) = (of_event("a/1/0", &earlier), of_event("b/1/0", &now));
    let (c, d, gone) = (message("c/1/0", 3), message("d/1/0", 2), message("gone/1/0", 2));
    let without = |message: &PendingMessage| PendingMessage { payload: None, ..message.clone() };
    story.batch().pending_added = vec![without(&a), without(&b), c.clone(), gone, d.clone()];
    story.batch().pending_removed = vec!["gone/1/0".into(), "unknown/1/0".into()];
    store.commit(story.commit()).await.unwrap();
    assert_eq!(store.pending(None, 10).await.unwrap(), [a.clone(), b.clone(), c.clone(), d.clone()]);
    assert_eq!(store.pending(None, 2).await.unwrap(), [a.clone(), b.clone()]);
    let two = TheaterId::from_bytes([2; 16]);
    assert_eq!(store.pending(Some(two), 10).await.unwrap(), [a.clone(), b.clone(), d.clone()]);
    // Added a second time: it stays where it was.
    story.host_call(0, crate::data::Outcome::Ok);
    story.batch().pending_added = vec![a.clone()];
    story.batch().pending_removed = vec!["b/1/0".into(), "d/1/0".into()];
    store.commit(story.commit()).await.unwrap();
    assert_eq!(store.pending(None, 10).await.unwrap(), [a, c]);
}

async fn answers_are_found_and_the_last_one_counts(store: Arc<dyn ChainStore>) {
    let mut story = started(&*store, 1).await;
    let first = Answered { message_id: "cli/1".into(), actor: story.id, seq: 2 };
    let last = Answered { seq: 4, ..first.clone() };
    for seq in [2, 4] {
        story.call(None);
        story.commit_state(None, b"{}");
        story.batch().answered = vec![Answered { seq, ..first.clone() }];
        store.commit(story.commit()).await.unwrap();
    }
    assert_eq!(store.answered("cli/1").await.unwrap(), Some(last));
    assert_eq!(store.answered("cli/2").await.unwrap(), None);
}

async fn a_recorded_life_verifies(store: Arc<dyn ChainStore>) {
    let mut events = 0;
    for id in 1..4 {
        let mut story = Story::new(id);
        story.write_life();
        // The same bytes again are kept once, and are no error.
        story.batch().states.push((Digest::of(b"{}"), Bytes::from_static(b"{}")));
        let commit = story.commit();
        events += commit.events.len() as u64;
        store.commit(commit).await.unwrap();
    }
    for level in [Level::Links, Level::Full] {
        let mut seen = 0;
        let report = verify_store(&*store, level, &mut |events| seen = events).await.unwrap();
        assert!(report.ok, "{report:?}");
        assert_eq!((report.actors.len(), seen), (3, events));
    }
}
