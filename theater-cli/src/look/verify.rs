//! `theater verify`.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use theater::ChainStore;
use theater::chain::{ActorReport, Level, Verification};
use theater_supervision_policy::DecisionAudit;

use super::find::Actors;
use super::record;
use crate::args::{VerifyArgs, VerifyLevel};
use crate::failure::{Failure, Outcome, Status};
use crate::output::Output;

/// What was found: of all actors, or of one.
struct Report {
    actors: Vec<(ActorReport, String)>,
    unchecked: Vec<String>,
}

impl Report {
    fn is_ok(&self) -> bool {
        self.actors.iter().all(|(report, _)| report.is_ok())
    }

    fn json(&self) -> Value {
        let actors: Vec<&ActorReport> = self.actors.iter().map(|(report, _)| report).collect();
        json!({ "ok": self.is_ok(), "actors": actors, "unchecked": self.unchecked })
    }
}

pub(crate) fn verify(args: &VerifyArgs) -> Outcome {
    let store = record::open(&args.data.data)?;
    let level = match args.level {
        VerifyLevel::Links => Level::Links,
        VerifyLevel::Full => Level::Full,
    };
    let report = record::block_on(examine(&store, args.actor.as_deref(), level))?;
    let mut out = Output::new();
    let printed = if args.json { out.json(&report.json()) } else { print(&mut out, &report, args.level) };
    // Whoever reads half of the report gets the whole answer as the status all the same.
    let printed = printed.and_then(|()| out.flush()).map_err(Failure::from);
    if let Err(failure) = printed
        && !failure.is_closed_output()
    {
        return Err(failure);
    }
    Ok(if report.is_ok() { Status::Yes } else { Status::No })
}

async fn examine(store: &dyn ChainStore, actor: Option<&str>, level: Level) -> Result<Report, Failure> {
    let actors = Actors::read(store).await?;
    let verification = Verification::new(level).audited(&DecisionAudit);
    if let Some(text) = actor {
        let entry = actors.find(text)?;
        let report = verification.actor(store, entry).await?;
        let unchecked = report.unchecked.clone();
        return Ok(Report { actors: vec![(report, actors.path(entry))], unchecked });
    }
    let bar = progress(actors.events());
    let report = verification.store(store, &mut |events| bar.set_position(events)).await?;
    bar.finish_and_clear();
    let path = |report: &ActorReport| actors.get(report.id).map_or_else(String::new, |entry| actors.path(entry));
    let named = report.actors.into_iter().map(|report| (path(&report), report)).map(|(path, report)| (report, path));
    Ok(Report { actors: named.collect(), unchecked: report.unchecked })
}

/// On a terminal's standard error; nothing elsewhere.
fn progress(events: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("verifying {wide_bar} {human_pos} of {human_len} events");
    let bar = ProgressBar::new(events);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn print(out: &mut Output, report: &Report, level: VerifyLevel) -> std::io::Result<()> {
    let width = report.actors.iter().map(|(_, path)| path.chars().count()).max().unwrap_or(0);
    for (actor, path) in &report.actors {
        let id = actor.id.to_string();
        match &actor.fault {
            None => out.line(format_args!("ok     {path:<width$}  {}  {} events", &id[..8], actor.events))?,
            Some(fault) => out.line(format_args!("FAULT  {path:<width$}  {}  {fault}", &id[..8]))?,
        }
    }
    let events: u64 = report.actors.iter().map(|(actor, _)| actor.events).sum();
    let faults = report.actors.iter().filter(|(actor, _)| !actor.is_ok()).count();
    let level = match level {
        VerifyLevel::Links => "links and hashes",
        VerifyLevel::Full => "full",
    };
    match (faults, report.actors.len()) {
        (_, 0) => out.line(format_args!("the record holds no actor"))?,
        (0, 1) => out.line(format_args!("the chain verifies ({level}): {events} events"))?,
        (0, all) => out.line(format_args!("all {all} chains verify ({level}): {events} events"))?,
        (faults, all) => out.line(format_args!("{faults} of {all} chains do not verify ({level})"))?,
    }
    for sentence in &report.unchecked {
        out.line(format_args!("not checked: {sentence}"))?;
    }
    Ok(())
}
