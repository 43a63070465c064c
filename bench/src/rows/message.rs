//! A message to a live actor, to the answer inside the process, recorded in memory. Beside it: a mailbox of
//! tokio, the same guest in bare wasmtime, and two events chained by hand.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use theater::{ActorHandle, ChainEvent};
use theater_tests::World;

use crate::client;
use crate::clock::{micros_each, timed_async};
use crate::limit::frames::Frames;
use crate::limit::guest::Guest;
use crate::limit::mailbox::{self, Mailbox};
use crate::plan::Plan;
use crate::row::{Row, Runs, Target};
use crate::world::builder;

const BESIDE: &str = "tokio mailbox + wasmtime + 2 events by hand";

/// Actors of the runs with more than one thread.
const MANY: usize = 16;

/// One client, 64 clients, and what a second thread adds.
pub(crate) fn run(plan: Plan) -> Result<Vec<Row>> {
    let messages = plan.of(64_000, 6_400);
    let guest = Guest::new(&theater_build::testing::component("counter"))?;
    let mut rows = Vec::new();
    for (name, clients) in [("message, 1 client", 1), ("message, 64 clients of one actor", 64)] {
        let mut runs = Runs::default();
        for _ in plan.runs(name) {
            let (limit, ours) = on(2, &guest, Load { actors: 1, clients, messages })?;
            runs.add(limit, ours);
        }
        rows.push(Row::new(name, "us", BESIDE, runs, Some(Target::TimesAtMost(1.5))));
    }
    let name = "messages on two threads, times one thread";
    let mut runs = Runs::default();
    for _ in plan.runs(name) {
        let load = Load { actors: MANY, clients: 64, messages };
        let ((one_limit, one), (two_limit, two)) = (on(1, &guest, load)?, on(2, &guest, load)?);
        runs.add(one_limit / two_limit, one / two);
    }
    rows.push(Row::new(name, "times", BESIDE, runs, Some(Target::AtLeast(1.8))));
    Ok(rows)
}

#[derive(Clone, Copy)]
struct Load {
    actors: usize,
    clients: usize,
    messages: usize,
}

/// The limit and ours, in microseconds a message, on so many threads.
fn on(threads: usize, guest: &Guest, load: Load) -> Result<(f64, f64)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    // In a task, as whoever calls an actor is.
    let guest = guest.clone();
    runtime.block_on(async { client::task(async move { both(&guest, load).await }).await? })
}

async fn both(guest: &Guest, Load { actors, clients, messages }: Load) -> Result<(f64, f64)> {
    let world = World::with(&["counter"], builder()?);
    let mut counters = Vec::new();
    for _ in 0..actors {
        counters.push(world.spawn("counter").await);
    }
    let counters: Arc<[ActorHandle]> = counters.into();
    client::asked(&counters, clients, messages / 8, false).await?; // warm
    let message = last_message(&world, &counters[0]).await?;
    let mut mailboxes = Vec::new();
    for _ in 0..actors {
        mailboxes.push(Mailbox::start(guest, Frames::new(&message), None).await?);
    }
    mailbox::asked(&mailboxes, clients, messages / 8).await?;
    let limit = timed_async(mailbox::asked(&mailboxes, clients, messages)).await.and_ok()?;
    let ours = timed_async(client::asked(&counters, clients, messages, false)).await.and_ok()?;
    world.runtime.kill().await?;
    Ok((micros_each(limit, messages), micros_each(ours, messages)))
}

/// The events of an actor's newest message.
pub(crate) async fn last_message(world: &World, actor: &ActorHandle) -> Result<Vec<ChainEvent>> {
    world.runtime.flush().await?;
    let store = world.runtime.store();
    let head = store.actor(actor.id()).await?.context("the actor is not recorded")?.head;
    let events = store.events(actor.id(), head.seq.saturating_sub(16), 17).await?;
    let begin = events.iter().rposition(|event| event.event_type == "call").context("no message was recorded")?;
    let ends = |event: &ChainEvent| ["state_updated", "call_returned"].contains(&&*event.event_type);
    let length = events[begin..].iter().position(ends).context("the message has no end")?;
    Ok(events[begin..=begin + length].to_vec())
}
