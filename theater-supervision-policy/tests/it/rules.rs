//! What decides, by the name that the record has for it.

use std::sync::Arc;

use theater_chain::data::{AskedBy, ErrorType, KillCause, ReasonRecord, SupervisionActionKind as Action};
use theater_chain::{Digest, TheaterId};
use theater_supervision_policy::{Class, Decision, Down, Engine, Exit, GuestDecision, Question, StateChoice, Step};

const SUPERVISOR: TheaterId = TheaterId::from_bytes([0; 16]);
const SPAWNED: TheaterId = TheaterId::from_bytes([99; 16]);

fn id(n: u8) -> TheaterId {
    TheaterId::from_bytes([n; 16])
}

/// An engine with the declared children, whose ids are 1, 2, ..., and a spawned one.
fn engine(policy: &str) -> Engine {
    let (policy, _) = theater_supervision_policy::read(&toml::from_str(policy).unwrap()).unwrap();
    let mut engine = Engine::new(Arc::new(policy), SUPERVISOR);
    let specs = engine.policy().children.clone();
    for (n, spec) in specs.into_iter().enumerate() {
        engine.specified(id(n as u8 + 1), spec);
    }
    engine.spawned(SPAWNED);
    engine
}

/// Children of these ids, restarted permanently, and more keys.
fn children(ids: &[&str], keys: &str) -> String {
    ids.iter().map(|id| format!("[[children]]\nid = \"{id}\"\nmanifest = \"{id}.toml\"\n{keys}\n")).collect()
}

fn exit(child: TheaterId, reason: ReasonRecord) -> Exit {
    Exit {
        child,
        name: "counter".into(),
        incarnation: 0,
        reason,
        asked_by: AskedBy::Itself,
        poison: false,
        message: "out of tea".into(),
        error_hash: Digest([5; 32]),
    }
}

const TRAP: ReasonRecord = ReasonRecord::Abnormal(ErrorType::Trap);

fn trap(child: u8) -> Exit {
    exit(id(child), TRAP)
}

fn decided(step: Step) -> Vec<Decision> {
    let Step::Decided(decisions) = step else { panic!("{step:?} is no decision") };
    decisions
}

/// Action, rule and window of each.
fn short(decisions: &[Decision]) -> Vec<(Action, &str, u32)> {
    decisions.iter().map(|decision| (decision.action, decision.rule.as_str(), decision.window)).collect()
}

#[test]
fn restart_types_decide_by_their_names() {
    let normal = ReasonRecord::Normal;
    let killed = ReasonRecord::Killed(KillCause::Deadline);
    for (restart, reason, expected) in [
        ("permanent", normal, Action::Restart),
        ("permanent", ReasonRecord::Shutdown, Action::Restart),
        ("permanent", TRAP, Action::Restart),
        ("transient", normal, Action::Stop),
        ("transient", ReasonRecord::Shutdown, Action::Stop),
        ("transient", TRAP, Action::Restart),
        ("transient", killed, Action::Restart),
        ("temporary", TRAP, Action::Stop),
    ] {
        let keys = format!("restart = \"{restart}\"");
        let mut engine = engine(&format!("max_restarts = \"infinity\"\nspawned.{keys}\n{}", children(&["a"], &keys)));
        let decision = decided(engine.exited(&exit(id(1), reason), 7, false)).remove(0);
        assert_eq!((decision.action, decision.rule.as_str(), decision.at_ms), (expected, restart, 7));
        let decision = decided(engine.exited(&exit(SPAWNED, reason), 7, false)).remove(0);
        assert_eq!((decision.action, decision.rule), (expected, format!("spawned-{restart}")));
        assert_eq!(engine.spec(id(1)).is_none(), restart == "temporary");
    }
}

#[test]
fn without_a_policy_of_spawned_children_they_are_left_alone() {
    let mut engine = engine("");
    assert_eq!(engine.exited(&exit(SPAWNED, TRAP), 0, true), Step::Nothing);
    assert_eq!(engine.erred(SPAWNED, "counter", "x", Digest::ZERO, 0), Step::Nothing);
    assert!(!engine.speaks_of(SPAWNED, "counter", "x"));
}

#[test]
fn what_somebody_asked_for_is_not_decided() {
    for asked_by in [AskedBy::Parent, AskedBy::Operator] {
        let mut engine = engine(&format!("strategy = \"one-for-all\"\n{}", children(&["a", "b"], "")));
        assert_eq!(engine.exited(&Exit { asked_by, ..trap(1) }, 0, true), Step::Nothing);
        assert_eq!(engine.scope(id(2)), [id(2)], "it stays down");
        engine.up(id(1));
        assert_eq!(engine.scope(id(2)), [id(1), id(2)]);
    }
}

#[test]
fn a_declined_restart_leaves_the_child_down() {
    let mut engine = engine(&format!("strategy = \"one-for-all\"\n{}", children(&["a", "b"], "")));
    assert_eq!(engine.exited(&exit(id(1), ReasonRecord::Declined), 0, true), Step::Nothing);
    assert_eq!(engine.scope(id(2)), [id(2)]);
    assert_eq!(engine.status(0).children[0].down, Some(Down::Declined));
}

#[test]
fn a_child_stopped_for_a_restart_of_its_siblings_is_restarted_with_them_again() {
    let mut engine = engine(&format!("strategy = \"one-for-all\"\nmax_restarts = 9\n{}", children(&["a", "b"], "")));
    decided(engine.exited(&trap(1), 0, false));
    assert_eq!(engine.exited(&Exit { asked_by: AskedBy::Parent, ..trap(2) }, 0, false), Step::Nothing);
    let again = decided(engine.exited(&trap(1), 0, false));
    assert_eq!((again[0].attempt, again[0].window), (2, 2));
    assert_eq!(engine.scope(id(1)), [id(1), id(2)]);
}

#[test]
fn rules_of_errors_decide_first() {
    let rules = r#"
        max_restarts = "infinity"
        errors = [
            { match = { error = "tea is out" }, class = "expected" },
            { match = { type = ["call-timeout", "memory-limit"] }, action = "stop" },
            { match = { type = "killed", error = "killed: dead*" }, action = "ignore" },
            { match = { children = "b" }, class = "permanent" },
            { match = { error = "out of *", times = 3, within = "10s" }, action = "escalate" },
            { match = { error = "?ut of tea", times = 2, within = "10s" }, action = "restart" },
            { match = { error = "out*" }, class = "temporary" },
        ]
    "#;
    let policy = format!("{rules}{}", children(&["a", "b"], "restart = \"transient\""));
    let error = |message: &str, reason| Exit { message: message.into(), ..exit(id(1), reason) };
    for (exit, action, class, rule) in [
        (error("tea is out", TRAP), Action::Ignore, Some(Class::Expected), "errors[0]"),
        (error("", ReasonRecord::Abnormal(ErrorType::MemoryLimit)), Action::Stop, None, "errors[1]"),
        (error("other", ReasonRecord::Killed(KillCause::Deadline)), Action::Ignore, None, "errors[2]"),
        (trap(2), Action::Escalate, Some(Class::Permanent), "errors[3]"),
        (trap(1), Action::Restart, Some(Class::Temporary), "transient"),
        (error("other", TRAP), Action::Restart, None, "transient"),
    ] {
        let decision = decided(engine(&policy).exited(&exit, 0, false)).remove(0);
        assert_eq!((decision.action, decision.class, decision.rule.as_str()), (action, class, rule), "{exit:?}");
    }
    // Graduated, each child by itself.
    let mut engine = engine(&policy);
    let rules: Vec<String> = [0, 10_000, 10_000, 20_001]
        .into_iter()
        .map(|at_ms| decided(engine.exited(&trap(1), at_ms, false)).remove(0).rule)
        .collect();
    assert_eq!(rules, ["transient", "errors[5]", "errors[4]", "transient"]);
}

#[test]
fn a_rule_that_decides_leaves_the_guest_unasked() {
    let rules =
        "errors = [{ match = { type = \"trap\" }, action = \"restart\" }, { match = {}, class = \"temporary\" }]";
    let mut engine = engine(&format!("{rules}\n{}", children(&["a"], "restart = \"temporary\"")));
    let restarted = decided(engine.exited(&trap(1), 0, true));
    assert_eq!(short(&restarted), [(Action::Restart, "errors[0]", 1)]);
    let error = exit(id(1), ReasonRecord::Abnormal(ErrorType::GuestError));
    let asked = Question { class: Class::Temporary, attempts: 1 };
    assert_eq!(engine.exited(&error, 0, true), Step::Ask(asked));
}

#[test]
fn the_guest_decides_before_the_restart_type() {
    let state = StateChoice::Custom(vec![1]);
    for (answer, action, rule, expected_state) in [
        (GuestDecision::Restart(state.clone()), Action::Restart, "decide", state),
        (GuestDecision::Stop, Action::Stop, "decide", StateChoice::Reset),
        (GuestDecision::Escalate, Action::Escalate, "decide", StateChoice::Reset),
        (GuestDecision::Ignore, Action::Ignore, "decide", StateChoice::Reset),
        (GuestDecision::Policy, Action::Restart, "permanent", StateChoice::Resume),
    ] {
        let mut engine = engine(&children(&["a"], "restart_state = \"resume\""));
        assert_eq!(engine.exited(&trap(1), 0, true), Step::Ask(Question { class: Class::Temporary, attempts: 0 }));
        let decision = decided(engine.answered(id(1), answer.clone(), 3)).remove(0);
        assert_eq!((decision.action, decision.rule.as_str(), decision.state), (action, rule, expected_state));
        assert_eq!((decision.error_hash, decision.at_ms), (Some(Digest([5; 32])), 3));
        assert_eq!(engine.answered(id(1), answer, 3), Step::Nothing, "an answer counts once");
    }
    let mut engine = engine(&children(&["a"], ""));
    let normal = decided(engine.exited(&exit(id(1), ReasonRecord::Normal), 0, true));
    assert_eq!(normal[0].rule, "permanent", "a normal end is not asked about");
}

#[test]
fn an_answer_that_comes_too_late_changes_nothing() {
    let policy = format!("strategy = \"one-for-all\"\n{}", children(&["a", "b"], ""));
    let overtake: [fn(&mut Engine); 4] = [
        |engine| engine.down(id(1), Down::Asked),
        |engine| engine.up(id(1)),
        |engine| engine.forget(id(1)),
        |engine| drop(engine.exited(&trap(2), 0, false)),
    ];
    for happens in overtake {
        let mut engine = engine(&policy);
        assert!(matches!(engine.exited(&trap(1), 0, true), Step::Ask(_)));
        happens(&mut engine);
        assert_eq!(engine.answered(id(1), GuestDecision::Policy, 0), Step::Nothing);
    }
}

#[test]
fn budgets_warn_when_more_than_half_is_used_and_refuse_when_all_is() {
    let groups = "groups.g = { max_restarts = 4 }\nmax_restarts = 5\non_exhausted = \"stop-child\"\n";
    let mut engine = engine(&format!("{groups}{}", children(&["a", "b", "c"], "group = \"g\"\nmax_restarts = 2")));
    let mut at = |child| decided(engine.exited(&trap(child), 0, false));
    assert_eq!(short(&at(1)), [(Action::Restart, "permanent", 1)]);
    assert_eq!(short(&at(1)), [(Action::Restart, "permanent", 2), (Action::Warn, "child-budget", 2)]);
    // Refused by its own: the others are not charged.
    assert_eq!(short(&at(1)), [(Action::Stop, "child-budget", 3)]);
    let third = at(2);
    let expected = [(Action::Restart, "permanent", 3), (Action::Warn, "group-budget", 3), (Action::Warn, "budget", 3)];
    assert_eq!(short(&third), expected);
    assert!(third.iter().all(|decision| decision.attempt == 1 && decision.error_hash.is_some()));
    at(2);
    // All that are up go down with it, the youngest first.
    let stopped = at(3);
    assert!(stopped.iter().all(|decision| (decision.action, decision.rule.as_str()) == (Action::Stop, "group-budget")));
    assert_eq!(stopped.iter().map(|decision| decision.actor).collect::<Vec<_>>(), [id(3), id(2)]);
}

#[test]
fn the_supervisors_budget_escalates_whatever_on_exhausted_says() {
    let mut engine = engine(&format!("on_exhausted = \"stop-child\"\nmax_restarts = 1\n{}", children(&["a"], "")));
    decided(engine.exited(&trap(1), 0, false));
    let within = decided(engine.exited(&trap(1), 5_000, false));
    assert_eq!(short(&within), [(Action::Escalate, "budget", 2)], "both ends of the window count");
    assert_eq!(within[0].attempt, 1, "it was up for as long as resets it");
}

#[test]
fn an_attempt_outside_of_the_window_is_no_longer_counted() {
    let mut engine = engine(&format!("max_restarts = 1\n{}", children(&["a"], "")));
    decided(engine.exited(&trap(1), 0, false));
    assert_eq!(decided(engine.exited(&trap(1), 5_001, false))[0].action, Action::Restart);
}

#[test]
fn without_a_budget_nothing_is_counted() {
    let mut engine = engine(&format!("max_restarts = \"infinity\"\n{}", children(&["a"], "")));
    for attempt in 1..100 {
        let decisions = decided(engine.exited(&trap(1), 0, false));
        assert_eq!(short(&decisions), [(Action::Restart, "permanent", 0)]);
        assert_eq!(decisions[0].attempt, attempt);
    }
    assert_eq!(engine.status(0).budget, None);
}

#[test]
fn delays_grow_until_the_child_stays_up() {
    let backoff = "backoff = { initial = \"1s\", factor = 2, max = \"5s\", jitter = 0, reset_after = \"10s\" }";
    let mut engine = engine(&format!("{backoff}\n{}", children(&["a"], "")));
    let mut delays = Vec::new();
    for at_ms in [0, 1_000, 3_000, 7_000, 22_000] {
        let decision = decided(engine.exited(&trap(1), at_ms, false)).remove(0);
        delays.push((decision.attempt, decision.delay_ms));
    }
    // The last began at 12000 and was up for ten seconds.
    assert_eq!(delays, [(1, 1_000), (2, 2_000), (3, 4_000), (4, 5_000), (1, 1_000)]);
}

#[test]
fn poison_is_not_charged() {
    let mut engine = engine(&format!("max_restarts = 1\n{}", children(&["a"], "restart = \"transient\"")));
    decided(engine.exited(&trap(1), 0, false));
    for attempt in 2..5 {
        let decisions = decided(engine.exited(&Exit { poison: true, ..trap(1) }, 0, false));
        assert_eq!(short(&decisions), [(Action::Warn, "poison", 1), (Action::Restart, "poison", 1)]);
        assert!(decisions.iter().all(|decision| decision.attempt == attempt));
    }
    assert_eq!(short(&decided(engine.exited(&trap(1), 0, false))), [(Action::Escalate, "budget", 2)]);

    let mut temporary = self::engine(&children(&["a"], "restart = \"temporary\""));
    let stopped = decided(temporary.exited(&Exit { poison: true, ..trap(1) }, 0, false));
    assert_eq!(short(&stopped), [(Action::Stop, "temporary", 0)], "it would not be restarted anyway");
}

const BOOKS: &str = "[groups.books]\nstrategy = \"one-for-all\"\nrestart_state = \"resume\"\n";

#[test]
fn a_group_that_resumes_waits_for_its_cut() {
    let mut engine = engine(&format!("{BOOKS}{}", children(&["a", "b"], "group = \"books\"")));
    assert_eq!(engine.exited(&trap(2), 0, false), Step::Link(vec![id(1), id(2)]));
    let asked = Exit { asked_by: AskedBy::Parent, ..trap(1) };
    assert_eq!(engine.exited(&asked, 0, false), Step::Nothing);
    let cut = vec![(id(1), 4, Digest([1; 32])), (id(2), 9, Digest([2; 32]))];
    let decisions = engine.linked(id(2), Ok(cut.clone()), 6);
    assert_eq!(short(&decisions), [(Action::Restart, "permanent", 1)]);
    assert_eq!((&decisions[0].state, &decisions[0].cut, decisions[0].at_ms), (&StateChoice::Resume, &Some(cut), 6));
    assert_eq!(engine.linked(id(2), Err("once only".into()), 6), []);
}

#[test]
fn without_a_cut_a_group_does_as_declared() {
    for (on_no_cut, expected) in
        [("escalate", (Action::Escalate, "no-cut", 0)), ("reset", (Action::Restart, "no-cut", 1))]
    {
        let group = format!("{BOOKS}on_no_cut = \"{on_no_cut}\"\n");
        let mut engine = engine(&format!("{group}{}", children(&["a", "b"], "group = \"books\"")));
        assert!(matches!(engine.exited(&trap(1), 0, false), Step::Link(_)));
        let decisions = engine.linked(id(1), Err("b wrote to a file".into()), 0);
        assert_eq!((short(&decisions)[0], &decisions[0].state), (expected, &StateChoice::Reset));
    }
}

#[test]
fn a_member_alone_or_with_a_chosen_state_needs_no_cut() {
    let policy = format!("{BOOKS}{}", children(&["a", "b"], "group = \"books\""));
    let mut alone = engine(&policy);
    alone.down(id(1), Down::Normal);
    assert_eq!(decided(alone.exited(&trap(2), 0, false))[0].state, StateChoice::Resume);
    let mut chosen = engine(&policy);
    chosen.exited(&trap(2), 0, true);
    let decisions = decided(chosen.answered(id(2), GuestDecision::Restart(StateChoice::Reset), 0));
    assert_eq!(decisions[0].state, StateChoice::Reset);
}

#[test]
fn groups_and_the_ungrouped_restart_apart() {
    let groups = "strategy = \"rest-for-one\"\ngroups.g.strategy = \"one-for-all\"\n";
    let grouped = children(&["a", "b"], "group = \"g\"");
    let mut engine = engine(&format!("{groups}{}{grouped}{}", children(&["x"], ""), children(&["y", "z"], "")));
    // x 1, a 2, b 3, y 4, z 5
    for (child, expected) in [(1, vec![1, 4, 5]), (4, vec![4, 5]), (2, vec![2, 3]), (3, vec![2, 3])] {
        assert_eq!(engine.scope(id(child)), expected.into_iter().map(id).collect::<Vec<_>>());
    }
    engine.down(id(5), Down::Failed);
    engine.down(id(4), Down::Asked);
    assert_eq!(engine.scope(id(1)), [id(1), id(5)], "failed ones come back");
    assert_eq!(engine.scope(id(4)), [id(4), id(5)], "and the child itself");
    assert_eq!(engine.scope(SPAWNED), [SPAWNED]);
}

#[test]
fn a_temporary_child_that_is_taken_along_is_stopped_and_does_not_come_back() {
    let policy = format!("strategy = \"one-for-all\"\n{}", children(&["a"], ""));
    let mut engine =
        engine(&format!("{policy}{}{}", children(&["b"], "restart = \"temporary\""), children(&["c"], "")));
    assert_eq!(engine.stopped_with(id(1)), [id(1), id(2), id(3)]);
    assert_eq!(engine.scope(id(1)), [id(1), id(3)]);
    assert_eq!(engine.scope(id(2)), [id(1), id(2), id(3)], "a rule may restart it itself");
    assert_eq!(short(&decided(engine.exited(&trap(1), 0, false))).len(), 1);
    assert_eq!(engine.scope(id(3)), [id(1), id(3)]);
}

#[test]
fn significant_children_take_the_supervisor_along() {
    let keys = "significant = true\nrestart = \"transient\"";
    let mut any = engine(&format!("auto_shutdown = \"any-significant\"\n{}", children(&["a", "b"], keys)));
    let normal = |child| exit(id(child), ReasonRecord::Normal);
    let decisions = decided(any.exited(&normal(1), 0, false));
    assert_eq!(short(&decisions), [(Action::Stop, "transient", 0), (Action::Stop, "auto-shutdown", 0)]);
    assert_eq!(decisions[1].actor, SUPERVISOR);

    let mut all = engine(&format!("auto_shutdown = \"all-significant\"\n{}", children(&["a", "b"], keys)));
    assert_eq!(decided(all.exited(&normal(1), 0, false)).len(), 1);
    assert_eq!(decided(all.exited(&normal(2), 0, false)).len(), 2);
    // Not when it was asked to end.
    all.up(id(1));
    assert_eq!(all.exited(&Exit { asked_by: AskedBy::Operator, ..normal(1) }, 0, false), Step::Nothing);
}

#[test]
fn an_err_is_decided_by_rules_alone() {
    let rules = r#"
        errors = [
            { match = { error = "a*", type = "guest-error" }, action = "restart" },
            { match = { error = "b*" }, action = "stop" },
            { match = { error = "c*", times = 2 }, class = "permanent" },
            { match = { error = "d*" }, class = "expected" },
            { match = { error = "e*", type = "trap" }, action = "escalate" },
        ]
    "#;
    let policy = format!("{rules}{}", children(&["a", "b"], "restart = \"temporary\"\nrestart_state = \"resume\""));
    let mut engine = engine(&policy);
    let mut err = |child, message| engine.erred(id(child), "counter", message, Digest([8; 32]), 1);
    let restarted = decided(err(1, "ab"));
    assert_eq!(short(&restarted), [(Action::Restart, "errors[0]", 1)]);
    assert_eq!((&restarted[0].state, restarted[0].error_hash), (&StateChoice::Resume, Some(Digest([8; 32]))));
    assert_eq!(err(1, "c"), Step::Nothing);
    assert_eq!(short(&decided(err(2, "bc"))), [(Action::Stop, "errors[1]", 0)]);
    assert_eq!(err(2, "ab"), Step::Nothing, "it is down");
    assert_eq!([err(1, "d"), err(1, "e"), err(1, "f")], [Step::Nothing, Step::Nothing, Step::Nothing]);
    let escalated = decided(err(1, "c"));
    assert_eq!((escalated[0].class, escalated[0].rule.as_str()), (Some(Class::Permanent), "errors[2]"));
    let spoken: Vec<bool> = ["a", "c", "d", "e", "f"].map(|text| engine.speaks_of(id(1), "counter", text)).into();
    assert_eq!(spoken, [true, true, true, false, false]);
}

#[test]
fn a_record_that_does_not_verify_is_rejected() {
    let mut engine = engine(&children(&["a"], ""));
    let decisions = engine.rejected(id(1), Some(Digest([3; 32])), 9);
    assert_eq!(short(&decisions), [(Action::Reject, "verify", 0), (Action::Escalate, "verify", 0)]);
    assert!(decisions.iter().all(|decision| decision.error_hash == Some(Digest([3; 32])) && decision.at_ms == 9));
}

#[test]
fn a_decision_is_recorded_with_its_jitter() {
    let backoff = "backoff = { initial = \"10s\", max = \"20s\", jitter = 0.5, reset_after = \"60s\" }\n";
    let rule = "errors = [{ match = {}, class = \"temporary\" }]\n";
    let mut engine = engine(&format!("{backoff}{rule}{}", children(&["a"], "")));
    let decision = decided(engine.exited(&trap(1), 4, false)).remove(0);
    let backoff = engine.policy().backoff;
    let at = |parent: u8| decision.record(backoff.as_ref(), Digest([parent; 32]), Some(Digest([4; 32])));
    let recorded = at(1);
    assert_eq!((recorded.actor_id, recorded.class.as_deref(), recorded.at_ms), (id(1), Some("temporary"), 4));
    assert_eq!((recorded.new_state_hash, recorded.attempt, recorded.window), (Some(Digest([4; 32])), 1, 1));
    assert_eq!(recorded, at(1));
    assert!((0..100).all(|parent| (5_000..=15_000).contains(&at(parent).delay_ms)));
    assert!((0..100).any(|parent| at(parent).delay_ms != recorded.delay_ms));
    assert_eq!(decision.record(None, Digest([1; 32]), None).delay_ms, 10_000);
}

#[test]
fn the_status_says_what_is_used() {
    let mut engine = engine(&format!(
        "max_restarts = 9\ngroups.g.max_restarts = 4\nspawned.restart = \"permanent\"\n{}",
        children(&["a"], "group = \"g\"\nmax_restarts = 3")
    ));
    decided(engine.exited(&trap(1), 100, false));
    decided(engine.exited(&trap(1), 200, false));
    let status = engine.status(5_150);
    let used =
        |usage: Option<theater_supervision_policy::Usage>| usage.map(|usage| (usage.used, usage.max, usage.within_ms));
    assert_eq!(used(status.budget), Some((1, 9, 5_000)));
    assert_eq!(used(status.groups.get("g").copied()), Some((1, 4, 5_000)));
    assert_eq!(used(status.children[0].budget), Some((1, 3, 5_000)));
    assert_eq!((status.children[0].attempt, status.children[0].decided_at_ms), (2, Some(200)));
    assert_eq!((status.children[1].actor, &status.children[1].spec_id), (SPAWNED, &None));
}

#[test]
fn specs_are_found_by_id_in_start_order() {
    let mut engine = engine(&children(&["b", "a"], ""));
    let ids = |engine: &Engine| engine.children().map(|(id, spec)| (id, spec.id.clone())).collect::<Vec<_>>();
    assert_eq!(ids(&engine), [(id(1), "b".to_owned()), (id(2), "a".to_owned())]);
    assert_eq!((engine.find("a"), engine.find("c")), (Some(id(2)), None));
    let spec = engine.spec(id(1)).unwrap().clone();
    engine.specified(id(1), spec);
    assert_eq!(ids(&engine)[1].1, "b", "started again as the youngest");
    engine.forget(id(1));
    assert_eq!((engine.find("b"), ids(&engine).len()), (None, 1));
}
