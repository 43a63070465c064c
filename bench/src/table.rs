//! What a run found: as a table for people, as JSON for programs.

use std::time::SystemTime;

use anyhow::Result;
use serde::Serialize;

use crate::row::Row;

/// The figures and what they were taken on.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    date: String,
    cpu: String,
    cores: usize,
    /// Programs that ran or waited to run, over the last minute: above the cores, others had them too.
    load: String,
    quick: bool,
    rows: Vec<Row>,
}

impl Report {
    /// The rows, taken now on this machine.
    pub(crate) fn new(rows: Vec<Row>, quick: bool) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the date of the figures")]
        let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            date,
            cpu: model.trim_start_matches([' ', '\t', ':']).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load: load.split(' ').next().unwrap_or("unknown").to_owned(),
            quick,
            rows,
        }
    }

    /// To stdout.
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        let Self { date, cpu, cores, load, .. } = self;
        println!("{date}, {cpu}, {cores} cores, load {load}\n");
        println!(
            "{:<44} {:>11} {:>11}  {:<9} {:>7}  {:<10}  beside",
            "what", "theater", "limit", "unit", "ratio", "goal"
        );
        for row in &self.rows {
            let goal = row.target.map_or_else(String::new, |target| target.to_string());
            let met = match row.met {
                Some(true) => "met",
                Some(false) => "missed",
                None => "",
            };
            let Row { name, ours, limit, unit, ratio, limit_name, .. } = row;
            let (ours, limit) = (figure(*ours), figure(*limit));
            println!("{name:<44} {ours:>11} {limit:>11}  {unit:<9} {ratio:>6.2}x  {goal:<10}  {limit_name} {met:>8}");
        }
        Ok(())
    }
}

/// With as many places as say something.
fn figure(value: f64) -> String {
    match value {
        value if value >= 1_000.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
