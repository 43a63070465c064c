//! The engine decides as its model does, whatever happens in whatever order.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use theater_chain::data::{AskedBy, ErrorType, KillCause, ReasonRecord};
use theater_chain::{Digest, TheaterId};
use theater_supervision_policy::{
    AnchorMode, AutoShutdown, Backoff, Class, Down, Engine, ErrorMatch, Exit, Group, GuestDecision, OnExhausted,
    OnNoCut, Policy, RestartType, Rule, RuleAction, Spawned, Spec, StateChoice, Step, Strategy as Restarts,
};

use crate::model::Model;

const SUPERVISOR: TheaterId = TheaterId::from_bytes([255; 16]);

#[derive(Debug, Clone)]
enum Op {
    Exit { child: u8, reason: ReasonRecord, asked_by: AskedBy, poison: bool, message: &'static str, asks: bool },
    Answer { child: u8, answer: GuestDecision },
    Link { child: u8, cut: bool },
    Err { child: u8, message: &'static str },
    Up(u8),
    Down(u8, Down),
    Start(u8, Box<Spec>),
    Spawn(u8),
    Forget(u8),
}

const MESSAGES: [&str; 3] = ["a", "b", "c"];

fn restart() -> impl Strategy<Value = RestartType> {
    select(vec![RestartType::Permanent, RestartType::Permanent, RestartType::Transient, RestartType::Temporary])
}

fn state() -> impl Strategy<Value = StateChoice> {
    select(vec![StateChoice::Reset, StateChoice::Resume])
}

fn max() -> impl Strategy<Value = Option<u32>> {
    of(0_u32..6)
}

fn spec(dynamic: bool) -> impl Strategy<Value = Spec> {
    let group = if dynamic { Just(None).boxed() } else { of(select(vec!["g", "h"])).boxed() };
    (0_u8..4, restart(), state(), any::<bool>(), max(), group).prop_map(
        |(id, restart, restart_state, significant, max_restarts, group)| Spec {
            id: format!("s{id}"),
            manifest: "child.toml".into(),
            restart,
            restart_state,
            shutdown: None,
            significant,
            max_restarts,
            group: group.map(str::to_owned),
            redeliver: false,
        },
    )
}

fn group() -> impl Strategy<Value = Group> {
    let strategies = vec![Restarts::OneForOne, Restarts::OneForAll, Restarts::RestForOne];
    (select(strategies), of(state()), select(vec![OnNoCut::Escalate, OnNoCut::Reset]), max()).prop_map(
        |(strategy, restart_state, on_no_cut, max_restarts)| Group { strategy, restart_state, on_no_cut, max_restarts },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    let actions = vec![
        RuleAction::Class(Class::Temporary),
        RuleAction::Class(Class::Temporary),
        RuleAction::Class(Class::Permanent),
        RuleAction::Class(Class::Expected),
        RuleAction::Restart,
        RuleAction::Restart,
        RuleAction::Stop,
        RuleAction::Escalate,
        RuleAction::Ignore,
    ];
    let types = vec(select(vec![ErrorType::Trap, ErrorType::GuestError, ErrorType::Killed]), 0..2);
    let error = select(vec!["*", "a", "b", "killed: deadline"]);
    let children = vec(select(vec!["s0", "s1", "name2", "*"]), 0..2);
    (error, types, children, 1_u32..4, 0_u64..30, select(actions)).prop_map(
        |(error, types, children, times, within_ms, action)| Rule {
            matches: ErrorMatch {
                error: error.into(),
                types,
                children: children.into_iter().map(str::to_owned).collect(),
                times,
                within_ms,
            },
            action,
        },
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    use Restarts::{Dynamic, OneForAll, OneForOne, RestForOne};
    let backoff = (1_u64..5, 1_u8..4, 5_u64..20, 0_u64..40).prop_map(|(initial_ms, factor, max_ms, reset_after_ms)| {
        Backoff { initial_ms, factor: f64::from(factor), max_ms, jitter: 0.1, reset_after_ms }
    });
    let spawned = (restart(), state(), max()).prop_map(|(restart, restart_state, max_restarts)| Spawned {
        restart,
        restart_state,
        shutdown: None,
        max_restarts,
        redeliver: false,
    });
    let shutdowns = vec![AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant];
    (
        select(vec![OneForOne, OneForAll, RestForOne, Dynamic]),
        max(),
        0_u64..40,
        select(shutdowns),
        of(backoff),
        select(vec![OnExhausted::Escalate, OnExhausted::StopChild]),
        of(spawned),
        (group(), group()),
        vec(rule(), 0..4),
    )
        .prop_map(|(strategy, max, within_ms, auto_shutdown, backoff, on_exhausted, spawned, (g, h), errors)| {
            Policy {
                strategy,
                max_restarts: max,
                within_ms,
                auto_shutdown,
                backoff,
                on_exhausted,
                anchor: AnchorMode::Batched,
                events: Vec::new(),
                spawned,
                children: Vec::new(),
                groups: BTreeMap::from([("g".to_owned(), g), ("h".to_owned(), h)]),
                errors,
            }
        })
}

fn op(dynamic: bool) -> impl Strategy<Value = Op> {
    let child = 0_u8..5;
    let reasons = vec![
        ReasonRecord::Normal,
        ReasonRecord::Shutdown,
        ReasonRecord::Declined,
        ReasonRecord::Killed(KillCause::Deadline),
        ReasonRecord::Abnormal(ErrorType::GuestError),
        ReasonRecord::Abnormal(ErrorType::Trap),
        ReasonRecord::Abnormal(ErrorType::Trap),
    ];
    let asked = vec![AskedBy::Itself, AskedBy::Itself, AskedBy::Itself, AskedBy::Parent, AskedBy::Operator];
    let exit = (child.clone(), select(reasons), select(asked), proptest::bool::weighted(0.1), select(&MESSAGES[..]));
    let exit = (exit, proptest::bool::weighted(0.2)).prop_map(|((child, reason, asked_by, poison, message), asks)| {
        Op::Exit { child, reason, asked_by, poison, message, asks }
    });
    let answers = vec![
        GuestDecision::Policy,
        GuestDecision::Restart(StateChoice::Resume),
        GuestDecision::Restart(StateChoice::Custom(vec![1])),
        GuestDecision::Stop,
        GuestDecision::Escalate,
        GuestDecision::Ignore,
    ];
    let downs = vec![Down::Asked, Down::Declined, Down::Normal, Down::Failed];
    prop_oneof![
        8 => exit,
        2 => (child.clone(), select(answers)).prop_map(|(child, answer)| Op::Answer { child, answer }),
        2 => (child.clone(), any::<bool>()).prop_map(|(child, cut)| Op::Link { child, cut }),
        2 => (child.clone(), select(&MESSAGES[..])).prop_map(|(child, message)| Op::Err { child, message }),
        2 => child.clone().prop_map(Op::Up),
        1 => (child.clone(), select(downs)).prop_map(|(child, why)| Op::Down(child, why)),
        1 => (child.clone(), spec(dynamic)).prop_map(|(child, spec)| Op::Start(child, Box::new(spec))),
        1 => child.clone().prop_map(Op::Spawn),
        1 => child.prop_map(Op::Forget),
    ]
}

type Scenario = (Policy, Vec<Spec>, Vec<(u64, Op)>);

fn scenario() -> impl Strategy<Value = Scenario> {
    policy().prop_flat_map(|policy| {
        let dynamic = policy.strategy == Restarts::Dynamic;
        (Just(policy), vec(spec(dynamic), 1..4), vec((0_u64..8, op(dynamic)), 1..60))
    })
}

fn id(child: u8) -> TheaterId {
    TheaterId::from_bytes([child; 16])
}

/// Does the same to both, and says what each decided.
fn play(engine: &mut Engine, model: &mut Model, op: &Op, at_ms: u64) -> (Step, Step) {
    let hash = Digest::of(&at_ms.to_be_bytes());
    match op {
        Op::Exit { child, reason, asked_by, poison, message, asks } => {
            let exit = Exit {
                child: id(*child),
                name: format!("name{child}"),
                incarnation: 0,
                reason: *reason,
                asked_by: *asked_by,
                poison: *poison,
                message: (*message).to_owned(),
                error_hash: if at_ms.is_multiple_of(7) { Digest::ZERO } else { hash },
            };
            (engine.exited(&exit, at_ms, *asks), model.exited(&exit, at_ms, *asks))
        }
        Op::Answer { child, answer } => {
            (engine.answered(id(*child), answer.clone(), at_ms), model.answered(id(*child), answer.clone(), at_ms))
        }
        Op::Link { child, cut } => {
            let cut = cut.then(|| vec![(id(*child), at_ms, hash)]);
            let asked = cut.clone().ok_or_else(|| "none".to_owned());
            let decided = engine.linked(id(*child), asked, at_ms);
            (Step::Decided(decided), Step::Decided(model.linked(id(*child), cut, at_ms)))
        }
        Op::Err { child, message } => {
            let name = format!("name{child}");
            let decided = engine.erred(id(*child), &name, message, hash, at_ms);
            (decided, model.erred(id(*child), &name, message, hash, at_ms))
        }
        other => {
            match other {
                Op::Up(child) => (engine.up(id(*child)), model.up(id(*child))),
                Op::Down(child, why) => (engine.down(id(*child), *why), model.down(id(*child), *why)),
                Op::Start(child, spec) => {
                    (engine.specified(id(*child), (**spec).clone()), model.add(id(*child), Some((**spec).clone())))
                }
                Op::Spawn(child) => (engine.spawned(id(*child)), model.add(id(*child), None)),
                Op::Forget(child) => (engine.forget(id(*child)), model.forget(id(*child))),
                _ => ((), ()),
            };
            (Step::Nothing, Step::Nothing)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_decides_as_its_model((policy, specs, ops) in scenario()) {
        let mut engine = Engine::new(Arc::new(policy.clone()), SUPERVISOR);
        let mut model = Model::new(policy, SUPERVISOR);
        for (child, spec) in specs.into_iter().enumerate() {
            engine.specified(id(child as u8), spec.clone());
            model.add(id(child as u8), Some(spec));
        }
        let mut at_ms = 0;
        for (elapsed, op) in &ops {
            at_ms += elapsed;
            let (decided, expected) = play(&mut engine, &mut model, op, at_ms);
            prop_assert_eq!(decided, expected, "{:?} at {}", op, at_ms);
            for child in 0..5 {
                prop_assert_eq!(engine.scope(id(child)), model.scope(id(child)), "scope of {}", child);
                prop_assert_eq!(engine.stopped_with(id(child)), model.stopped_with(id(child)), "stopped with {}", child);
            }
        }
    }
}
