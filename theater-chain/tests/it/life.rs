//! What level full says of chains that link but tell an impossible life, and of stores that lack
//! what their chains name.

use theater_chain::data::{
    ActorRolledBack, ActorTerminated, ActorUpgraded, CallReturned, DropReason, ErrorType, EventData as _,
    InstanceDropped, KillCause, Outcome, ReasonRecord, RestartStateKind, StateUpdated,
};
use theater_chain::testing::Story;
use theater_chain::{ActorIndex, ChainStore, Digest, Level, MemoryStore, TheaterId, verify_actor, verify_store};

use crate::committed;

/// Checks a story that begins with a started actor: links hold, and full finds `reason` (empty:
/// nothing) at the last event.
async fn check(name: &str, reason: &str, write: impl Fn(&mut Story)) {
    let mut story = Story::new(1);
    story.start(RestartStateKind::Reset, Some(b"{}"));
    write(&mut story);
    let head = story.head.unwrap();
    let mut links = Story::new(1);
    links.start(RestartStateKind::Reset, Some(b"{}"));
    write(&mut links);
    let report = committed(&mut links, Level::Links).await;
    assert!(report.is_ok(), "{name}: {report:?}");
    let report = committed(&mut story, Level::Full).await;
    match report.fault {
        None => assert!(reason.is_empty(), "{name}: nothing was found"),
        Some(fault) => {
            assert!(!reason.is_empty() && fault.reason.contains(reason), "{name}: {fault}");
            assert_eq!(fault.seq, head.seq, "{name}: {fault}");
        }
    }
}

#[tokio::test]
async fn calls_end_once_and_before_the_next() {
    let returned = |story: &Story| CallReturned { ok: true, state_hash: story.index.state };
    check("open at the end", "", |s| drop(s.call(None))).await;
    check("two at once", "while another one runs", |s| {
        s.call(None);
        s.call(None);
    })
    .await;
    check("an end without a call", "no call that it could belong to", |s| {
        s.append(&returned(s), &[]);
    })
    .await;
    check("two ends", "no call that it could belong to", |s| {
        s.call(None);
        s.append(&returned(s), &[]);
        s.commit_state(None, b"2");
    })
    .await;
    check("another message", "not that of the call", |s| {
        s.call(Some("a/1/0"));
        s.commit_state(Some("a/1/1"), b"2");
    })
    .await;
    check("a call after a failure", "has failed", |s| {
        s.call(None);
        s.fail(None);
        s.call(None);
    })
    .await;
    check("a drop within a call", "while a call runs", |s| {
        s.call(None);
        s.append(&InstanceDropped { reason: DropReason::Aged }, &[]);
    })
    .await;
    check("a call that goes on after a recovery", "", |s| {
        s.call(Some("a/1/0"));
        s.host_call_begun(0);
        s.host_call(0, Outcome::Ok);
        s.host_call_begun(1);
        s.append(&InstanceDropped { reason: DropReason::Recovered }, &[]);
        s.host_call(1, Outcome::Ok);
        s.append(&InstanceDropped { reason: DropReason::Recovered }, &[]);
        s.host_call(2, Outcome::Ok);
        s.commit_state(Some("a/1/0"), b"2");
        s.append(&InstanceDropped { reason: DropReason::Recovered }, &[]);
    })
    .await;
    check("a recovery begins no host call anew", "where host call 1 is due", |s| {
        s.call(None);
        s.host_call(0, Outcome::Ok);
        s.append(&InstanceDropped { reason: DropReason::Recovered }, &[]);
        s.host_call(0, Outcome::Ok);
    })
    .await;
}

#[tokio::test]
async fn host_calls_are_numbered_and_closed() {
    check("outside of a call", "no call that it could belong to", |s| drop(s.host_call(0, Outcome::Ok))).await;
    check("from 1", "where host call 0 is due", |s| {
        s.call(None);
        s.host_call(1, Outcome::Ok);
    })
    .await;
    check("a gap", "where host call 1 is due", |s| {
        s.call(None);
        s.host_call(0, Outcome::Ok);
        s.host_call_begun(2);
    })
    .await;
    check("closed as another", "not the host call 0 that had begun", |s| {
        s.call(None);
        s.host_call_begun(0);
        s.host_call(1, Outcome::Ok);
    })
    .await;
    check("not closed", "while its host call 0 runs", |s| {
        s.call(None);
        s.host_call_begun(0);
        s.commit_state(None, b"2");
    })
    .await;
    check("numbers start anew in each call", "", |s| {
        for _ in 0..2 {
            s.call(None);
            s.host_call(0, Outcome::Ok);
            s.host_call_begun(1);
            s.host_call(1, Outcome::Trap);
            s.commit_state(None, b"2");
        }
    })
    .await;
}

#[tokio::test]
async fn incarnations_follow_each_other() {
    check("a start while one runs", "before the one before has ended", |s| {
        s.start(RestartStateKind::Resume, Some(b"{}"));
    })
    .await;
    check("a number left out", "incarnation 3 follows incarnation 1", |s| {
        s.end(ReasonRecord::Normal);
        s.index.incarnation = 2;
        s.start(RestartStateKind::Resume, Some(b"{}"));
    })
    .await;
    check("two ends", "a second time", |s| {
        s.end(ReasonRecord::Normal);
        s.end(ReasonRecord::Killed(KillCause::Host));
    })
    .await;
    check("an end within a call", "while a call runs", |s| {
        s.call(None);
        s.end(ReasonRecord::Shutdown);
    })
    .await;
    check("a call after the end", "after the incarnation has ended", |s| {
        s.end(ReasonRecord::Normal);
        s.call(None);
    })
    .await;
    check("abnormal without an error", "does not say so", |s| {
        s.end(ReasonRecord::Abnormal(ErrorType::Trap));
    })
    .await;
    check("abnormal for another reason", "does not say so", |s| {
        s.fail(None);
        s.end(ReasonRecord::Abnormal(ErrorType::CallTimeout));
    })
    .await;
    check("a new parent", "parent is not that of the incarnation before", |s| {
        s.end(ReasonRecord::Normal);
        s.index.parent = Some(TheaterId::from_bytes([5; 16]));
        s.start(RestartStateKind::Resume, Some(b"{}"));
    })
    .await;
}

#[tokio::test]
async fn what_begins_to_end_ends() {
    let shutdown = ReasonRecord::Shutdown;
    check("as was said", "", |s| {
        s.ending(shutdown);
        s.end(shutdown);
    })
    .await;
    check("with a call, and again when that began again", "", |s| {
        s.call(None);
        s.ending(ReasonRecord::Normal);
        s.append(&InstanceDropped { reason: DropReason::Recovered }, &[]);
        s.ending(ReasonRecord::Normal);
        s.commit_state(None, b"2");
        s.end(ReasonRecord::Normal);
    })
    .await;
    check("with a call that failed instead", "", |s| {
        s.call(None);
        s.ending(ReasonRecord::Normal);
        s.fail(None);
        s.end(ReasonRecord::Abnormal(ErrorType::Trap));
    })
    .await;
    check("for another reason", "ends otherwise than it had begun to", |s| {
        s.ending(shutdown);
        s.end(ReasonRecord::Normal);
    })
    .await;
    check("twice", "begins to end a second time", |s| {
        s.ending(shutdown);
        s.ending(shutdown);
    })
    .await;
    check("after the end", "begins to end after it has ended", |s| {
        s.end(shutdown);
        s.ending(shutdown);
    })
    .await;
    check("a call after that", "a call after the incarnation has begun to end", |s| {
        s.ending(shutdown);
        s.call(None);
    })
    .await;
}

#[tokio::test]
async fn states_continue() {
    check("another state before", "not that of the last committed state", |s| {
        s.call(None);
        s.index.state = Digest([8; 32]);
        s.commit_state(None, b"2");
    })
    .await;
    check("an end with another state", "not that of the last committed state", |s| {
        let data = ActorTerminated { actor_id: s.id, final_state_hash: Digest::ZERO, reason: ReasonRecord::Normal };
        s.append(&data, &[]);
    })
    .await;
    check("a resume to another state", "another state than the last committed one", |s| {
        s.end(ReasonRecord::Normal);
        s.start(RestartStateKind::Resume, Some(b"other"));
    })
    .await;
    check("a resume from a state that never was", "never had", |s| {
        s.end(ReasonRecord::Normal);
        s.start(RestartStateKind::ResumeFrom, Some(b"other"));
    })
    .await;
    for kind in [RestartStateKind::ResumeFrom, RestartStateKind::Custom, RestartStateKind::Reset] {
        check("an earlier state", "", |s| {
            s.call(None);
            s.commit_state(None, b"2");
            s.end(ReasonRecord::Normal);
            s.start(kind, Some(b"{}"));
        })
        .await;
    }
    check("a state that is not in the store", "is not in the store", |s| {
        s.call(None);
        s.commit_state(None, b"lost");
        s.batch().states.retain(|(_, bytes)| bytes != "lost");
    })
    .await;
    check("a state that is another", "does not hash to its digest", |s| {
        s.call(None);
        s.commit_state(None, b"2");
        s.batch().states.last_mut().unwrap().1 = "3".into();
    })
    .await;
}

#[tokio::test]
async fn data_must_be_that_of_its_type() {
    check("no map", "its data cannot be read", |s| drop(s.append_raw("dead_letter", vec![0xc0], &[]))).await;
    check("of another actor", "of another actor", |s| {
        s.call(None);
        let other = TheaterId::from_bytes([77; 16]);
        let (state, new) = (s.index.state, s.index.state);
        let data =
            StateUpdated { actor_id: other, old_state_hash: state, new_state_hash: new, transition_message: None };
        s.append_raw("state_updated", data.encode(), &[]);
    })
    .await;
}

#[tokio::test]
async fn a_chain_starts_with_its_first_start() {
    let mut story = Story::new(1);
    story.append(&InstanceDropped { reason: DropReason::Aged }, &[]);
    let fault = committed(&mut story, Level::Full).await.fault.unwrap();
    assert_eq!((fault.seq, fault.reason.as_str()), (0, "the first event is not actor_started"));
    let mut story = Story::new(1);
    story.index.incarnation = 1;
    story.start(RestartStateKind::Reset, None);
    let fault = committed(&mut story, Level::Full).await.fault.unwrap();
    assert_eq!((fault.seq, fault.reason.as_str()), (0, "the first incarnation is numbered 2"));
}

#[tokio::test]
async fn the_index_entry_is_compared() {
    type Change = fn(&mut ActorIndex);
    let changes: [(&str, Change); 5] = [
        ("parent", |index| index.parent = Some(TheaterId::from_bytes([1; 16]))),
        ("incarnation", |index| index.incarnation += 1),
        ("start", |index| index.started += 1),
        ("end", |index| index.ended = None),
        ("state", |index| index.state = Digest::ZERO),
    ];
    for (what, change) in changes {
        let mut story = Story::new(1);
        story.write_life();
        change(&mut story.index);
        let fault = committed(&mut story, Level::Full).await.fault.unwrap();
        assert_eq!(fault.reason, format!("the index entry's {what} is not what the chain says"));
    }
}

#[tokio::test]
async fn what_cannot_be_checked_is_said() {
    let mut story = Story::new(1);
    story.write_life();
    story.append_raw("weather_report", vec![0x80], &[]);
    let store = MemoryStore::new();
    store.commit(story.commit()).await.unwrap();
    let entry = store.actor(story.id).await.unwrap().unwrap();
    let report = verify_actor(&store, &entry, Level::Full).await.unwrap();
    assert!(report.is_ok(), "{report:?}");
    for what in ["weather_report", "supervision_action", "child_exited"] {
        assert!(report.unchecked.iter().any(|sentence| sentence.contains(what)), "{what}: {report:?}");
    }
}

#[tokio::test]
async fn a_report_reads_as_the_command_line_promises() {
    let store = MemoryStore::new();
    let (mut good, mut bad) = (Story::new(1), Story::new(2));
    good.start(RestartStateKind::Reset, None);
    let event = bad.start(RestartStateKind::Reset, Some(b"{}"));
    let good_hash = good.head.unwrap().hash;
    let mut spoiled = bad.commit();
    spoiled.events[0].1 = theater_chain::ChainEvent { timestamp: 0, ..event };
    store.commit(good.commit()).await.unwrap();
    store.commit(spoiled).await.unwrap();
    let report = verify_store(&store, Level::Full, &mut |_| ()).await.unwrap();
    let expected = format!(
        r#"{{"ok":false,"actors":[{{"id":"{}","events":1,"head":"{good_hash}","ok":true}},{{"id":"{}","events":0,"head":null,"ok":false,"fault":{{"seq":0,"reason":"its content does not hash to its hash"}}}}],"unchecked":[]}}"#,
        good.id, bad.id
    );
    assert_eq!(serde_json::to_string(&report).unwrap(), expected);
}

#[tokio::test]
async fn a_component_is_exchanged_between_calls_and_taken_back_once() {
    fn upgrade(s: &mut Story, state: &[u8]) -> (u64, ActorUpgraded) {
        let data = s.upgraded("0.2.0", state);
        (s.upgrade(&data).seq, data)
    }
    check("an upgrade, and a start of what it left", "", |s| {
        upgrade(s, b"2");
        s.end(ReasonRecord::Shutdown);
        s.start(RestartStateKind::Resume, Some(b"2"));
    })
    .await;
    check("after an end", "", |s| {
        s.end(ReasonRecord::Shutdown);
        upgrade(s, b"2");
        s.start(RestartStateKind::Resume, Some(b"2"));
    })
    .await;
    check("while a call runs", "while a call runs", |s| {
        s.call(None);
        upgrade(s, b"2");
    })
    .await;
    check("after a failure", "after the incarnation has failed", |s| {
        s.fail(None);
        upgrade(s, b"2");
    })
    .await;
    check("from another component", "not the one that the actor ran", |s| {
        let data = ActorUpgraded { old_component: Digest([7; 32]), ..s.upgraded("0.2.0", b"2") };
        s.upgrade(&data);
    })
    .await;
    check("from another state", "not that of the last committed state", |s| {
        let data = ActorUpgraded { old_state_hash: Digest([7; 32]), ..s.upgraded("0.2.0", b"2") };
        s.upgrade(&data);
    })
    .await;
    check("another state without a migration", "`migrate` did not run", |s| {
        let data = ActorUpgraded { migrated: false, ..s.upgraded("0.2.0", b"2") };
        s.upgrade(&data);
    })
    .await;
    check("a component that is not there", "is not in the store", |s| {
        let data = ActorUpgraded { new_component: Digest([7; 32]), ..s.upgraded("0.2.0", b"2") };
        s.upgrade(&data);
    })
    .await;
    check("not after the one before", "does not name the upgrade before it", |s| {
        upgrade(s, b"2");
        let data = ActorUpgraded { previous: None, ..s.upgraded("0.3.0", b"3") };
        s.upgrade(&data);
    })
    .await;
    check("from another version", "its old version", |s| {
        upgrade(s, b"2");
        let data = ActorUpgraded { old_version: "0.1.0".into(), ..s.upgraded("0.3.0", b"3") };
        s.upgrade(&data);
    })
    .await;
    check("two taken back, the newest first", "", |s| {
        let (first, second) = (upgrade(s, b"2"), upgrade(s, b"3"));
        for (seq, data) in [second, first] {
            let back = s.rolled_back(seq, &data);
            s.roll_back(&back);
        }
    })
    .await;
    check("taken back, and another one after it", "", |s| {
        let (seq, data) = upgrade(s, b"2");
        let back = s.rolled_back(seq, &data);
        s.roll_back(&back);
        let (seq, data) = upgrade(s, b"4");
        let back = s.rolled_back(seq, &data);
        s.roll_back(&back);
    })
    .await;
    check("not the newest", "the newest upgrade is", |s| {
        let (seq, data) = upgrade(s, b"2");
        upgrade(s, b"3");
        let back = s.rolled_back(seq, &data);
        s.roll_back(&back);
    })
    .await;
    check("twice", "no upgrade that it could take back", |s| {
        let (seq, data) = upgrade(s, b"2");
        for _ in 0..2 {
            let back = s.rolled_back(seq, &data);
            s.roll_back(&back);
        }
    })
    .await;
    check("to another state", "something else than what was there", |s| {
        let (seq, data) = upgrade(s, b"2");
        let back = ActorRolledBack { new_state_hash: data.new_state_hash, ..s.rolled_back(seq, &data) };
        s.roll_back(&back);
    })
    .await;
}
