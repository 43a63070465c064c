//! Erlang/OTP's rules of supervision, one by one: those of the manual page `supervisor` and of the
//! chapter "Supervisor Behaviour" of the Design Principles, and what Theater adds to them. Each case
//! names a rule, plays it with real actors, and reads the outcome in the recorded chains. Where
//! Theater chose otherwise, the case shows Theater's way and says so. `README.md` lists the rules with
//! their cases.
//!
//! Of no meaning here: `modules` of a child spec and code change (an actor is its component),
//! registered names, and links.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use theater::chain::document;
use theater::{ActorHandle, TheaterId, TheaterRuntimeBuilder};
use theater_tests::{HANDLERS, World, builder};

mod asks;
mod auto_shutdown;
mod backoff;
mod callbacks;
mod calls;
mod clock;
mod crashes;
mod decide;
mod dynamic;
mod events;
mod intensity;
mod mailbox;
mod overlaps;
mod restart_types;
mod rules;
mod starting;
mod stopping;
mod strategies;
mod trees;
mod views;

use clock::Clock;

/// Longer than any test: a call may take so long on a clock that the test moves.
const LONG_CALLS: &str = "limits = { call_timeout = \"10h\" }\n";

/// A supervisor named `boss`, its children, and the clock that they live by.
struct Stage {
    world: World,
    boss: ActorHandle,
    clock: Clock,
    names: Mutex<HashMap<TheaterId, String>>,
}

/// A declared counter, or with `manifest` in `more` another actor.
fn child(id: &str, more: &str) -> String {
    let manifest = if more.contains("manifest =") { "" } else { "manifest = \"counter.toml\"\n" };
    format!("[[handlers.children]]\nid = \"{id}\"\n{manifest}{}\n", more.replace("; ", "\n"))
}

/// Declared counters with these ids and nothing else said of them.
fn children(ids: &[&str]) -> String {
    ids.iter().map(|id| child(id, "")).collect()
}

/// A folder with all actors in which the manifest `boss.toml` has this guest and this policy.
fn prepared(guest: &str, policy: &str) -> (World, Clock) {
    let clock = Clock::new();
    (prepared_on(builder(), &clock, guest, policy), clock)
}

/// As [`prepared`], for a runtime of the caller's.
fn prepared_on(builder: TheaterRuntimeBuilder, clock: &Clock, guest: &str, policy: &str) -> World {
    let world = World::with(&["relay", "counter", "rogue", "warden"], builder.sources(clock.clone()));
    boss(&world, guest, policy);
    // A rogue that may loop for as long as the test likes.
    world.manifest("looper", "rogue", &format!("{LONG_CALLS}{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n"));
    for init in ["panic", "err", "decline", "loop"] {
        std::fs::write(world.path().join(format!("{init}.txt")), init).unwrap();
        let text =
            format!("init_state = \"{init}.txt\"\n{LONG_CALLS}{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n");
        world.manifest(&format!("init-{init}"), "rogue", &text);
    }
    world
}

/// Writes `boss.toml`.
fn boss(world: &World, guest: &str, policy: &str) {
    supervisor(world, "boss", guest, policy);
}

/// Writes the manifest of a supervisor.
fn supervisor(world: &World, name: &str, guest: &str, policy: &str) {
    world.manifest(name, guest, &format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n{policy}"));
}

impl Stage {
    /// A relay that supervises by this policy, running.
    async fn new(policy: &str) -> Self {
        Self::of("relay", policy).await
    }

    /// Another guest that does.
    async fn of(guest: &str, policy: &str) -> Self {
        let (world, clock) = prepared(guest, policy);
        let boss = world.spawn("boss").await;
        Self::on(world, clock, boss)
    }

    fn on(world: World, clock: Clock, boss: ActorHandle) -> Self {
        let stage = Self { world, boss, clock, names: Mutex::default() };
        stage.name("boss", stage.boss.id());
        stage
    }

    /// What an actor is called in the story.
    fn name(&self, name: &str, id: TheaterId) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(id, name.to_owned());
    }

    /// A declared child.
    fn child(&self, id: &str) -> ActorHandle {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        match names.iter().find(|(_, name)| *name == id) {
            Some((actor, _)) => self.world.runtime.handle(*actor),
            None => self.world.declared(&self.boss, id),
        }
    }

    /// Gives the boss an order; its answer.
    async fn tell(&self, order: &str) -> String {
        self.world.ask(&self.boss, order).await
    }

    /// Has the boss start a child with a spec; its answer where that is no actor.
    async fn start(&self, id: &str, rest: &str) -> String {
        let answer = self.tell(&format!("start {id} {rest}")).await;
        if let Ok(actor) = answer.parse() {
            self.name(id, actor);
            return "started".to_owned();
        }
        answer
    }

    /// Has the boss spawn a child that the story calls so.
    async fn spawn(&self, name: &str, rest: &str) -> ActorHandle {
        let id = self.tell(&format!("spawn {rest}")).await;
        self.name(name, id.parse().unwrap());
        self.child(name)
    }

    /// Asks a child.
    async fn ask(&self, id: &str, message: &str) -> String {
        self.world.ask(&self.child(id), message).await
    }

    /// Asks a child for something that it fails at; the error.
    async fn fails(&self, id: &str, message: &str) -> String {
        match self.world.try_ask(&self.child(id), message).await {
            Ok(answer) => panic!("{id} was to fail at {message} and answered {answer}"),
            Err(error) => error.to_string(),
        }
    }

    /// Has a counter fail.
    async fn crash(&self, id: &str) {
        self.fails(id, "crash").await;
    }

    /// Waits until the child's incarnation of this number has been started, and serves.
    async fn lives(&self, id: &str, incarnation: usize) {
        self.world.wait_for(self.child(id).id(), "actor_started", incarnation).await;
    }

    /// Crashes a child so many times, each time after it was restarted.
    async fn crash_times(&self, id: &str, times: usize) {
        let before = self.world.of_type(self.child(id).id(), "actor_started").await.len();
        for time in 0..times {
            self.lives(id, before + time).await;
            self.crash(id).await;
        }
    }

    /// Waits until the boss has decided so many things.
    async fn decided(&self, count: usize) -> Vec<Value> {
        self.world.wait_for(self.boss.id(), "supervision_action", count).await
    }

    /// Starts, ends, exits and decisions of the whole tree, in the order in which they happened.
    async fn story(&self) -> String {
        self.lines(|_| true).await
    }

    /// The same, without what the boss records.
    async fn moves(&self) -> String {
        self.lines(|event| matches!(event, "actor_started" | "actor_terminated")).await
    }

    /// The decisions.
    async fn decisions(&self) -> String {
        self.lines(|event| event == "supervision_action").await
    }

    async fn lines(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut lines = Vec::new();
        for actor in self.world.recorded().await {
            let called = self.called(actor.id, &actor.index.name);
            for event in self.world.runtime.get_actor_events(actor.id, 0, usize::MAX).await.unwrap() {
                let data = document::event_json(&actor.id, &event).unwrap()["data"].clone();
                if let Some(line) = self.line(&called, &event.event_type, &data).filter(|_| wanted(&event.event_type)) {
                    lines.push((event.timestamp, line));
                }
            }
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    }

    fn line(&self, called: &str, event_type: &str, data: &Value) -> Option<String> {
        let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        let of = |field: &str| self.called(text(field).parse().unwrap(), &text(field));
        Some(match event_type {
            "actor_started" if data["incarnation"] == 1 => format!("{called} starts"),
            "actor_started" => format!("{called} starts again: {}", text("restart_state")),
            "actor_terminated" => format!("{called} ends: {}", reason(&data["reason"])),
            "child_exited" => format!("exit of {}, asked by {}", of("child"), text("asked_by")),
            "supervision_action" => format!("{} {}: {}", text("action"), of("actor_id"), text("rule")),
            _ => return None,
        })
    }

    fn called(&self, id: TheaterId, otherwise: &str) -> String {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.get(&id) {
            return name.clone();
        }
        let declared = ["a", "b", "c", "d", "e", "gate"];
        let of = |parent: &TheaterId| declared.iter().find(|spec| TheaterId::of_spec(parent, spec) == id);
        of(&self.boss.id()).map_or(otherwise, |spec| *spec).to_owned()
    }

    /// What the boss's callbacks were told, a line each, with names in place of ids.
    async fn heard(&self) -> String {
        let log = self.tell("log").await;
        let heard: Vec<&str> = log.lines().filter(|line| line.starts_with("child-")).collect();
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = ["a", "b", "c", "d"].map(|spec| (TheaterId::of_spec(&self.boss.id(), spec), spec.to_owned()));
        let mut heard = heard.join("\n");
        for (id, name) in names.into_iter().chain(known) {
            heard = heard.replace(&id.to_string(), &name);
        }
        heard
    }

    fn advance(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    /// Waits until the delay of a restart, or the time of a stop, is being waited for.
    async fn asleep(&self, ms: u64) {
        self.clock.asleep(Duration::from_millis(ms)).await;
    }

    /// Stops the tree and verifies every chain, with the audit of every decision.
    async fn close(self) {
        self.world.close().await;
    }
}

fn reason(reason: &Value) -> String {
    match reason {
        Value::Object(fields) => fields.iter().map(|(kind, of)| format!("{kind} {}", of.as_str().unwrap())).collect(),
        reason => reason.as_str().unwrap().to_owned(),
    }
}

/// Compares stories line by line; `expected` is indented as the test is.
#[track_caller]
fn tells(found: &str, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "\n{found}");
}
