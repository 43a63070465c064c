//! `cargo xtask bench NAME`: each benchmark runs beside the limit of the machine on the same work,
//! in the same process, and prints the ratio. Figures are for docs/performance.md, never for a test.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

mod bare;
mod chain;
mod latency;
mod noisy;
mod passers_by;
mod restart;

use clap::{Parser, Subcommand};

/// Benchmarks of Theater.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Chains beside bare SHA-256 and bare SQLite on the same data.
    Chain {
        /// How long the chain is that is verified in one pass.
        #[arg(long, default_value_t = 1_000_000)]
        events: usize,
    },
    /// The latency of a quiet actor while 100 others loop, flood and crash, against an idle machine.
    Noisy {
        /// Seconds of noise.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Actors that make it.
        #[arg(long, default_value_t = 100)]
        actors: usize,
        /// What they do.
        #[arg(long, value_enum, default_value_t = noisy::Noise::All)]
        noise: noisy::Noise,
    },
    /// Memory while temporary children of one supervisor come and go: flat once SQLite's cache is full.
    PassersBy {
        /// How many.
        #[arg(long, default_value_t = 1_000_000)]
        children: usize,
    },
    /// From a trap to the next incarnation serving, against a bare trap and a bare spawn.
    Restart {
        /// Crashes of one child.
        #[arg(long, default_value_t = 1_000)]
        crashes: usize,
        /// Where the chains are kept.
        #[arg(long, value_enum, default_value_t = restart::Store::Memory)]
        store: restart::Store,
    },
}

fn main() -> anyhow::Result<()> {
    let Args { bench } = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match bench {
        Bench::Chain { events } => runtime.block_on(chain::run(events)),
        Bench::Noisy { seconds, actors, noise } => runtime.block_on(noisy::run(seconds, actors, noise)),
        Bench::PassersBy { children } => runtime.block_on(passers_by::run(children)),
        // In a task, as whoever calls an actor is: the main thread would be woken for each answer.
        Bench::Restart { crashes, store } => runtime.block_on(async {
            #[expect(clippy::disallowed_methods, reason = "the client of a benchmark")]
            tokio::spawn(restart::run(crashes, store)).await?
        }),
    }
}
