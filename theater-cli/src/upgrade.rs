//! `theater upgrade`: another component for an actor, and back.

use std::path::{Path, PathBuf};

use serde_json::json;
use theater::host_key;
use theater::{TheaterCommand, TheaterId, TheaterReply, TheaterRuntimeBuilder, Upgrade, UpgradeError, Upgraded};
use theater_store_sqlite::SqliteStore;

use crate::args::UpgradeArgs;
use crate::client::Client;
use crate::compiling;
use crate::failure::{Failure, Outcome, Status};
use crate::look::find::Actors;
use crate::look::record;
use crate::output::Output;

/// The largest component that is read, in bytes; the runtime takes none that is larger.
const MAX_COMPONENT: u64 = 128 << 20;

pub(crate) fn upgrade(args: &UpgradeArgs, builder: TheaterRuntimeBuilder, quiet: bool) -> Outcome {
    let (id, label) = {
        let store = record::open(&args.data.data)?;
        record::block_on(async {
            let actors = Actors::read(&store).await?;
            let entry = actors.find(&args.actor)?;
            Ok((entry.id, format!("{} {}", actors.path(entry), &entry.id.to_string()[..8])))
        })?
    };
    // Also where another process reads it: a mistake is said before anybody is asked.
    let component = args.component.as_deref().map(readable).transpose()?;
    let upgraded = match Client::connect(&args.data.data) {
        Some(client) => ask(client, id, component, args)?,
        None => here(id, component, args, builder, quiet)?,
    };
    let mut out = Output::new();
    if args.json {
        out.json(&document(&upgraded))?;
    } else {
        out.line(format_args!("{}", sentence(&label, &upgraded)))?;
    }
    out.flush()?;
    Ok(Status::Yes)
}

/// The component's place, for a process with another working folder.
fn readable(path: &Path) -> Result<PathBuf, Failure> {
    let unreadable = |error: std::io::Error| Failure::new(format!("cannot read {}", path.display())).because(&error);
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_COMPONENT {
        return Err(Failure::new(format!(
            "{} has {size} bytes; a component has at most {MAX_COMPONENT}",
            path.display()
        )));
    }
    path.canonicalize().map_err(unreadable)
}

/// The process that runs the tree does it.
fn ask(
    mut client: Client,
    actor: TheaterId,
    component: Option<PathBuf>,
    args: &UpgradeArgs,
) -> Result<Upgraded, Failure> {
    let command = match component {
        Some(component) => TheaterCommand::UpgradeActor {
            actor,
            component,
            version: args.version.clone(),
            allow_divergence: args.allow_divergence,
        },
        None => TheaterCommand::RollBackActor { actor },
    };
    match client.wait(&command).map_err(Failure::no)? {
        Some(TheaterReply::Upgraded(upgraded)) => Ok(*upgraded),
        Some(_) => Err(Failure::new("the process that runs the tree answers something else")),
        None => Err(Failure::new("the process that runs the tree ended before it answered")
            .help("`theater events` shows whether it was done")),
    }
}

/// Nothing runs: the record says it to the next start.
fn here(
    actor: TheaterId,
    component: Option<PathBuf>,
    args: &UpgradeArgs,
    builder: TheaterRuntimeBuilder,
    quiet: bool,
) -> Result<Upgraded, Failure> {
    let builder = compiling::set_up(builder, &args.cache, quiet)?;
    let dir = &args.data.data;
    record::block_on(async {
        let store = SqliteStore::open(dir)?;
        let runtime = builder.store(store).host_key(host_key::read_or_make(dir)?).build()?;
        let done = match component {
            Some(path) => {
                let bytes = std::fs::read(&path);
                let bytes =
                    bytes.map_err(|error| Failure::new(format!("cannot read {}", path.display())).because(&error))?;
                let upgrade = Upgrade::new(bytes).allow_divergence(args.allow_divergence);
                let upgrade = args.version.iter().cloned().fold(upgrade, Upgrade::version);
                runtime.upgrade_actor(actor, upgrade).await
            }
            None => runtime.roll_back_actor(actor).await,
        };
        runtime.shutdown().await?;
        done.map_err(|error| failure(&error))
    })
}

fn failure(error: &UpgradeError) -> Failure {
    let failure = Failure::of(error);
    match error {
        UpgradeError::NotFound(_) | UpgradeError::Store(_) => failure,
        _ => failure.no(),
    }
}

fn document(upgraded: &Upgraded) -> serde_json::Value {
    json!({
        "actor": upgraded.actor,
        "seq": upgraded.seq,
        "old_component": upgraded.old_component.to_string(),
        "new_component": upgraded.new_component.to_string(),
        "old_version": upgraded.old_version,
        "new_version": upgraded.new_version,
        "migrated": upgraded.migrated,
        "checked": upgraded.checked,
        "undone": upgraded.undone,
    })
}

fn sentence(label: &str, upgraded: &Upgraded) -> String {
    let Upgraded { seq, old_version, new_version, migrated, checked, undone, .. } = upgraded;
    let named = |version: &str| if version.is_empty() { "(none)".to_owned() } else { version.to_owned() };
    let from_to = format!("from version {} to {}", named(old_version), named(new_version));
    if let Some(undone) = undone {
        return format!(
            "{label} went back {from_to} at event {seq}: what it did since event {undone} is in its chain and not in its state"
        );
    }
    let state = if *migrated { "its state was migrated" } else { "its state stays as it is" };
    let replayed = match checked {
        None => String::new(),
        Some(checked) => match &checked.diverged {
            None => format!("; {} of its last calls were made again and did the same", checked.calls),
            Some(diverged) => format!("; its last calls do something else: {diverged}"),
        },
    };
    let unchecked = checked.as_ref().and_then(|checked| checked.unchecked.as_ref());
    let unchecked = unchecked.map_or_else(String::new, |what| format!("; not checked: {what}"));
    format!("upgraded {label} {from_to} at event {seq}: {state}{replayed}{unchecked}")
}
