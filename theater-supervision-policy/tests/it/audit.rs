//! The audit of decisions: histories that follow verify, and each lie is found.

mod guest;
mod linked;
mod random;
mod scene;

use theater_chain::data::{
    AskedBy, ErrorType, KillCause, ReasonRecord, RestartStateKind, SupervisionActionKind as Action,
};
use theater_chain::{ActorReport, Digest, Level, TheaterId, Verification};
use theater_supervision_policy::DecisionAudit;

use self::scene::{Scene, TRAP};

const BANK: &str = r#"
max_restarts = 3
within = "60s"
backoff = { initial = "100ms", factor = 2.0, max = "1s", jitter = 0.2, reset_after = "10s" }

[[handlers.children]]
id = "ledger"
manifest = "ledger.toml"
restart_state = "resume"

[[handlers.children]]
id = "audit"
manifest = "audit.toml"
restart = "transient"
restart_state = "resume"

[[handlers.children]]
id = "cache"
manifest = "cache.toml"
restart_state = "resume"
max_restarts = 1

[[handlers.errors]]
match = { error = "insufficient*" }
class = "expected"

[[handlers.errors]]
match = { error = "slow*", times = 2, within = "10s" }
class = "temporary"

[[handlers.errors]]
match = { error = "fatal*", children = ["led*"] }
action = "stop"
"#;

/// The report's fault; empty: there is none, and nothing that was not checked.
#[track_caller]
pub(super) fn found(report: &ActorReport, reason: &str) {
    match &report.fault {
        None => assert!(reason.is_empty() && report.unchecked.is_empty(), "not found: {reason}; {report:?}"),
        Some(fault) => assert!(!reason.is_empty() && fault.reason.contains(reason), "{reason}: {fault}"),
    }
}

/// Restarts, warnings, rules, a stop, an exhausted budget, and a second life of the supervisor.
fn write_history(scene: &mut Scene<'_>) {
    scene.crash("ledger", 100);
    scene.work("ledger");
    scene.crash("ledger", 5_000); // more than half of the budget: a warning
    scene.exit("audit", TRAP, "insufficient funds", 5_500);
    scene.start("audit", None); // by hand, which changes nothing here
    let slow = scene.exit("audit", TRAP, "slow disk", 6_000);
    scene.start("audit", slow.first());
    scene.exit("audit", ReasonRecord::Normal, "", 6_500);
    scene.exit("cache", ReasonRecord::Killed(KillCause::Host), "", 7_000); // one too many
    scene.again();
    scene.crash("cache", 7_100);
    scene.err("ledger", "slow disk", 7_200);
    scene.err("ledger", "fatal loss", 7_300);
    scene.tell("ledger", ReasonRecord::Shutdown, AskedBy::Parent, "", 7_310);
    let exit = scene.tell_no_start("cache", "no such file", 9_000);
    let step = scene.engine.exited(&exit, 9_100, false);
    scene.record(step); // its own budget
}

#[tokio::test]
async fn a_history_that_follows_verifies() {
    let mut scene = Scene::new(BANK);
    write_history(&mut scene);
    assert_eq!(scene.decided, 11);
    found(&scene.verify().await, "");
}

/// The decisions of [`write_history`], in words.
#[tokio::test]
async fn the_history_is_the_one_that_the_semantics_ask_for() {
    let seen = std::cell::RefCell::new(Vec::new());
    let mut scene = Scene::changed(BANK, |_, data| {
        let class = data.class.clone().unwrap_or_default();
        let action = format!("{:?} {} {} {}", data.action, data.rule, data.attempt, data.window);
        seen.borrow_mut().push(format!("{action} {class}").trim_end().to_owned());
    });
    write_history(&mut scene);
    drop(scene);
    let expected = [
        "Restart permanent 1 1",
        "Restart permanent 2 2",
        "Warn budget 2 2",
        "Ignore errors[0] 0 0 expected",
        "Restart transient 1 3",
        "Stop transient 0 0",
        "Escalate budget 1 4",
        "Restart permanent 1 1",
        "Warn child-budget 1 1",
        "Stop errors[2] 0 0",
        "Escalate child-budget 2 2",
    ];
    assert_eq!(seen.into_inner(), expected);
}

/// The seqs of the decisions, in their order.
fn decisions(scene: &mut Scene<'_>) -> Vec<u64> {
    let events = &scene.sup.batch().events;
    events.iter().filter(|(_, event)| event.event_type == "supervision_action").map(|(_, event)| event.seq).collect()
}

#[tokio::test]
async fn each_field_of_each_decision_is_compared() {
    type Lie = fn(&mut theater_chain::data::SupervisionAction);
    const UNJUSTIFIED: &str = "no fact that is not decided on yet leads to it";
    let lies: [(&str, Lie); 12] = [
        ("its action is", |data| data.action = if data.action == Action::Warn { Action::Stop } else { Action::Warn }),
        ("its rule is", |data| data.rule.push('!')),
        ("its class is", |data| data.class = Some("permanent".into())),
        ("its attempt is", |data| data.attempt += 1),
        ("its window is", |data| data.window += 1),
        ("its delay_ms is", |data| data.delay_ms += 1),
        ("its cut is", |data| data.cut = Some(Vec::new())),
        ("at_ms", |data| data.at_ms = 0),
        (UNJUSTIFIED, |data| data.actor_id = TheaterId::from_bytes([9; 16])),
        (UNJUSTIFIED, |data| data.error_hash = Some(Digest([9; 32]))),
        ("", |data| data.new_state_hash = None),
        ("", |_| ()),
    ];
    for (reason, lie) in lies {
        let mut seqs = Vec::new();
        for lied in 0..11 {
            let mut scene = Scene::changed(BANK, |n, data| {
                if n == lied {
                    lie(data)
                }
            });
            write_history(&mut scene);
            seqs = decisions(&mut scene);
            let report = scene.verify().await;
            found(&report, reason);
            assert_eq!(
                report.fault.map(|fault| fault.seq),
                Some(seqs[lied]).filter(|_| !reason.is_empty()),
                "{reason}"
            );
        }
        assert_eq!(seqs.len(), 11);
    }
}

#[tokio::test]
async fn a_state_that_a_restart_names_is_the_one_that_the_child_begins_with() {
    for (lied, kind) in [(true, RestartStateKind::Resume), (false, RestartStateKind::Reset)] {
        let mut scene = Scene::changed(BANK, |_, data| {
            if lied {
                data.new_state_hash = Some(Digest([9; 32]))
            }
        });
        let decisions = scene.exit("ledger", TRAP, "it broke", 100);
        scene.start_with("ledger", kind, None, decisions.first());
        found(&scene.verify().await, if lied { "is to begin with the state 0909" } else { "another kind of state" });
    }
    // Somebody was faster than the decision.
    let mut scene = Scene::new(BANK);
    scene.exit("ledger", TRAP, "it broke", 100);
    scene.start_with("ledger", RestartStateKind::Reset, None, None);
    found(&scene.verify().await, "");
}

#[tokio::test]
async fn a_fact_justifies_decisions_once() {
    let mut scene = Scene::new(BANK);
    let (_, exit) = scene.tell("ledger", TRAP, AskedBy::Itself, "it broke", 100);
    for _ in 0..2 {
        let step = scene.engine.exited(&exit, 100, false);
        scene.record(step);
    }
    found(&scene.verify().await, "no fact that is not decided on yet");
    // Somebody asked for the end.
    for by in [AskedBy::Parent, AskedBy::Operator] {
        let mut scene = Scene::new(BANK);
        let (_, exit) = scene.tell("ledger", TRAP, by, "it broke", 100);
        let exit = theater_supervision_policy::Exit { asked_by: AskedBy::Itself, ..exit };
        let step = scene.engine.exited(&exit, 100, false);
        scene.record(step);
        found(&scene.verify().await, "no fact that is not decided on yet");
    }
}

#[tokio::test]
async fn decisions_may_come_later_and_in_another_order_than_their_facts() {
    let mut scene = Scene::new(BANK);
    let (_, ledger) = scene.tell("ledger", TRAP, AskedBy::Itself, "it broke", 100);
    let (_, audit) = scene.tell("audit", TRAP, AskedBy::Itself, "slow disk", 101);
    scene.sup.call(None);
    for (exit, at_ms) in [(audit, 150), (ledger, 160)] {
        let step = scene.engine.exited(&exit, at_ms, false);
        scene.record(step);
    }
    found(&scene.verify().await, "");
    // One of them only: the process may have gone before the other.
    let mut scene = Scene::new(BANK);
    scene.tell("ledger", TRAP, AskedBy::Itself, "it broke", 100);
    scene.crash("audit", 101);
    found(&scene.verify().await, "");
}

#[tokio::test]
async fn time_does_not_go_back() {
    let mut scene = Scene::new(BANK);
    scene.crash("ledger", 100);
    scene.tell("ledger", TRAP, AskedBy::Itself, "it broke", 99);
    found(&scene.verify().await, "before that of an earlier fact");
    let mut scene = Scene::new(BANK);
    scene.crash("ledger", 100);
    scene.crash("audit", 99);
    found(&scene.verify().await, "before that of the decision before");
}

#[tokio::test]
async fn a_record_that_does_not_verify_is_rejected_for_a_reason() {
    let mut scene = Scene::new(BANK);
    let restart = scene.exit("ledger", TRAP, "it broke", 100);
    scene.tell_no_start("ledger", "its chain is broken", 200);
    let id = scene.id("ledger");
    for decision in scene.engine.rejected(id, None, 201) {
        scene.decide(&decision);
    }
    assert_eq!(restart.len(), 1);
    found(&scene.verify().await, "");
    let mut scene = Scene::new(BANK);
    let id = scene.id("ledger");
    for decision in scene.engine.rejected(id, Some(Digest([9; 32])), 201) {
        scene.decide(&decision);
    }
    found(&scene.verify().await, "no restart was decided on the error that it names");
}

#[tokio::test]
async fn only_supervisors_decide() {
    let mut scene = Scene::new(BANK);
    scene.crash("ledger", 100);
    let decision = scene.sup.batch().events.last().unwrap().1.clone();
    assert_eq!(decision.event_type, "children_anchored");
    // The child's manifest lists no supervisor.
    let (_, exit) = scene.tell("audit", TRAP, AskedBy::Itself, "it broke", 200);
    let theater_supervision_policy::Step::Decided(decisions) = scene.engine.exited(&exit, 200, false) else {
        panic!("it restarts")
    };
    let record = decisions[0].record(None, Digest::ZERO, None);
    scene.child("cache").append(&record, &[]);
    let store = theater_chain::MemoryStore::new();
    theater_chain::ChainStore::commit(&store, scene.child("cache").commit()).await.unwrap();
    let entry = theater_chain::ChainStore::actor(&store, scene.id("cache")).await.unwrap().unwrap();
    let how = Verification::new(Level::Full);
    assert!(how.actor(&store, &entry).await.unwrap().is_ok());
    found(&how.audited(&DecisionAudit).actor(&store, &entry).await.unwrap(), "lists no supervisor");
}

#[tokio::test]
async fn what_was_erased_is_said_and_is_no_fault() {
    for (erased, reason) in [("actor_error", "an error that was erased"), ("child_erred", "an error that was erased")] {
        let mut scene = Scene::new(BANK);
        scene.err("ledger", "fatal loss", 50);
        scene.tell("ledger", ReasonRecord::Shutdown, AskedBy::Parent, "", 60);
        scene.crash("audit", 100);
        scene.erased.push(erased);
        let report = scene.verify().await;
        assert_eq!(report.fault, None);
        assert!(report.unchecked.iter().any(|sentence| sentence.contains(reason)), "{report:?}");
    }
    // Nobody asks for the text where there is no rule.
    let mut scene = Scene::new("[[handlers.children]]\nid = \"ledger\"\nmanifest = \"ledger.toml\"\n");
    let decisions = scene.exit("ledger", ReasonRecord::Abnormal(ErrorType::GuestError), "it broke", 100);
    scene.start_with("ledger", RestartStateKind::Reset, None, decisions.first());
    scene.erased.push("actor_error");
    let report = scene.verify().await;
    assert_eq!(report.fault, None);
    assert!(report.unchecked.iter().all(|sentence| !sentence.contains("supervision_action")), "{report:?}");
}

#[tokio::test]
async fn poison_is_charged_to_nobody() {
    for (told, reason) in [(true, ""), (false, "its action is restart, and warn follows")] {
        let mut scene = Scene::new(BANK);
        for (again, at_ms) in [(false, 100), (true, 200)] {
            let exit = scene.tell_poison("ledger", "cli/1", again, at_ms);
            let exit = theater_supervision_policy::Exit { poison: again && told, ..exit };
            let step = scene.engine.exited(&exit, at_ms, false);
            let decisions = scene.record(step);
            scene.start("ledger", decisions.last());
        }
        found(&scene.verify().await, reason);
    }
}
