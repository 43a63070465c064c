//! What the supervisor's guest decides, starts and stops.

use serde::Serialize;
use theater_chain::data::{AskedBy, ReasonRecord};
use theater_chain::{ChainEvent, Digest, TheaterId};
use theater_supervision_policy::{Down, GuestDecision, RestartType, Shutdown, Spec, StateChoice, Step};

use super::found;
use super::scene::{Scene, TRAP};

const ONE: &str = "[[handlers.children]]\nid = \"ledger\"\nmanifest = \"ledger.toml\"\nrestart_state = \"resume\"\n";

#[derive(Serialize)]
enum Decision {
    Restart(RestartState),
    Stop,
    Escalate,
    Ignore,
    Policy,
}

#[derive(Serialize, Clone)]
enum RestartState {
    Reset,
    ResumeFrom(Vec<u8>),
    Custom(Vec<u8>),
}

#[derive(Serialize)]
struct ChildSpec {
    id: &'static str,
    manifest: &'static str,
    init_bytes: Option<Vec<u8>>,
    restart: &'static str,
    restart_state: RestartState,
    shutdown: WitShutdown,
    significant: bool,
    group: Option<&'static str>,
}

#[derive(Serialize)]
enum WitShutdown {
    TimeoutMs(u64),
}

fn wit_spec(id: &'static str, restart: &'static str) -> ChildSpec {
    ChildSpec {
        id,
        manifest: "worker.toml",
        init_bytes: Some(vec![1, 2, 3]),
        restart,
        restart_state: RestartState::Reset,
        shutdown: WitShutdown::TimeoutMs(50),
        significant: false,
        group: None,
    }
}

fn spec(id: &str, restart: RestartType) -> Spec {
    Spec {
        id: id.into(),
        manifest: "worker.toml".into(),
        restart,
        restart_state: StateChoice::Reset,
        shutdown: Some(Shutdown::WithinMs(50)),
        significant: false,
        max_restarts: None,
        group: None,
        redeliver: false,
    }
}

/// The child fails; the guest answers so, and the engine is told so.
async fn decided(said: Option<Decision>, told: GuestDecision, reason: &str) {
    let mut scene = Scene::new(ONE);
    let (fact, exit) = scene.tell("ledger", TRAP, AskedBy::Itself, "it broke", 100);
    let step = scene.engine.exited(&exit, 100, true);
    assert!(matches!(step, Step::Ask(_)));
    scene.ask(&fact, said.as_ref());
    let step = scene.engine.answered(exit.child, told, 170);
    scene.record(step);
    found(&scene.verify().await, reason);
}

#[tokio::test]
async fn the_guest_decides_what_it_answered() {
    let hash = Digest::of(b"0");
    let from = || RestartState::ResumeFrom(hash.as_bytes().to_vec());
    decided(Some(Decision::Stop), GuestDecision::Stop, "").await;
    decided(Some(Decision::Escalate), GuestDecision::Escalate, "").await;
    decided(Some(Decision::Ignore), GuestDecision::Ignore, "").await;
    decided(Some(Decision::Policy), GuestDecision::Policy, "").await;
    decided(Some(Decision::Restart(from())), GuestDecision::Restart(StateChoice::ResumeFrom(hash)), "").await;
    let custom = RestartState::Custom(b"other".to_vec());
    decided(Some(Decision::Restart(custom)), GuestDecision::Restart(StateChoice::Custom(b"other".to_vec())), "").await;
    // An err leaves it to the policy.
    decided(None, GuestDecision::Policy, "").await;
    // A state hash that is none does, too.
    let short = RestartState::ResumeFrom(vec![1]);
    decided(Some(Decision::Restart(short)), GuestDecision::Policy, "").await;

    decided(Some(Decision::Stop), GuestDecision::Ignore, "its action is ignore, and stop follows").await;
    decided(Some(Decision::Ignore), GuestDecision::Policy, "its action is restart, and ignore follows").await;
    decided(Some(Decision::Policy), GuestDecision::Stop, "its action is stop, and restart follows").await;
    decided(None, GuestDecision::Stop, "its action is stop, and restart follows").await;
    let other = GuestDecision::Restart(StateChoice::ResumeFrom(Digest([8; 32])));
    decided(Some(Decision::Restart(from())), other, "its new state is 0808").await;
}

#[tokio::test]
async fn nothing_is_decided_before_the_guest_has_answered() {
    let mut scene = Scene::new(ONE);
    let (fact, exit) = scene.tell("ledger", TRAP, AskedBy::Itself, "it broke", 100);
    scene.begin_ask(&fact);
    let step = scene.engine.exited(&exit, 100, false);
    scene.record(step);
    found(&scene.verify().await, "had not answered");
}

#[tokio::test]
async fn an_erased_answer_cannot_be_checked() {
    let mut scene = Scene::new(ONE);
    let (fact, exit) = scene.tell("ledger", TRAP, AskedBy::Itself, "it broke", 100);
    scene.engine.exited(&exit, 100, true);
    scene.ask(&fact, Some(&Decision::Stop));
    let step = scene.engine.answered(exit.child, GuestDecision::Stop, 170);
    scene.record(step);
    scene.erased.push("call_returned");
    let report = scene.verify().await;
    assert_eq!(report.fault, None);
    assert!(report.unchecked.iter().any(|sentence| sentence.contains("answer of decide")), "{report:?}");
}

/// The guest starts a child; it is up as soon as the answer is recorded, or before.
fn start_child(scene: &mut Scene<'_>, wit: &ChildSpec, made: Option<Spec>, crash_at: Option<u64>) -> TheaterId {
    let mut id = None;
    scene.host_call("supervision", "start-child", &(wit,), |scene, begun| {
        let child = TheaterId::of_spawn(&begun);
        id = Some(child);
        scene.make("worker", child);
        if let Some(spec) = made {
            scene.engine.specified(child, spec);
        }
        if let Some(at_ms) = crash_at {
            crash(scene, "worker", at_ms);
        }
        Ok::<_, ()>(Some(child.to_string()))
    });
    id.unwrap()
}

/// As [`Scene::crash`], of a child that begins anew.
fn crash(scene: &mut Scene<'_>, name: &str, at_ms: u64) -> Vec<ChainEvent> {
    let decisions = scene.exit(name, TRAP, "it broke", at_ms);
    scene.start_with(name, theater_chain::data::RestartStateKind::Reset, Some(b"0"), decisions.first());
    decisions
}

#[tokio::test]
async fn a_child_of_start_child_is_restarted_as_its_spec_says() {
    for early in [None, Some(90)] {
        let mut scene = Scene::new(ONE);
        let made = spec("worker", RestartType::Permanent);
        start_child(&mut scene, &wit_spec("worker", "Permanent"), Some(made), early);
        assert!(!crash(&mut scene, "worker", 100).is_empty());
        found(&scene.verify().await, "");
    }
    // The spec says something else than the engine was told.
    let mut scene = Scene::new(ONE);
    let made = spec("worker", RestartType::Permanent);
    start_child(&mut scene, &wit_spec("worker", "Temporary"), Some(made), None);
    crash(&mut scene, "worker", 100);
    found(&scene.verify().await, "its action is restart, and stop follows");
}

#[tokio::test]
async fn a_start_that_was_refused_makes_no_child() {
    let mut scene = Scene::new(ONE);
    scene.host_call("supervision", "start-child", &(wit_spec("worker", "Permanent"),), |scene, begun| {
        let child = TheaterId::of_spawn(&begun);
        scene.make("worker", child);
        scene.engine.specified(child, spec("worker", RestartType::Permanent));
        Err::<(), _>("AlreadyPresent")
    });
    crash(&mut scene, "worker", 100);
    found(&scene.verify().await, "no fact that is not decided on yet");
}

#[tokio::test]
async fn a_dynamic_child_is_what_the_template_says() {
    let template = "strategy = \"dynamic\"\n[[handlers.children]]\nid = \"any\"\nmanifest = \"worker.toml\"\nrestart = \"transient\"\n";
    let mut scene = Scene::new(template);
    let made = Spec { shutdown: None, ..spec("generated", RestartType::Transient) };
    start_child(&mut scene, &wit_spec("", "Permanent"), Some(made), None);
    crash(&mut scene, "worker", 100);
    scene.exit("worker", ReasonRecord::Normal, "", 200);
    found(&scene.verify().await, "");
}

#[tokio::test]
async fn spawned_children_follow_their_own_policy() {
    for declared in [false, true] {
        let entry = if declared { "[handlers.spawned]\nrestart = \"transient\"\n" } else { "" };
        for early in [false, true] {
            let mut scene = Scene::new(entry);
            scene.host_call("supervisor", "spawn", &("w.toml", None::<Vec<u8>>), |scene, begun| {
                let child = TheaterId::of_spawn(&begun);
                scene.make("worker", child);
                scene.engine.spawned(child);
                if early {
                    scene.exit("worker", TRAP, "it broke", 90);
                    scene.start_with("worker", theater_chain::data::RestartStateKind::Resume, Some(b"0"), None);
                }
                Ok::<_, ()>(child.to_string())
            });
            let decisions = scene.exit("worker", ReasonRecord::Normal, "", 100);
            assert_eq!(decisions.len(), usize::from(declared));
            found(&scene.verify().await, "");
        }
    }
}

#[tokio::test]
async fn children_that_were_stopped_on_purpose_do_not_count() {
    let two = r#"
auto_shutdown = "all-significant"
[[handlers.children]]
id = "one"
manifest = "one.toml"
restart = "transient"
significant = true
[[handlers.children]]
id = "two"
manifest = "two.toml"
restart = "transient"
significant = true
"#;
    for (interface, function, by_id) in
        [("supervision", "terminate-child", false), ("supervisor", "stop-child", true), ("", "", false)]
    {
        let mut scene = Scene::new(two);
        let one = scene.id("one");
        let target = if by_id { one.to_string() } else { "one".to_owned() };
        if interface.is_empty() {
            scene.tell("one", ReasonRecord::Killed(theater_chain::data::KillCause::Host), AskedBy::Operator, "", 50);
        } else {
            scene.host_call(interface, function, &(target,), |scene, _| {
                scene.tell("one", ReasonRecord::Shutdown, AskedBy::Parent, "", 50);
                Ok::<_, ()>(())
            });
        }
        scene.engine.down(one, Down::Asked);
        // The last one that was up: the supervisor follows.
        assert_eq!(scene.exit("two", ReasonRecord::Normal, "", 100).len(), 2);
        found(&scene.verify().await, "");
    }
    // It was started again by hand, and lives.
    let mut scene = Scene::new(two);
    let one = scene.id("one");
    scene.host_call("supervision", "restart-child-with", &("one", RestartState::Reset), |scene, _| {
        scene.tell("one", ReasonRecord::Shutdown, AskedBy::Parent, "", 50);
        scene.start_with("one", theater_chain::data::RestartStateKind::Reset, Some(b"0"), None);
        Ok::<_, ()>(Some(one.to_string()))
    });
    assert_eq!(scene.exit("two", ReasonRecord::Normal, "", 100).len(), 1);
    scene.start("two", None);
    // An operator stopped it and started it.
    scene.tell("one", ReasonRecord::Shutdown, AskedBy::Operator, "", 150);
    scene.start_with("one", theater_chain::data::RestartStateKind::Reset, Some(b"0"), None);
    assert_eq!(scene.exit("two", ReasonRecord::Normal, "", 200).len(), 1);
    found(&scene.verify().await, "");
    // A deleted one is nobody's.
    let mut scene = Scene::new(two);
    scene.tell("one", ReasonRecord::Shutdown, AskedBy::Operator, "", 50);
    let one = scene.id("one");
    scene.engine.down(one, Down::Asked);
    scene.host_call("supervision", "delete-child", &("one",), |scene, _| {
        scene.engine.forget(one);
        Ok::<_, ()>(())
    });
    assert_eq!(scene.exit("two", ReasonRecord::Normal, "", 100).len(), 2);
    found(&scene.verify().await, "");
}

#[tokio::test]
async fn an_erased_host_call_cannot_be_checked() {
    let mut scene = Scene::new(ONE);
    start_child(&mut scene, &wit_spec("worker", "Permanent"), Some(spec("worker", RestartType::Permanent)), None);
    crash(&mut scene, "worker", 100);
    for erased in ["host_call_begun", "host_call"] {
        let mut scene = Scene::new(ONE);
        start_child(&mut scene, &wit_spec("worker", "Permanent"), Some(spec("worker", RestartType::Permanent)), None);
        crash(&mut scene, "worker", 100);
        scene.erased.push(erased);
        let report = scene.verify().await;
        assert_eq!(report.fault, None);
        assert!(report.unchecked.iter().any(|sentence| sentence.contains("host call that was erased")), "{report:?}");
    }
}
