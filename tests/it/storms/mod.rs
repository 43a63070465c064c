//! What supervision must hold against: faults at every step, children that cannot start, crowds,
//! slow ones, damaged records, clocks that jump, messages in flight.

mod clock;
mod crowds;
mod failpoints;
mod linked;
mod mail;
mod operators;
mod slow;
mod tampered;
mod unstartable;
mod witness;

use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use theater::{ActorHandle, ActorStatus, TheaterId};
use theater_tests::{HANDLERS, World};

/// A supervisor's manifest: the relay with this policy.
fn supervisor(world: &World, name: &str, policy: &str) {
    world.manifest(name, "relay", &format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n{policy}"));
}

/// A rogue's manifest with this text in front of its entries.
fn rogue(world: &World, name: &str, text: &str) {
    world.manifest(name, "rogue", &format!("{text}\n{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n"));
}

/// A declared child with these keys.
fn child(id: &str, manifest: &str, keys: &str) -> String {
    format!("\n[[handlers.children]]\nid = \"{id}\"\nmanifest = \"{manifest}.toml\"\n{keys}\n")
}

/// What must come to an end; a test that hangs says where.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a guard against hanging, not a wait")]
fn soon<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(Duration::from_secs(60), future).await {
            Ok(output) => output,
            Err(_) => panic!("{place}: still waiting: {what}"),
        }
    }
}

/// The decisions in a supervisor's chain: action and rule.
async fn decisions(world: &World, supervisor: TheaterId) -> Vec<(String, String)> {
    let actions = world.of_type(supervisor, "supervision_action").await;
    actions.iter().map(|action| (text(action, "action"), text(action, "rule"))).collect()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// Has an actor crash on a message, whoever answers.
async fn crash(world: &World, actor: &ActorHandle) {
    assert!(world.try_ask(actor, "crash").await.is_err());
}

fn is_running(world: &World, actor: TheaterId) -> bool {
    world.runtime.actor(actor).is_some_and(|process| process.status == ActorStatus::Running)
}
