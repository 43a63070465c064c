//! What 1,000 active actors have written in a second, each message acknowledged when it is durable. Beside
//! it: the same rows in bare SQLite, in commits of the size that arose.

use anyhow::Result;

use super::durable;
use crate::clock::per_second;
use crate::plan::Plan;
use crate::row::{Row, Runs, Target};

const ACTORS: usize = 1_000;

/// As many clients as actors.
pub(crate) async fn run(plan: Plan) -> Result<Vec<Row>> {
    let mut runs = Runs::default();
    for _ in plan.runs("durable throughput") {
        let taken = durable::load(ACTORS, ACTORS, ACTORS * plan.of(50, 4)).await?;
        runs.add(per_second(taken.bare, taken.events), per_second(taken.ours, taken.events));
    }
    let name = "durable throughput, 1,000 active actors";
    let target = Some(Target::TimesAtLeast(0.7));
    Ok(vec![Row::new(name, "events/s", "SQLite: same rows, same commits", runs, target)])
}
