//! Replay. Beside it: the calls that it makes again, live.

use anyhow::Result;
use theater_replay::{Part, Replayer};
use theater_tests::World;

use crate::client::Client;
use crate::clock::{per_second, timed_async};
use crate::plan::Plan;
use crate::row::{Row, Runs, Target};
use crate::world::builder;

/// Calls of a shape that the core knows; apart from them such as answer a list of records, which replay
/// makes again through untyped values.
pub(crate) async fn run(plan: Plan) -> Result<Vec<Row>> {
    let typed = rate(plan, "counter", "inc", plan.of(20_000, 5_000)).await?;
    let untyped = rate(plan, "rogue", "flood-chain 1", plan.of(60, 30)).await?;
    Ok(vec![
        Row::new("replay of typed calls", "calls/s", "the same calls, live", typed, Some(Target::TimesAtLeast(1.0))),
        Row::new("replay of a list of records (`Val`)", "calls/s", "the same calls, live", untyped, None),
    ])
}

async fn rate(plan: Plan, actor: &str, order: &str, calls: usize) -> Result<Runs> {
    let replayer = Replayer::new()?;
    let mut runs = Runs::default();
    for _ in plan.runs(&format!("replay of {actor}")) {
        let world = World::with(&[actor], builder()?);
        let subject = world.spawn(actor).await;
        let mut client = Client::new();
        let live = timed_async(async {
            for _ in 0..calls {
                client.ask(&subject, order).await?;
            }
            anyhow::Ok(())
        });
        let live = live.await.and_ok()?;
        world.runtime.flush().await?;
        let store = world.runtime.store();
        // Compiles the component.
        Box::pin(replayer.replay(store.clone(), subject.id(), Part::whole().until(1))).await?;
        let replay = timed_async(Box::pin(replayer.replay(store.clone(), subject.id(), Part::whole()))).await;
        let replay = replay.checked(|replay| replay.as_ref().is_ok_and(|replay| replay.replayed as usize > calls))?;
        world.runtime.kill().await?;
        runs.add(per_second(live, calls), per_second(replay, calls));
    }
    Ok(runs)
}
