//! `cargo xtask bench`: each benchmark runs beside the limit of the machine on the same work, in the same
//! process and in turn with it, and prints the ratio. Figures are for docs/performance.md, never for a
//! test.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]
#![expect(clippy::print_stderr, reason = "and tells how far it is")]

mod all;
mod client;
mod clock;
mod counted;
mod forest;
mod latency;
mod limit;
mod plan;
mod process;
mod row;
mod rows;
mod scale;
mod soak;
mod table;
mod world;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::plan::Plan;
use crate::row::Row;
use crate::rows::{
    chain, compile, durable, message, noisy, parked, passers_by, recovery, replay, request, restart, spawn, throughput,
};
use crate::table::Report;

/// Benchmarks of Theater: without a name, all of them that have a row in the table.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Args {
    /// As much as two minutes allow for all of them.
    #[arg(long, global = true)]
    quick: bool,
    /// JSON on standard output; how far it is, is on standard error.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    bench: Option<Bench>,
}

#[derive(Subcommand)]
enum Bench {
    /// A message to a live actor: 1 client, 64 clients, two threads.
    Message,
    /// A message acknowledged when it is on disk: 1 client, 64 clients.
    Durable,
    /// A request between two actors.
    Request,
    /// A warm spawn with its first message.
    Spawn,
    /// From a trap to the next incarnation serving.
    Restart {
        /// Crashes of one child.
        #[arg(long)]
        crashes: Option<usize>,
        /// Where the chains are kept.
        #[arg(long, value_enum, default_value_t = restart::Store::Memory)]
        store: restart::Store,
    },
    /// Memory of parked actors, and the first message of one.
    Parked {
        /// How many.
        #[arg(long)]
        actors: Option<usize>,
    },
    /// Append and verification, beside SHA-256 and SQLite on the same data.
    Chain {
        /// How long the chain is that is verified in one pass; 0 for none.
        #[arg(long)]
        events: Option<usize>,
    },
    /// What 1,000 active actors have written in a second.
    Throughput,
    /// Replay beside the calls that it makes again.
    Replay,
    /// Recovery of a tree beside a bare scan of the database.
    Recovery,
    /// The latency of a quiet actor while others loop, flood and crash, against an idle machine.
    Noisy {
        /// Seconds of noise, in each run.
        #[arg(long)]
        seconds: Option<f64>,
        /// Actors that make it.
        #[arg(long, default_value_t = 100)]
        actors: usize,
        /// What they do.
        #[arg(long, value_enum, default_value_t = noisy::Noise::All)]
        noise: noisy::Noise,
    },
    /// The first start of a component, compiled and from the cache.
    Compile,
    /// Very many actors in one process, asked and crashed at random: a table and a plot over time. No row of
    /// the table.
    Scale(scale::Scale),
    /// A mixed load for a long time: what the process takes must stay flat. No row of the table.
    Soak {
        /// For how long.
        #[arg(long, default_value_t = 30.0)]
        minutes: f64,
    },
    /// Memory while temporary children of one supervisor come and go: flat once SQLite's cache is full. No
    /// row of the table.
    PassersBy {
        /// How many.
        #[arg(long, default_value_t = 1_000_000)]
        children: usize,
    },
}

fn main() -> Result<()> {
    let Args { quick, json, bench } = Args::parse();
    let plan = Plan { quick };
    let rows = match bench {
        None => all::run(plan)?,
        Some(Bench::Message) => message::run(plan)?,
        Some(Bench::Scale(scale)) => return in_a_task(scale::run(scale, json)),
        Some(Bench::Soak { minutes }) => return in_a_task(soak::run(minutes, json)),
        Some(Bench::PassersBy { children }) => return in_a_task(passers_by::run(children)),
        Some(bench) => in_a_task(one(plan, bench))?,
    };
    Report::new(rows, quick).print(json)
}

async fn one(plan: Plan, bench: Bench) -> Result<Vec<Row>> {
    match bench {
        Bench::Durable => durable::run(plan).await,
        Bench::Request => request::run(plan).await,
        Bench::Spawn => spawn::run(plan).await,
        Bench::Restart { crashes, store } => restart::run(plan, crashes, store).await,
        Bench::Parked { actors } => parked::run(plan, actors).await,
        Bench::Chain { events } => chain::run(plan, events).await,
        Bench::Throughput => throughput::run(plan).await,
        Bench::Replay => replay::run(plan).await,
        Bench::Recovery => recovery::run(plan).await,
        Bench::Noisy { seconds, actors, noise } => noisy::run(plan, seconds, actors, noise).await,
        Bench::Compile => compile::run(plan).await,
        Bench::Message | Bench::PassersBy { .. } | Bench::Scale(_) | Bench::Soak { .. } => {
            anyhow::bail!("this one has no rows")
        }
    }
}

/// In a task of tokio's, as whoever calls an actor is: the main thread would be woken for each answer.
fn in_a_task<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { client::task(work).await? })
}
