//! `theater replay`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use theater::chain::ActorEntry;
use theater::{ChainStore, TheaterId};
use theater_replay::{Divergence, Part, Replay, Replayer, Verdict};

use super::find::Actors;
use super::record;
use crate::args::ReplayArgs;
use crate::failure::{Failure, Outcome, Status};
use crate::output::Output;

/// The largest component that is read.
const MAX_COMPONENT: u64 = 128 << 20;

/// What was found.
struct Found {
    /// Each actor's path and replay.
    actors: Vec<(String, Replay)>,
    /// With `--against`: the verdict, and the imports that are missing.
    verdict: Option<(&'static str, Vec<String>)>,
    until: Option<u64>,
}

pub(crate) fn replay(args: &ReplayArgs) -> Outcome {
    let against = args.against.as_deref().map(component).transpose()?;
    let store: Arc<dyn ChainStore> = Arc::new(record::open(&args.data.data)?);
    let found = record::block_on(examine(&store, args, against))?;
    let mut out = Output::new();
    let printed = if args.json { out.json(&found.json()) } else { found.print(&mut out) };
    // Whoever reads half of the report gets the whole answer as the status all the same.
    let printed = printed.and_then(|()| out.flush()).map_err(Failure::from);
    if let Err(failure) = printed
        && !failure.is_closed_output()
    {
        return Err(failure);
    }
    Ok(found.status())
}

fn component(path: &Path) -> Result<Vec<u8>, Failure> {
    let unread = |error: io::Error| Failure::new(format!("{} cannot be read", path.display())).because(&error);
    if std::fs::metadata(path).map_err(unread)?.len() > MAX_COMPONENT {
        return Err(Failure::new(format!("{} is larger than 128 MiB, which no component is", path.display())));
    }
    std::fs::read(path).map_err(unread)
}

async fn examine(store: &Arc<dyn ChainStore>, args: &ReplayArgs, against: Option<Vec<u8>>) -> Result<Found, Failure> {
    let actors = Actors::read(&**store).await?;
    let entry = actors.find(&args.actor)?;
    let replayer = Replayer::new()?;
    let chosen: Vec<&ActorEntry> = if args.tree { actors.subtree(entry) } else { vec![entry] };
    let bar = progress(chosen.iter().fold(0, |events: u64, entry| events.saturating_add(entry.head.seq + 1)));
    let mut found = Found { actors: Vec::new(), verdict: None, until: args.until };
    let mut before = 0;
    for entry in chosen {
        let shown = bar.clone();
        let mut part = Part::whole().progress(move |seq| shown.set_position(before + seq));
        if let Some(until) = args.until {
            part = part.until(until);
        }
        let replay = match &against {
            None => Some(replayer.replay(store.clone(), entry.id, part).await?),
            Some(component) => {
                let component = component.clone().into();
                let (verdict, imports, replay) =
                    match replayer.against(store.clone(), entry.id, &component, part).await? {
                        Verdict::Compatible(replay) => ("compatible", Vec::new(), Some(replay)),
                        Verdict::Diverges(replay) => ("diverges", Vec::new(), Some(replay)),
                        Verdict::NeedsOtherImports(imports) => ("needs-other-imports", imports, None),
                        _ => ("unknown", Vec::new(), None),
                    };
                found.verdict = Some((verdict, imports));
                replay
            }
        };
        found.actors.extend(replay.map(|replay| (actors.path(entry), replay)));
        before = before.saturating_add(entry.head.seq + 1);
    }
    bar.finish_and_clear();
    Ok(found)
}

/// On a terminal's standard error; nothing elsewhere.
fn progress(events: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("replaying {wide_bar} {human_pos} of {human_len} events");
    let bar = ProgressBar::new(events);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Found {
    fn is_ok(&self) -> bool {
        self.missing().is_empty() && self.actors.iter().all(|(_, replay)| replay.is_ok())
    }

    fn missing(&self) -> &[String] {
        self.verdict.as_ref().map_or(&[], |(_, imports)| imports)
    }

    fn status(&self) -> Status {
        match self.is_ok() {
            false => Status::No,
            true if self.actors.iter().any(|(_, replay)| !replay.unreplayed.is_empty()) => Status::CannotTell,
            true => Status::Yes,
        }
    }

    fn sum(&self, of: impl Fn(&Replay) -> u64) -> u64 {
        self.actors.iter().map(|(_, replay)| of(replay)).sum()
    }

    fn json(&self) -> Value {
        let mut whole = Map::new();
        whole.insert("ok".into(), self.is_ok().into());
        whole.insert("replayed".into(), self.sum(|replay| replay.replayed).into());
        whole.insert("environmental".into(), self.sum(|replay| replay.environmental).into());
        let diverged = self.actors.iter().find_map(|(_, replay)| Some((replay.actor, replay.diverged.as_ref()?)));
        if let Some((actor, diverged)) = diverged {
            whole.insert("diverged".into(), divergence_json(actor, diverged));
        }
        if let Some((verdict, imports)) = &self.verdict {
            whole.insert("verdict".into(), (*verdict).into());
            whole.insert("imports".into(), imports.clone().into());
        }
        if let (Some(until), [(_, replay)]) = (self.until, &self.actors[..]) {
            let state = replay.state.as_ref().map(|state| {
                let bytes = state.bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
                json!({ "seq": until, "hash": state.hash.to_string(), "bytes": bytes })
            });
            let next = replay.next.as_ref();
            let next = next.map(|next| json!({ "seq": next.seq, "function": next.function, "params": next.params }));
            whole.insert("state".into(), state.into());
            whole.insert("next".into(), next.into());
        }
        whole.insert("actors".into(), self.actors.iter().map(|(_, replay)| replay_json(replay)).collect());
        whole.into()
    }

    fn print(&self, out: &mut Output) -> io::Result<()> {
        for (path, replay) in &self.actors {
            print_replay(out, path, replay)?;
        }
        if let (Some(until), [(_, replay)]) = (self.until, &self.actors[..]) {
            print_point(out, until, replay)?;
        }
        match &self.verdict {
            Some(("compatible", _)) => out.line(format_args!("compatible: it does what is recorded"))?,
            Some(("needs-other-imports", imports)) => {
                out.line(format_args!("needs other imports, which the record cannot answer: {}", imports.join(", ")))?;
            }
            _ => {}
        }
        if let [_, _, ..] = &self.actors[..] {
            let differ = self.actors.iter().filter(|(_, replay)| !replay.is_ok()).count();
            let (all, calls) = (self.actors.len(), self.sum(|replay| replay.replayed));
            let host = self.sum(|replay| replay.environmental);
            match differ {
                0 => out.line(format_args!(
                    "all {all} actors do again what is recorded: {calls} calls, and {host} ended by the host"
                ))?,
                differ => out.line(format_args!("{differ} of {all} actors do not do again what is recorded"))?,
            }
        }
        Ok(())
    }
}

fn print_replay(out: &mut Output, path: &str, replay: &Replay) -> io::Result<()> {
    let id = replay.actor.to_string();
    let mark = if replay.is_ok() { "ok      " } else { "DIVERGES" };
    let host = match replay.environmental {
        0 => String::new(),
        count => format!(", {count} ended by the host"),
    };
    out.line(format_args!(
        "{mark}  {path}  {}  {} calls{host} in {} events",
        &id[..8],
        replay.replayed,
        replay.events
    ))?;
    for gap in &replay.unreplayed {
        out.line(format_args!("  not replayed: events {} to {}: {}", gap.seq, gap.to, gap.reason))?;
    }
    if let Some(failure) = &replay.failure {
        out.line(format_args!("  last failed at event {}, {}: {}", failure.seq, failure.function, failure.what))?;
        backtrace(out, &failure.backtrace)?;
    }
    if let Some(diverged) = &replay.diverged {
        out.line(format_args!("  diverges at event {}, {}", diverged.seq, diverged.function))?;
        out.line(format_args!("    recorded: {}", diverged.expected))?;
        out.line(format_args!("    now:      {}", diverged.actual))?;
        backtrace(out, &diverged.backtrace)?;
    }
    Ok(())
}

fn backtrace(out: &mut Output, frames: &[String]) -> io::Result<()> {
    frames.iter().try_for_each(|frame| out.line(format_args!("      in {frame}")))
}

fn print_point(out: &mut Output, until: u64, replay: &Replay) -> io::Result<()> {
    match &replay.state {
        Some(state) => match &state.bytes {
            Some(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                out.line(format_args!("state after event {until}: {} ({} bytes)", state.hash, bytes.len()))?;
                out.line(format_args!("  {text}"))?;
            }
            None => out.line(format_args!("no state after event {until}"))?,
        },
        None => out.line(format_args!("the state after event {until} is not known"))?,
    }
    match &replay.next {
        Some(next) => out.line(format_args!("next call, event {}: {}{}", next.seq, next.function, next.params)),
        None => out.line(format_args!("no call follows")),
    }
}

fn replay_json(replay: &Replay) -> Value {
    let unreplayed = replay.unreplayed.iter();
    let unreplayed = unreplayed.map(|gap| json!({ "seq": gap.seq, "to": gap.to, "reason": gap.reason }));
    let mut json = json!({
        "id": replay.actor,
        "events": replay.events,
        "ok": replay.is_ok(),
        "replayed": replay.replayed,
        "environmental": replay.environmental,
        "unreplayed": unreplayed.collect::<Vec<_>>(),
    });
    if let Some(diverged) = &replay.diverged {
        json["diverged"] = divergence_json(replay.actor, diverged);
    }
    if let Some(failure) = &replay.failure {
        json["failure"] = json!({
            "seq": failure.seq, "function": failure.function, "what": failure.what, "backtrace": failure.backtrace,
        });
    }
    json
}

fn divergence_json(actor: TheaterId, diverged: &Divergence) -> Value {
    json!({
        "actor_id": actor,
        "seq": diverged.seq,
        "function": diverged.function,
        "expected": diverged.expected,
        "actual": diverged.actual,
        "backtrace": diverged.backtrace,
    })
}
