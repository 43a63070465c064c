//! `cargo xtask demo`: the bank, over all its transactions, in a folder of its own that is kept.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::bank::{Answer, Expected, Kind, Opening, Report, read};
use crate::session::Session;
use crate::shell::{headline, root, theater};
use crate::{actors, bank};

pub(crate) fn demo() -> Result<()> {
    actors::build()?;
    run(&theater()?)
}

/// The demo with a command line that is built.
pub(crate) fn run(theater: &Path) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("theater-demo-").tempdir().context("cannot make a folder")?.keep();
    let bank = folder.join("bank");
    stage(&root().join("actors/bank"), &bank)?;
    let (data, log) = (folder.join("record"), folder.join("run.log"));

    let mut checks = Checks::default();
    let opening: Opening = read(&bank.join("bank.json"))?;
    let expected: Expected = read(&bank.join("expected.json"))?;
    let transactions = fs::read_to_string(bank.join("transactions.jsonl"))?;
    let mut run = Session::start(theater, &bank.join("bank.toml"), &data, &log)?;
    let first: Report = run.ask_json("report")?;
    let counts = transact(&mut run, &transactions)?;
    let last: Report = run.ask_json("report")?;

    headline("the tree, while it runs");
    print!("{}", run.look(&["tree"])?);
    let tree: Value = serde_json::from_str(&run.look(&["tree", "--json"])?)?;
    let status = run.terminate()?;

    headline("what came of it");
    show(&opening, &first, &last, &counts);
    judge(&mut checks, &opening, &expected, &first, &last, &counts, &tree);
    checks.add("the tree stopped in order when asked to (SIGTERM)", status.success());

    headline("verification");
    let verified = Command::new(theater).arg("verify").arg("--data").arg(&data).status()?;
    checks.add("every chain verifies", verified.success());

    headline("what must hold");
    let held = checks.show();
    let (theater, data) = (theater.display(), data.display());
    println!("\nIt is all in {}. To look at it:", folder.display());
    for command in ["tree", "events bank --type call", "state bank", "verify"] {
        println!("  {theater} {command} --data {data}");
    }
    if held { Ok(()) } else { bail!("something does not hold; the run said what is in {}", log.display()) }
}

/// Copies the bank with its components and data, but without its sources.
fn stage(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        let target = to.join(name);
        let is_data = matches!(path.extension().and_then(OsStr::to_str), Some("toml" | "json" | "jsonl" | "wasm"));
        if path.is_dir() && has_component(&path)? {
            stage(&path, &target)?;
        } else if path.is_file() && is_data && name != "Cargo.toml" {
            fs::copy(&path, &target).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

fn has_component(folder: &Path) -> Result<bool> {
    let files: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    Ok(files.iter().any(|file| file.extension() == Some(OsStr::new("wasm"))))
}

/// How many transactions came to what.
type Counts = BTreeMap<&'static str, u64>;

/// Sends every line and counts the answers.
fn transact(run: &mut Session, transactions: &str) -> Result<Counts> {
    let lines = transactions.lines().count();
    headline(&format!("running the bank over {lines} transactions"));
    let style = ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len}  {msg}")?;
    let bar = ProgressBar::new(lines as u64).with_style(style);
    let mut counts = Counts::from([("applied", 0), ("rejected", 0), ("failed", 0)]);
    for line in transactions.lines() {
        let answer: Answer = run.ask_json(line)?;
        let kind = match answer.status {
            Kind::Applied => "applied",
            Kind::Rejected => "rejected",
            Kind::Failed => "failed",
        };
        *counts.entry(kind).or_default() += 1;
        bar.set_message(format!("{} failed", counts["failed"]));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(counts)
}

fn show(opening: &Opening, first: &Report, last: &Report, counts: &Counts) {
    let [applied, rejected, failed] = ["applied", "rejected", "failed"].map(|kind| counts[kind]);
    println!("transactions  {applied} applied, {rejected} rejected, {failed} failed (they crashed a worker)");
    let restarts: Vec<String> = last.restarts.iter().map(|(worker, times)| format!("{worker} {times}")).collect();
    println!("restarts      {}", restarts.join(", "));
    println!("moved         {} in {} transactions (ledger)", money(last.ledger.volume), last.ledger.count);
    let audit = &last.audit;
    println!("audit         {} rejected, {} failed, {} restarted", audit.rejected, audit.failed, audit.restarted);
    for (group, total) in &last.totals {
        let opened: u64 = opening.groups.get(group).map_or(0, |accounts| accounts.values().sum());
        println!("group {group}       {:>14} (opened with {})", money(*total), money(opened));
        let accounts = opening.groups.get(group).into_iter().flat_map(bank::Balances::keys);
        let balances: Vec<String> = accounts
            .map(|account| format!("{account} {:>9}", last.balances.get(account).map_or("?".into(), |b| money(*b))))
            .collect();
        for row in balances.chunks(6) {
            println!("              {}", row.join("  "));
        }
    }
    println!("sum           {:>14} before, {} after", money(first.sum), money(last.sum));
}

/// Cents as people write them.
fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn judge(
    checks: &mut Checks,
    opening: &Opening,
    expected: &Expected,
    first: &Report,
    last: &Report,
    counts: &Counts,
    tree: &Value,
) {
    let sums = [opening.sum(), first.sum, last.sum, last.balances.values().sum(), expected.sum];
    checks.add("no money was made or lost", sums.iter().all(|sum| *sum == sums[0]));
    checks.add("every account has what the model computed", last.balances == expected.balances);
    let wanted = [expected.applied, expected.rejected, expected.failed];
    checks.add(
        "as many transactions were applied, rejected and failed as the model says",
        ["applied", "rejected", "failed"].map(|kind| counts[kind]) == wanted,
    );
    checks.add("every crash led to one restart, with the state before it", last.restarts == expected.restarts);
    checks.add(
        "ledger and audit counted the same",
        [last.ledger.count, last.ledger.volume] == [expected.applied, expected.volume]
            && [last.audit.rejected, last.audit.failed] == [expected.rejected, expected.failed]
            && last.audit.restarted == expected.restarts.values().sum::<u64>(),
    );
    let children = tree["children"].as_array().map_or(&[][..], Vec::as_slice);
    let restarts: u64 = children.iter().filter_map(|child| child["restarts"].as_u64()).sum();
    checks.add(
        "the tree shows every actor running, and those restarts",
        tree["status"] == "running"
            && children.len() == opening.groups.len() + 2
            && children.iter().all(|child| child["status"] == "running")
            && restarts == expected.restarts.values().sum::<u64>(),
    );
}

/// What must hold.
#[derive(Default)]
struct Checks(Vec<(&'static str, bool)>);

impl Checks {
    fn add(&mut self, what: &'static str, holds: bool) {
        self.0.push((what, holds));
    }

    /// Prints them; whether all hold.
    fn show(&self) -> bool {
        for (what, holds) in &self.0 {
            println!("{}  {what}", if *holds { "ok    " } else { "FAILED" });
        }
        self.0.iter().all(|(_, holds)| *holds)
    }
}
