//! Whatever happens: what the engine decides passes the audit, and a lie in any decision does not.

use proptest::prelude::*;
use proptest::sample::select;
use theater_chain::ChainEvent;
use theater_chain::data::{
    AskedBy, ErrorType, KillCause, ReasonRecord, RestartStateKind, SupervisionActionKind as Action,
};
use theater_supervision_policy::{Decision, Down, RestartType, StateChoice, Step};

use super::scene::Scene;

#[derive(Debug, Clone)]
enum Op {
    Fail(usize, &'static str),
    Kill(usize),
    End(usize),
    Err(usize, &'static str),
    Work(usize),
    Operator(usize),
    Terminate(usize),
    RestartByHand(usize),
    SupervisorFails,
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const TEXTS: [&str; 4] = ["insufficient funds", "slow disk", "fatal loss", "it broke"];

fn op() -> impl Strategy<Value = Op> {
    let child = || 0..NAMES.len();
    prop_oneof![
        6 => (child(), select(TEXTS.to_vec())).prop_map(|(child, text)| Op::Fail(child, text)),
        2 => child().prop_map(Op::Kill),
        2 => child().prop_map(Op::End),
        3 => (child(), select(TEXTS.to_vec())).prop_map(|(child, text)| Op::Err(child, text)),
        2 => child().prop_map(Op::Work),
        1 => child().prop_map(Op::Operator),
        1 => child().prop_map(Op::Terminate),
        4 => child().prop_map(Op::RestartByHand),
        1 => Just(Op::SupervisorFails),
    ]
}

fn entry() -> impl Strategy<Value = String> {
    let types = || select(vec!["permanent", "transient", "temporary"]);
    let restarts = (types(), types(), types(), types());
    let strategies = select(vec!["one-for-one", "one-for-all", "rest-for-one"]);
    (strategies, restarts, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 1..6_u32).prop_map(
        |(strategy, restarts, grouped, backoff, rules, stop, max)| {
            let mut entry = format!("strategy = \"{strategy}\"\nmax_restarts = {max}\nwithin = \"20s\"\n");
            if stop {
                entry.push_str("on_exhausted = \"stop-child\"\nauto_shutdown = \"all-significant\"\n");
            }
            if backoff {
                entry.push_str("backoff = { initial = \"10ms\", max = \"80ms\", jitter = 0.5, reset_after = \"3s\" }\n");
            }
            if grouped {
                entry.push_str("[handlers.groups.g]\nstrategy = \"one-for-all\"\nmax_restarts = 3\n");
            }
            for (n, (name, restart)) in
                NAMES.iter().zip([restarts.0, restarts.1, restarts.2, restarts.3]).enumerate()
            {
                let significant = stop && n % 2 == 0 && restart != "permanent";
                let group = if grouped && n >= 2 { "group = \"g\"\n" } else { "" };
                let own = if n == 1 { "max_restarts = 2\n" } else { "" };
                entry.push_str(&format!(
                    "[[handlers.children]]\nid = \"{name}\"\nmanifest = \"x.toml\"\nrestart = \"{restart}\"\n\
                     restart_state = \"resume\"\nsignificant = {significant}\n{group}{own}"
                ));
            }
            if rules {
                entry.push_str(
                    "[[handlers.errors]]\nmatch = { error = \"insufficient*\" }\nclass = \"expected\"\n\
                     [[handlers.errors]]\nmatch = { error = \"slow*\", times = 2, within = \"10s\" }\naction = \"restart\"\n\
                     [[handlers.errors]]\nmatch = { error = \"fatal*\", type = \"trap\" }\nclass = \"temporary\"\n\
                     [[handlers.errors]]\nmatch = { error = \"fatal*\" }\naction = \"stop\"\n",
                );
            }
            entry
        },
    )
}

/// What the supervisor handler does, as far as its chain shows it.
struct Play<'a> {
    scene: Scene<'a>,
    at_ms: u64,
}

impl Play<'_> {
    fn is_up(&mut self, name: &str) -> bool {
        self.scene.child(name).index.ended.is_none()
    }

    fn stopped(&mut self, name: &str, by: AskedBy) {
        let (_, exit) = self.scene.tell(name, ReasonRecord::Shutdown, by, "", self.at_ms);
        assert_eq!(self.scene.engine.exited(&exit, self.at_ms, false), Step::Nothing);
    }

    fn follow(&mut self, step: Step) {
        let Step::Decided(decisions) = step else { return };
        let mut restart = None;
        let mut ends = false;
        for decision in &decisions {
            let event = self.scene.decide(decision);
            match decision.action {
                Action::Restart => restart = Some((decision.clone(), event)),
                Action::Stop if decision.actor == self.scene.sup.id => ends = true,
                Action::Stop => {
                    let name = self.name(decision);
                    if self.is_up(&name) {
                        self.stopped(&name, AskedBy::Parent);
                    }
                }
                Action::Escalate => ends = true,
                _ => {}
            }
        }
        if ends {
            self.scene.again();
        } else if let Some((decision, event)) = restart {
            self.restart(&decision, &event);
        }
    }

    fn name(&self, decision: &Decision) -> String {
        let found = self.scene.children.iter().find(|(_, child)| child.story.id == decision.actor);
        found.unwrap().0.clone()
    }

    fn restart(&mut self, decision: &Decision, event: &ChainEvent) {
        let scope: Vec<String> = self
            .scene
            .engine
            .scope(decision.actor)
            .into_iter()
            .map(|member| self.name(&Decision { actor: member, ..decision.clone() }))
            .collect();
        for name in scope.iter().rev() {
            if self.is_up(name) {
                self.stopped(name, AskedBy::Parent);
            }
        }
        for name in &scope {
            assert_eq!(decision.state, StateChoice::Resume);
            self.scene.start_with(name, RestartStateKind::Resume, None, Some(event));
            let id = self.scene.id(name);
            self.scene.engine.up(id);
        }
    }

    fn ends(&mut self, name: &str, reason: ReasonRecord, text: &str) {
        let (_, exit) = self.scene.tell(name, reason, AskedBy::Itself, text, self.at_ms);
        let step = self.scene.engine.exited(&exit, self.at_ms + 1, false);
        self.at_ms += 1;
        self.follow(step);
    }

    fn op(&mut self, op: &Op) {
        let (Op::Fail(child, _)
        | Op::Kill(child)
        | Op::End(child)
        | Op::Err(child, _)
        | Op::Work(child)
        | Op::Operator(child)
        | Op::Terminate(child)
        | Op::RestartByHand(child)) = op
        else {
            return self.scene.again();
        };
        let name = NAMES[*child];
        let id = self.scene.id(name);
        if self.is_up(name) == matches!(op, Op::RestartByHand(_)) {
            return;
        }
        match op {
            Op::Fail(_, text) => self.ends(name, ReasonRecord::Abnormal(ErrorType::Trap), text),
            Op::Kill(_) => self.ends(name, ReasonRecord::Killed(KillCause::Host), ""),
            Op::End(_) => self.ends(name, ReasonRecord::Normal, ""),
            Op::Err(_, text) => self.err(name, text),
            Op::Work(_) => self.scene.work(name),
            Op::Operator(_) => {
                self.stopped(name, AskedBy::Operator);
                self.forget_temporary(name);
            }
            Op::Terminate(_) => {
                let at_ms = self.at_ms;
                self.scene.host_call("supervision", "terminate-child", &(name,), |scene, _| {
                    scene.tell(name, ReasonRecord::Shutdown, AskedBy::Parent, "", at_ms);
                    Ok::<_, ()>(())
                });
                self.scene.engine.down(id, Down::Asked);
                self.forget_temporary(name);
            }
            Op::RestartByHand(_) => {
                if self.scene.engine.spec(id).is_none() {
                    return;
                }
                self.scene.host_call("supervision", "restart-child-with", &(name, "Resume"), |scene, _| {
                    scene.start(name, None);
                    scene.engine.up(id);
                    Ok::<_, ()>(Some(id.to_string()))
                });
            }
            Op::SupervisorFails => {}
        }
    }

    fn err(&mut self, name: &str, text: &str) {
        let id = self.scene.id(name);
        if self.scene.engine.speaks_of(id, name, text) {
            let (scene, at_ms) = (&mut self.scene, self.at_ms);
            let step = scene.tell_err(name, text, at_ms);
            self.follow(step);
        }
    }

    fn forget_temporary(&mut self, name: &str) {
        let id = self.scene.id(name);
        if self.scene.engine.spec(id).is_some_and(|spec| spec.restart == RestartType::Temporary) {
            self.scene.engine.forget(id);
        }
    }
}

fn play<'a>(entry: &str, ops: &[(Op, u64)], lied: Option<(usize, usize)>) -> Scene<'a> {
    let scene = Scene::changed(entry, move |n, data| match lied {
        Some((at, what)) if at == n => match what {
            0 => data.attempt += 1,
            1 => data.window += 1,
            2 => data.delay_ms += 1,
            3 => data.rule.push('s'),
            _ => data.action = if data.action == Action::Ignore { Action::Warn } else { Action::Ignore },
        },
        _ => {}
    });
    let mut play = Play { scene, at_ms: 1_000 };
    for (op, after) in ops {
        play.at_ms += after;
        play.op(op);
    }
    play.scene
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_the_engine_decides_passes_and_a_lie_does_not(
        entry in entry(),
        ops in proptest::collection::vec((op(), 0..6_000_u64), 1..40),
        lied in any::<prop::sample::Index>(),
        what in 0..5_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let scene = play(&entry, &ops, None);
        let decided = scene.decided;
        let report = runtime.block_on(scene.verify());
        prop_assert_eq!(report.fault, None);
        if decided > 0 {
            let lied = lied.index(decided);
            let mut scene = play(&entry, &ops, Some((lied, what)));
            let seq = super::decisions(&mut scene)[lied];
            let report = runtime.block_on(scene.verify());
            prop_assert_eq!(report.fault.map(|fault| fault.seq), Some(seq));
        }
    }
}
