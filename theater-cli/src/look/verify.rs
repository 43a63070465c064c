//! `theater verify`.

use indicatif::{ProgressBar, ProgressStyle};
use theater::ChainStore;
use theater::chain::{ActorReport, KeyFrom, Level, StoreReport, Trust, Verification};
use theater_supervision_policy::DecisionAudit;

use super::find::Actors;
use super::{record, render, trust};
use crate::args::{VerifyArgs, VerifyLevel};
use crate::failure::{Failure, Outcome, Status};
use crate::output::Output;

/// What was found, with the paths of the actors.
struct Report {
    found: StoreReport,
    paths: Vec<String>,
}

pub(crate) fn verify(args: &VerifyArgs) -> Outcome {
    let store = record::open(&args.data.data)?;
    let level = match args.level {
        VerifyLevel::Links => Level::Links,
        VerifyLevel::Full => Level::Full,
    };
    let key = trust::public_key(args.key.as_deref(), &args.data.data)?;
    let kept = args.checkpoint.as_deref().map(trust::checkpoint).transpose()?;
    let trust = Trust { key: key.as_ref(), kept: kept.as_ref() };
    let report = record::block_on(examine(&store, args.actor.as_deref(), level, trust))?;
    let mut out = Output::new();
    let printed = if args.json { out.json(&report.found) } else { print(&mut out, &report, args.level) };
    // Whoever reads half of the report gets the whole answer as the status all the same.
    let printed = printed.and_then(|()| out.flush()).map_err(Failure::from);
    if let Err(failure) = printed
        && !failure.is_closed_output()
    {
        return Err(failure);
    }
    Ok(if report.found.ok { Status::Yes } else { Status::No })
}

async fn examine(
    store: &dyn ChainStore,
    actor: Option<&str>,
    level: Level,
    trust: Trust<'_>,
) -> Result<Report, Failure> {
    let actors = Actors::read(store).await?;
    let verification = Verification::new(level).audited(&DecisionAudit).signed(trust);
    let found = match actor {
        Some(text) => verification.actors(store, std::slice::from_ref(actors.find(text)?)).await?,
        None => {
            let bar = progress(actors.events());
            let found = verification.store(store, &mut |events| bar.set_position(events)).await?;
            bar.finish_and_clear();
            found
        }
    };
    let path = |report: &ActorReport| actors.get(report.id).map_or_else(String::new, |entry| actors.path(entry));
    let paths = found.actors.iter().map(path).collect();
    Ok(Report { found, paths })
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
    let Report { found, paths } = report;
    let width = paths.iter().map(|path| path.chars().count()).max().unwrap_or(0);
    for (actor, path) in found.actors.iter().zip(paths) {
        let id = actor.id.to_string();
        match &actor.fault {
            None => out.line(format_args!("ok     {path:<width$}  {}  {} events", &id[..8], actor.events))?,
            Some(fault) => out.line(format_args!(
                "FAULT  {path:<width$}  {}  {}",
                &id[..8],
                render::plain_text(&fault.to_string())
            ))?,
        }
    }
    let events: u64 = found.actors.iter().map(|actor| actor.events).sum();
    let faults = found.actors.iter().filter(|actor| !actor.is_ok()).count();
    let level = match level {
        VerifyLevel::Links => "links and hashes",
        VerifyLevel::Full => "full",
    };
    match (faults, found.actors.len()) {
        (_, 0) => out.line(format_args!("the record holds no actor"))?,
        (0, 1) => out.line(format_args!("the chain verifies ({level}): {events} events"))?,
        (0, all) => out.line(format_args!("all {all} chains verify ({level}): {events} events"))?,
        (faults, all) => out.line(format_args!("{faults} of {all} chains do not verify ({level})"))?,
    }
    if let Some(log) = &found.log {
        for one in log.checkpoints.iter().filter(|one| one.key != KeyFrom::Nowhere) {
            out.line(format_args!("signed by {}: {} heads of chains", one.origin, one.size))?;
        }
        let mut origins: Vec<&str> = log.chains.iter().map(|one| one.origin.as_str()).collect();
        origins.sort_unstable();
        for of_origin in origins.chunk_by(|a, b| a == b) {
            out.line(format_args!(
                "signed by {}: {} chains, as they came from elsewhere",
                of_origin[0],
                of_origin.len()
            ))?;
        }
        if let Some(fault) = &log.fault {
            out.line(format_args!("FAULT  in what is signed: {fault}"))?;
        }
    }
    for sentence in &found.unchecked {
        out.line(format_args!("not checked: {}", render::plain_text(sentence)))?;
    }
    Ok(())
}
