//! What level full says of a chain that anchors children and tells of their ends.

use theater_chain::data::{
    AskedBy, CallReturned, ChildAnchor, ChildErred, ChildExited, ChildrenAnchored, DeadLetter, ErrorType, KillCause,
    ReasonRecord, RestartStateKind,
};
use theater_chain::testing::Story;
use theater_chain::{
    ActorReport, ChainEvent, ChainStore, Digest, Level, MemoryStore, TheaterId, payload, verify_actor, verify_store,
};

const TRAP: ReasonRecord = ReasonRecord::Abnormal(ErrorType::Trap);

/// A parent and its child, both started, and what was anchored so far.
struct Family {
    parent: Story,
    child: Story,
    /// The seq after the last range.
    from: u64,
}

impl Family {
    fn new() -> Self {
        let mut parent = Story::new(1);
        parent.start(RestartStateKind::Reset, Some(b"{}"));
        let mut child = Story::child_of(2, parent.id);
        child.start(RestartStateKind::Reset, Some(b"0"));
        Self { parent, child, from: 0 }
    }

    /// The range up to where the child stands.
    fn range(&mut self) -> ChildAnchor {
        let head = self.child.head.unwrap();
        let (child, incarnation) = (self.child.id, self.child.index.incarnation);
        let from = std::mem::replace(&mut self.from, head.seq + 1);
        ChildAnchor { child, incarnation, from, to: head.seq, head: head.hash, volatile: false }
    }

    fn anchor_with(&mut self, change: impl FnOnce(&mut ChildAnchor)) {
        let mut range = self.range();
        change(&mut range);
        self.parent.append(&ChildrenAnchored { entries: vec![range] }, &[]);
    }

    fn anchor(&mut self) {
        self.anchor_with(|_| ());
    }

    fn exit(&self, reason: ReasonRecord, error: &ChainEvent) -> ChildExited {
        ChildExited {
            child: self.child.id,
            incarnation: self.child.index.incarnation,
            reason,
            asked_by: AskedBy::Itself,
            poison: false,
            error_hash: error.hash,
            at_ms: 5,
        }
    }

    fn tell(&mut self, exit: &ChildExited) {
        self.parent.append(exit, &[]);
    }

    /// The child handles a message.
    fn work(&mut self) {
        self.child.call(None);
        self.child.commit_state(None, b"next");
    }

    /// The child fails on a message; its `actor_error`.
    fn fail(&mut self, message: &str) -> ChainEvent {
        self.child.call(Some(message));
        self.child.fail(Some(message))
    }

    fn letter(&mut self, message: &str) {
        let letter = DeadLetter {
            message_id: message.into(),
            interface: "theater:simple/message-server-client".into(),
            function: "handle-send".into(),
            reason: "quarantined".into(),
            cause: None,
        };
        self.child.append(&letter, &[]);
    }

    fn restart(&mut self) {
        let state = self.child.index.state;
        let bytes: &[u8] = if state == Digest::of(b"0") { b"0" } else { b"next" };
        self.child.start(RestartStateKind::Resume, Some(bytes));
    }

    async fn verify_in(mut self, store: MemoryStore) -> ActorReport {
        store.commit(self.parent.commit()).await.unwrap();
        if self.child.head != self.child.stored {
            store.commit(self.child.commit()).await.unwrap();
        }
        let entry = store.actor(self.parent.id).await.unwrap().unwrap();
        verify_actor(&store, &entry, Level::Full).await.unwrap()
    }

    async fn verify(self) -> ActorReport {
        self.verify_in(MemoryStore::new()).await
    }
}

/// The parent's last event is the one with this fault; empty: there is none, and nothing unchecked.
#[track_caller]
fn found(report: &ActorReport, head: u64, reason: &str) {
    match &report.fault {
        None => {
            assert!(reason.is_empty(), "nothing was found, where it should be: {reason}");
            assert_eq!(report.unchecked, Vec::<String>::new());
        }
        Some(fault) => {
            assert!(!reason.is_empty() && fault.reason.contains(reason), "{fault}");
            assert_eq!(fault.seq, head, "{fault}");
        }
    }
}

async fn check(reason: &str, write: impl FnOnce(&mut Family)) {
    let mut family = Family::new();
    write(&mut family);
    let head = family.parent.head.unwrap().seq;
    let report = family.verify().await;
    found(&report, head, reason);
}

/// Three incarnations: anchored in between, killed, failed twice by one message.
fn write_lives(family: &mut Family) {
    family.anchor();
    family.work();
    family.work();
    family.anchor();
    family.work();
    let killed = ReasonRecord::Killed(KillCause::Host);
    let end = family.child.end(killed);
    family.anchor();
    family.tell(&family.exit(killed, &end));
    family.restart();
    family.work();
    family.anchor();
    let error = family.fail("m/1");
    family.child.end(TRAP);
    family.anchor();
    family.tell(&family.exit(TRAP, &error));
    family.restart();
    family.anchor();
    let error = family.fail("m/1");
    family.letter("m/1");
    family.child.end(TRAP);
    family.letter("m/2");
    family.anchor();
    family.tell(&ChildExited { poison: true, ..family.exit(TRAP, &error) });
}

#[tokio::test]
async fn lives_that_are_anchored_and_told_as_they_were_verify() {
    check("", write_lives).await;
}

#[tokio::test]
async fn ends_are_found_where_nothing_is_anchored() {
    check("", |family| {
        for n in 0..3 {
            family.work();
            let error = family.fail(&format!("m/{n}"));
            family.child.end(TRAP);
            family.tell(&family.exit(TRAP, &error));
            // One that the parent never learnt of: it had gone.
            family.restart();
            family.child.end(ReasonRecord::Killed(KillCause::ParentGone));
            family.restart();
        }
        // A restart that failed before there was an incarnation.
        let no_event = family.child.call(None);
        family.tell(&ChildExited { error_hash: Digest::ZERO, incarnation: 9, ..family.exit(TRAP, &no_event) });
    })
    .await;
}

#[tokio::test]
async fn anchors_that_lie_are_found() {
    check("is not the one that is anchored", |f| f.anchor_with(|range| range.head = Digest([9; 32]))).await;
    check("it ends at seq 0", |f| f.anchor_with(|range| range.to = 7)).await;
    check("anchored in incarnation 2, and its event 0 is of 1", |f| f.anchor_with(|range| range.incarnation = 2)).await;
    check("the first range of 02020202020202020202020202020202 begins at seq 1", |f| {
        f.work();
        f.anchor_with(|range| range.from = 1);
    })
    .await;
    check("before it begins", |f| f.anchor_with(|range| range.from = 1)).await;
    for (from, what) in [(0, "again"), (2, "with a gap")] {
        check("the ranges of a child follow each other", |f| {
            f.anchor();
            f.work();
            assert_ne!(from, f.from, "{what}");
            f.anchor_with(|range| range.from = from);
        })
        .await;
    }
    check("is not in the store", |f| f.anchor_with(|range| range.child = TheaterId::from_bytes([3; 16]))).await;
    check("is not a child of this actor", |f| {
        f.child.index.parent = None;
        f.anchor();
    })
    .await;
    check("anchored in incarnation 2, and its event 5 is of 1", |f| {
        f.work();
        let error = f.fail("m/1");
        f.child.end(TRAP);
        let range = f.range();
        f.restart();
        let _ = error;
        f.parent.append(&ChildrenAnchored { entries: vec![ChildAnchor { incarnation: 2, ..range }] }, &[]);
    })
    .await;
}

#[tokio::test]
async fn a_child_that_was_cut_short_or_rewritten_is_found_in_its_parent() {
    for rewritten in [false, true] {
        let mut family = Family::new();
        let store = MemoryStore::new();
        store.commit(family.child.commit()).await.unwrap();
        let before = (family.child.head, family.child.index.clone());
        family.work();
        family.anchor();
        // What was committed is the child without its last events, or with others.
        (family.child.head, family.child.index) = before;
        family.child.commit();
        if rewritten {
            family.child.call(None);
            family.child.commit_state(None, b"another");
        }
        family.child.stored = Some(before.0.unwrap());
        let head = family.parent.head.unwrap().seq;
        let report = family.verify_in(store).await;
        found(&report, head, if rewritten { "is not the one that is anchored" } else { "and it ends at seq 0" });
        let id = TheaterId::from_bytes([2; 16]);
        assert!(report.fault.unwrap().reason.contains(&id.to_string()));
    }
}

#[tokio::test]
async fn ends_that_were_not_so_are_found() {
    type Change = fn(&mut ChildExited);
    let exits: [(&str, Change); 5] = [
        ("told to have ended normal, and in its chain abnormal (trap)", |exit| exit.reason = ReasonRecord::Normal),
        ("has no incarnation 2", |exit| exit.incarnation = 2),
        ("not that of the actor_error", |exit| exit.error_hash = Digest([9; 32])),
        ("and it has not", |exit| exit.poison = true),
        ("", |exit| exit.asked_by = AskedBy::Operator),
    ];
    for anchored in [false, true] {
        for (reason, change) in exits {
            check(reason, |f| {
                f.work();
                let error = f.fail("m/1");
                f.letter("m/1");
                f.child.end(TRAP);
                if anchored {
                    f.anchor();
                }
                let mut exit = f.exit(TRAP, &error);
                change(&mut exit);
                f.tell(&exit);
            })
            .await;
        }
    }
    check("has not ended in its chain", |f| {
        let event = f.child.call(None);
        f.tell(&f.exit(ReasonRecord::Normal, &event));
    })
    .await;
    check("not that of the actor_terminated", |f| {
        f.child.call(None);
        let event = f.child.commit_state(None, b"next");
        f.child.end(ReasonRecord::Shutdown);
        f.tell(&f.exit(ReasonRecord::Shutdown, &event));
    })
    .await;
    // The failure before belongs to another incarnation.
    check("not that of the actor_terminated", |f| {
        let error = f.fail("m/1");
        f.child.end(TRAP);
        f.restart();
        f.child.end(ReasonRecord::Normal);
        f.tell(&f.exit(ReasonRecord::Normal, &error));
    })
    .await;
}

#[tokio::test]
async fn a_poisoned_message_failed_twice_in_the_same_way_and_was_set_aside() {
    let poisoned = |f: &mut Family, error: &ChainEvent| {
        f.child.end(TRAP);
        f.anchor();
        f.tell(&ChildExited { poison: true, ..f.exit(TRAP, error) });
    };
    let failed_once = |f: &mut Family| {
        f.fail("m/1");
        f.child.end(TRAP);
        f.restart();
    };
    check("", |f| {
        failed_once(f);
        let error = f.fail("m/1");
        f.letter("m/1");
        poisoned(f, &error);
    })
    .await;
    check("no dead_letter says", |f| {
        failed_once(f);
        let error = f.fail("m/1");
        f.letter("m/2");
        poisoned(f, &error);
    })
    .await;
    check("and it has not", |f| {
        failed_once(f);
        f.work(); // in another state
        let error = f.fail("m/1");
        f.letter("m/1");
        poisoned(f, &error);
    })
    .await;
    check("its chain names none", |f| {
        let error = f.child.fail(None);
        poisoned(f, &error);
    })
    .await;
}

#[tokio::test]
async fn errs_are_in_the_chain_that_they_are_told_of() {
    fn err(f: &mut Family, ok: bool) -> ChainEvent {
        f.child.call(None);
        let state_hash = f.child.index.state;
        f.child.append(&CallReturned { ok, state_hash }, &[("result", Some(&payload::text("no")))])
    }
    fn told(f: &mut Family, event: &ChainEvent, incarnation: u32) {
        let erred = ChildErred { child: f.child.id, incarnation, error_hash: event.hash, at_ms: 1 };
        f.parent.append(&erred, &[("message", Some(&payload::text("no")))]);
    }
    check("", |f| {
        let first = err(f, false);
        for _ in 0..700 {
            f.work();
        }
        f.anchor();
        told(f, &first, 1);
        let second = err(f, false);
        told(f, &second, 1);
        f.child.end(ReasonRecord::Normal);
        f.restart();
        let third = err(f, false);
        told(f, &third, 2);
    })
    .await;
    check("no call that returned err", |f| {
        let event = err(f, true);
        told(f, &event, 1);
    })
    .await;
    check("of incarnation 1, not 2", |f| {
        let event = err(f, false);
        told(f, &event, 2);
    })
    .await;
    check("no event with its error hash", |f| {
        let mut event = err(f, false);
        event.hash = Digest([8; 32]);
        told(f, &event, 1);
    })
    .await;
}

#[tokio::test]
async fn chains_that_are_not_kept_are_said_and_are_no_fault() {
    let mut family = Family::new();
    let gone = TheaterId::from_bytes([7; 16]);
    family.anchor_with(|range| (range.child, range.volatile) = (gone, true));
    family.anchor_with(|range| (range.child, range.volatile, range.from, range.to) = (gone, true, 1, 6));
    let error = family.fail("m/1");
    family.tell(&ChildExited { child: gone, ..family.exit(TRAP, &error) });
    let report = family.verify().await;
    assert_eq!(report.fault, None);
    assert!(report.unchecked.iter().any(|sentence| sentence.contains("ephemeral")), "{report:?}");
    assert!(report.unchecked.iter().any(|sentence| sentence.contains("child_exited")), "{report:?}");

    // The store keeps the newest events of each chain.
    for max in [1, 2, 4, 8] {
        let mut family = Family::new();
        write_lives(&mut family);
        let store = MemoryStore::bounded(max);
        store.commit(family.child.commit()).await.unwrap();
        let report = family.verify_in(store).await;
        assert_eq!(report.fault, None, "{max} events kept");
        assert!(!report.unchecked.is_empty());
    }
}

#[tokio::test]
async fn each_chain_of_a_whole_store_is_checked() {
    let mut family = Family::new();
    write_lives(&mut family);
    let store = MemoryStore::new();
    store.commit(family.parent.commit()).await.unwrap();
    store.commit(family.child.commit()).await.unwrap();
    let report = verify_store(&store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok && report.unchecked.is_empty(), "{report:?}");
}
