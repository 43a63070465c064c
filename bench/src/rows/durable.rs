//! A message that is acknowledged to the outside: answered when everything up to the answer is on disk.
//! Beside it: the same rows in bare SQLite, in commits of the sizes that arose.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use theater::{ActorHandle, ChainEvent};
use theater_store_sqlite::SqliteStore;
use theater_tests::World;

use crate::client;
use crate::clock::{micros_each, per_second, timed, timed_async};
use crate::counted::Counted;
use crate::limit::sqlite::Sqlite;
use crate::plan::Plan;
use crate::row::{Row, Runs, Target};
use crate::world::builder;

/// One client, and 64 clients of as many actors.
pub(crate) async fn run(plan: Plan) -> Result<Vec<Row>> {
    let (mut one, mut many) = (Runs::default(), Runs::default());
    for _ in plan.runs("durable, 1 client") {
        let messages = plan.of(1_500, 100);
        let taken = load(1, 1, messages).await?;
        one.add(micros_each(taken.bare, messages), micros_each(taken.ours, messages));
    }
    for _ in plan.runs("durable, 64 clients") {
        let taken = load(64, 64, plan.of(25_600, 3_200)).await?;
        many.add(per_second(taken.bare, taken.events), per_second(taken.ours, taken.events));
    }
    Ok(vec![
        Row::new(
            "durable message, 1 client",
            "us",
            "SQLite: a commit of its rows",
            one,
            Some(Target::TimesAtMost(1.5)),
        ),
        Row::new(
            "durable messages, 64 clients",
            "events/s",
            "SQLite: same rows, same commits",
            many,
            Some(Target::TimesAtLeast(0.7)),
        ),
    ])
}

/// What a load took, and the same rows without Theater.
pub(super) struct Taken {
    pub(super) ours: std::time::Duration,
    pub(super) bare: std::time::Duration,
    pub(super) events: usize,
}

/// Has `clients` clients ask `actors` actors, each message answered when it is durable; then writes as many
/// of the same rows to bare SQLite, in as many commits.
pub(super) async fn load(actors: usize, clients: usize, messages: usize) -> Result<Taken> {
    let data = tempfile::tempdir()?;
    let store = Counted::new(Arc::new(SqliteStore::open(data.path())?));
    let world = World::with(&["counter"], builder()?.store(store.clone()));
    let mut counters = Vec::new();
    for _ in 0..actors {
        counters.push(world.spawn("counter").await);
    }
    let counters: Arc<[ActorHandle]> = counters.into();
    client::asked(&counters, clients, clients, true).await?; // warm
    let before = store.counts();
    let ours = timed_async(client::asked(&counters, clients, messages, true)).await.and_ok()?;
    let (commits, events) = store.counts().since(before);
    let rows = rows(&world, &counters[0], events).await?;
    world.runtime.kill().await?;
    let mut sqlite = Sqlite::open(&data.path().join("bare.db"))?;
    let size = events.div_ceil(commits);
    let bare = timed(|| rows.chunks(size).try_for_each(|rows| sqlite.insert(rows))).and_ok()?;
    eprintln!("    {events} events in {commits} commits of {size}");
    Ok(Taken { ours, bare, events })
}

/// So many events, as those of an actor's messages are.
async fn rows(world: &World, actor: &ActorHandle, count: usize) -> Result<Vec<ChainEvent>> {
    world.runtime.flush().await?;
    let head = world.runtime.store().actor(actor.id()).await?.context("the actor is not recorded")?.head;
    let events = world.runtime.get_actor_events(actor.id(), head.seq.saturating_sub(2_998), 2_999).await?;
    let begin = events.iter().position(|event| event.event_type == "message_accepted").unwrap_or_default();
    let events = &events[begin..];
    ensure!(events.len() >= 3, "the actor has no messages");
    let whole = events.len() - events.len() % 3;
    Ok(events[..whole].iter().cycle().take(count).cloned().collect())
}
