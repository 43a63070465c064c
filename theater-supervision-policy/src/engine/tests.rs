//! What an engine holds after a long life.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use theater_chain::data::{AskedBy, ErrorType, ReasonRecord, SupervisionActionKind};
use theater_chain::{Digest, TheaterId};

use super::*;
use crate::decision::{Exit, Step};

const POLICY: &str = r#"
    max_restarts = 50
    within = "1s"
    groups.g.max_restarts = 50
    children = [{ id = "a", manifest = "a.toml", group = "g", max_restarts = 40 }]
    errors = [{ match = { times = 1000, within = "1s" }, action = "stop" }]
"#;

#[test]
fn a_hundred_thousand_restarts_leave_nothing_behind() {
    let (policy, _) = crate::read(&toml::from_str(POLICY).unwrap()).unwrap();
    let spec = policy.children[0].clone();
    let child = TheaterId::from_bytes([1; 16]);
    let mut engine = Engine::new(Arc::new(policy), TheaterId::from_bytes([0; 16]));
    engine.specified(child, spec);
    let mut exit = Exit {
        child,
        name: "a".into(),
        incarnation: 0,
        reason: ReasonRecord::Abnormal(ErrorType::Trap),
        asked_by: AskedBy::Itself,
        poison: false,
        message: "unreachable".into(),
        error_hash: Digest::ZERO,
    };
    for n in 0..100_000_u32 {
        exit.incarnation = n;
        let Step::Decided(decisions) = engine.exited(&exit, u64::from(n) * 30, false) else { panic!("a decision") };
        assert_eq!(decisions[0].action, SupervisionActionKind::Restart);
        engine.up(child);
        let known = &engine.children[&child];
        let budgets = [&engine.budget, &known.budget].into_iter().flatten().chain(engine.group_budgets.values());
        let held: usize =
            budgets.map(Budget::len).sum::<usize>() + known.counts.values().map(|ring| ring.len()).sum::<usize>();
        assert!(held <= 4 * 34, "{held} times are held after {n} restarts");
    }
}
