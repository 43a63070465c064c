//! `cargo xtask kill`: the tests of the command line that kill it, more often than with all the others.

use anyhow::Result;

use crate::shell::{cargo, step};

/// The test, which the crate's other tests run with fewer kills.
const TEST: &str = "kills::at_random_moments_nothing_is_lost_and_nothing_is_done_twice";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often.
    #[arg(long, default_value_t = 500)]
    times: u32,
    /// Gives the same moments again; each run prints its own.
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn kill(args: &Args) -> Result<()> {
    let mut test = cargo(".");
    test.args(["test", "--release", "--package", "theater-cli", "--test", "it", "--", "--exact", TEST, "--nocapture"]);
    test.env("THEATER_KILLS", args.times.to_string());
    if let Some(seed) = args.seed {
        test.env("THEATER_KILL_SEED", seed.to_string());
    }
    step("kills at random moments", &mut test)
}
