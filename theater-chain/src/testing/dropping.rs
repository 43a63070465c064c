//! What every store must do with events that are dropped.

use std::sync::Arc;

use super::conformance::started;
use crate::data::{MessageAccepted, RestartStateKind};
use crate::prune::{Pruning, prune};
use crate::{Answered, ChainStore, Digest, Level, PendingMessage, TheaterId, payload, verify_store};

/// A message of which the payload is with an event that is dropped.
fn waits(id: &str, receiver: TheaterId, commit: Digest) -> PendingMessage {
    PendingMessage {
        message_id: id.into(),
        receiver,
        interface: "theater:simple/message-server-client".into(),
        function: "handle-send".into(),
        payload_commit: commit,
        payload: None,
        cause: None,
    }
}

/// Events, payloads and states go, but for what others share with them.
pub(super) async fn what_is_dropped_is_gone(store: Arc<dyn ChainStore>) {
    let (mut old, mut other) = (started(&*store, 1).await, started(&*store, 2).await);
    let accepted = |n| MessageAccepted { source: "both".into(), n, message_id: format!("both/{n}") };
    let shared = old.append(&accepted(1), &[("params", Some(&payload::bin(b"shared")))]);
    let alone = old.append(&accepted(2), &[("params", Some(&payload::bin(b"alone")))]);
    let waiting = old.append(&accepted(3), &[("params", Some(&payload::bin(b"waiting")))]);
    old.batch().answered = vec![Answered { message_id: "both/1".into(), actor: old.id, seq: 5 }];
    old.batch().pending_added = vec![waits("elsewhere/3", other.id, waiting.payload_commit.unwrap())];
    for state in [&b"only here"[..], b"also there", b"newest"] {
        old.call(None);
        old.commit_state(None, state);
    }
    store.commit(old.commit()).await.unwrap();
    let (first, second) = (other.append_again(&accepted(4), &shared), other.append_again(&accepted(5), &shared));
    other.call(None);
    other.commit_state(None, b"also there");
    store.commit(other.commit()).await.unwrap();
    old.end(crate::data::ReasonRecord::Shutdown);
    old.start(RestartStateKind::Resume, Some(b"newest"));
    store.commit(old.commit()).await.unwrap();
    let kept_from = old.index.started;

    let entry = store.actor(old.id).await.unwrap().unwrap();
    let all = store.events(old.id, kept_from, 100).await.unwrap();
    let pruning = Pruning { keep_after: kept_from - 1, now: 1, salt: [1; 16], key: None };
    let dropped = prune(&*store, &entry, &pruning, &mut |_| ()).await.unwrap();
    assert_eq!((dropped.events, dropped.states, dropped.kept_from), (kept_from, 1, kept_from));
    assert_eq!(store.kept_from(old.id).await.unwrap(), kept_from);
    let left = store.events(old.id, 0, 100).await.unwrap();
    assert_eq!((&left[..all.len()], &*left[all.len()].event_type), (&all[..], "pruned"));
    assert_eq!(store.state(Digest::of(b"only here")).await.unwrap(), None);
    for state in [&b"also there"[..], b"newest"] {
        assert_eq!(store.state(Digest::of(state)).await.unwrap().unwrap(), state);
    }
    let theirs = store.events(other.id, first.seq, 2).await.unwrap();
    assert_eq!(theirs, [first, second]);
    let pending = store.pending(None, 9).await.unwrap();
    assert_eq!(pending[0].payload, waiting.payload);
    if !store.forgets(old.id).await.unwrap() {
        assert!(store.answered("both/1").await.unwrap().is_some(), "it is not processed a second time");
    }
    let report = verify_store(&*store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");

    // A state that was dropped may come again, and the chain goes on; payloads of it are not found.
    old.stored = Some(store.actor(old.id).await.unwrap().unwrap().head);
    old.head = old.stored;
    old.call(None);
    old.commit_state(None, b"only here");
    old.batch().pending_added = vec![waits("elsewhere/4", other.id, shared.payload_commit.unwrap())];
    let mut without = old.commit();
    let with = without.clone();
    without.pending_added = vec![waits("elsewhere/5", other.id, alone.payload_commit.unwrap())];
    store.commit(without).await.unwrap_err();
    store.commit(with).await.unwrap();
    assert_eq!(store.state(Digest::of(b"only here")).await.unwrap().unwrap(), "only here");
    assert_eq!(store.pending(None, 9).await.unwrap()[1].payload, shared.payload);
    let report = verify_store(&*store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
}
