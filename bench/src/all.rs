//! All benchmarks, each in a process of its own: what one leaves in memory is not the next one's.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::plan::Plan;
use crate::row::Row;

/// In the order of the table.
const NAMES: [&str; 12] = [
    "message",
    "durable",
    "request",
    "spawn",
    "restart",
    "parked",
    "chain",
    "throughput",
    "replay",
    "recovery",
    "noisy",
    "compile",
];

#[derive(Deserialize)]
struct Found {
    rows: Vec<Row>,
}

/// The rows of all.
pub(crate) fn run(plan: Plan) -> Result<Vec<Row>> {
    let program = std::env::current_exe()?;
    let mut rows = Vec::new();
    for name in NAMES {
        eprintln!("== {name}");
        let mut command = Command::new(&program);
        command.arg(name).arg("--json").args(plan.quick.then_some("--quick"));
        let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run `{name}`"))?;
        ensure!(output.status.success(), "benchmark `{name}` says no ({})", output.status);
        let found: Found = serde_json::from_slice(&output.stdout).with_context(|| format!("what `{name}` prints"))?;
        rows.extend(found.rows);
    }
    Ok(rows)
}
