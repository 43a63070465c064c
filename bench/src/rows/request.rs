//! A request from one actor to another, asked for from outside. Beside it: the sum of its parts, which is two
//! mailboxes of tokio, both guests in bare wasmtime, a host function between them, and all their events
//! chained by hand.

use anyhow::Result;
use theater_tests::World;

use super::message::last_message;
use crate::client::Client;
use crate::clock::{micros_each, timed_async};
use crate::limit::frames::Frames;
use crate::limit::guest::Guest;
use crate::limit::mailbox::Mailbox;
use crate::plan::Plan;
use crate::row::{Row, Runs, Target};
use crate::world::builder;

/// One courier asks another.
pub(crate) async fn run(plan: Plan) -> Result<Vec<Row>> {
    let requests = plan.of(20_000, 4_000);
    let world = World::with(&["courier"], builder()?);
    let (asker, asked) = (world.spawn("courier").await, world.spawn("courier").await);
    let order = format!("request {} hello", asked.id());
    let mut client = Client::new();
    for _ in 0..200 {
        client.ask(&asker, &order).await?;
    }
    let (asking, asked) = (last_message(&world, &asker).await?, last_message(&world, &asked).await?);
    let events = asking.len() + asked.len();
    let guest = Guest::new(&world.path().join("courier.wasm"))?;
    let inner = Mailbox::start(&guest, Frames::new(&asked), None).await?;
    let outer = Mailbox::start(&guest, Frames::new(&asking), Some(inner)).await?;
    let mut runs = Runs::default();
    for _ in plan.runs("request") {
        let bare = timed_async(async {
            for _ in 0..requests {
                outer.ask(order.clone().into_bytes()).await?;
            }
            anyhow::Ok(())
        });
        let limit = bare.await.and_ok()?;
        let ours = timed_async(async {
            for _ in 0..requests {
                client.ask(&asker, &order).await?;
            }
            anyhow::Ok(())
        });
        runs.add(micros_each(limit, requests), micros_each(ours.await.and_ok()?, requests));
    }
    world.runtime.kill().await?;
    let beside = format!("2 mailboxes, 2 guests, host call, {events} events");
    Ok(vec![Row::new("request between two actors", "us", &beside, runs, Some(Target::TimesAtMost(2.0)))])
}
