//! `theater run`: one tree, from the start of its root to its end.

mod feed;
mod fork;
mod input;
mod quiet;
mod resume;
mod signals;
mod socket;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::maybe_done;
use theater::sources::{Sources as _, SystemSources};
use theater::{
    ActorHandle, ActorProcess, ActorStatus, ExitReason, ManifestConfig, SpawnError, TheaterCommand, TheaterId,
    TheaterReply, TheaterRuntime, TheaterRuntimeBuilder, host_key,
};
use theater_store_sqlite::SqliteStore;
use tokio::sync::watch;

pub(crate) use self::fork::fork;

use self::feed::{Fed, Feed, How};
use self::input::Input;
use self::signals::Signals;
use self::socket::Socket;
use crate::args::RunArgs;
use crate::compiling;
use crate::failure::{Failure, Outcome, Status};
use crate::output::say;

/// How long the end of the process waits for what it still does.
const EXIT: Duration = Duration::from_secs(1);

pub(crate) fn run(args: RunArgs, builder: TheaterRuntimeBuilder, quiet: bool) -> Outcome {
    let manifest = ManifestConfig::from_file(&args.manifest)?;
    let dir = args.data.clone().unwrap_or_else(|| manifest.folder().join(".theater"));
    let input = args.send.as_deref().map(Input::open).transpose()?;
    let builder = compiling::set_up(builder, &args.cache, quiet)?;
    let builder = match args.instances {
        Some(instances) => builder.live_instances(instances),
        None => builder,
    };
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let tokio = tokio.map_err(|error| Failure::new("the system refuses what a runtime needs").because(&error))?;
    let outcome = tokio.block_on(tree(args, manifest, builder, dir, input, quiet));
    // Ends what still holds the store, so that it is closed in order. Only an answer that nobody
    // reads could hold this up.
    tokio.shutdown_timeout(EXIT);
    outcome
}

async fn tree(
    args: RunArgs,
    manifest: ManifestConfig,
    builder: TheaterRuntimeBuilder,
    dir: PathBuf,
    input: Option<Input>,
    quiet: bool,
) -> Outcome {
    // First of all, so that no signal finds the process half set up.
    let mut signals = Signals::listen()?;
    let store = SqliteStore::open(&dir)?;
    let builder = builder.store(store).host_key(host_key::read_or_make(&dir)?);
    let runtime = if args.sign_anew { builder.sign_anew().build()? } else { builder.build()? };
    let socket = Socket::serve(&dir, &runtime);
    let outcome = match start(&runtime, manifest, &mut signals, &dir, args.restart_failed).await? {
        Some(root) => {
            if !quiet {
                announce(&runtime, &root, &dir);
            }
            let how = How { as_send: args.as_send, keep: args.keep, base64: args.json };
            let feed = input.map(|input| Feed::new(how, input, &runtime, &root, source()));
            let ended = live(&runtime, &root, &mut signals, feed, args.keep).await?;
            conclude(&runtime, &root, ended, &dir).await
        }
        None => Ok(Status::Yes),
    };
    drop(socket);
    outcome
}

/// Starts the root; `None`: a signal came first, and it was stopped.
async fn start(
    runtime: &TheaterRuntime,
    manifest: ManifestConfig,
    signals: &mut Signals,
    dir: &Path,
    restart_failed: bool,
) -> Result<Option<ActorHandle>, Failure> {
    if let Some(root) = resume::resume(runtime, &manifest, dir, restart_failed).await? {
        return Ok(Some(root));
    }
    let mut starting = pin!(runtime.spawn_actor(manifest));
    let started = tokio::select! {
        started = &mut starting => started,
        () = signals.next() => {
            let stopping = async { tokio::join!(starting, runtime.shutdown()) };
            let (started, flushed) = stop(runtime, signals, stopping).await?;
            flushed?;
            match started {
                Ok(_) | Err(SpawnError::ShuttingDown | SpawnError::Ended { reason: ExitReason::Shutdown, .. }) => {
                    return Ok(None);
                }
                failed => failed,
            }
        }
    };
    match started {
        Ok(root) => Ok(Some(root)),
        // It ended well before it began, which a root may do.
        Err(SpawnError::Ended { name, reason, .. }) if reason.is_normal() => {
            say(format_args!("{name} ended: {reason}"));
            runtime.shutdown().await?;
            Ok(None)
        }
        Err(error) => {
            runtime.shutdown().await?;
            let failure = Failure::of(&error);
            Err(match error {
                // It did run.
                SpawnError::Failed { id, .. } | SpawnError::Ended { id, .. } => failure.no().help(events_help(id, dir)),
                _ => failure,
            })
        }
    }
}

/// From the start of the root to its end.
async fn live(
    runtime: &TheaterRuntime,
    root: &ActorHandle,
    signals: &mut Signals,
    feed: Option<Feed<'_>>,
    keep: bool,
) -> Result<Option<ExitReason>, Failure> {
    let (halt, halted) = watch::channel(false);
    let mut feeding = pin!(maybe_done(fed(feed, halted)));
    let mut ended = pin!(maybe_done(root.ended()));
    let mut is_fed = false;
    loop {
        tokio::select! {
            biased;
            () = &mut ended => break,
            () = signals.next() => break,
            () = &mut feeding, if !is_fed => {
                is_fed = true;
                if !(keep && matches!(feeding.as_mut().output_mut(), Some(Ok(Fed::AtEnd)))) {
                    break;
                }
            }
        }
    }
    // The line that the root is busy with is finished, and its answer printed, while the tree stops.
    halt.send_replace(true);
    let stopping = async { tokio::join!(runtime.shutdown(), ended.as_mut(), feeding.as_mut()).0 };
    stop(runtime, signals, stopping).await??;
    if let Some(Err(failure)) = feeding.take_output() {
        return Err(failure);
    }
    Ok(ended.take_output().and_then(Result::ok))
}

async fn fed(feed: Option<Feed<'_>>, mut halted: watch::Receiver<bool>) -> Result<Fed, Failure> {
    match feed {
        Some(feed) => feed.run(halted).await,
        None => {
            let _ = halted.wait_for(|halted| *halted).await;
            Ok(Fed::Halted)
        }
    }
}

/// Waits for a stop in order. A signal makes a kill of it, another one gives up.
async fn stop<T>(
    runtime: &TheaterRuntime,
    signals: &mut Signals,
    stopping: impl Future<Output = T>,
) -> Result<T, Failure> {
    let mut stopping = pin!(stopping);
    tokio::select! {
        biased;
        stopped = &mut stopping => return Ok(stopped),
        () = signals.next() => say(format_args!("killing what still runs")),
    }
    let killing = async { tokio::join!(runtime.kill(), stopping) };
    tokio::select! {
        biased;
        (killed, stopped) = killing => {
            killed?;
            Ok(stopped)
        }
        () = signals.next() => Err(Failure::new("given up: the tree did not end when it was killed")),
    }
}

/// Whether the root ended well, going by its chain.
async fn conclude(runtime: &TheaterRuntime, root: &ActorHandle, reason: Option<ExitReason>, dir: &Path) -> Outcome {
    let status = runtime.command(TheaterCommand::GetActorStatus { actor: root.id() }).await;
    let process = match status {
        Ok(TheaterReply::Status(process)) => process,
        Ok(_) => return Err(Failure::new(format!("how actor {} ended is not recorded", root.id()))),
        Err(error) => return Err(Failure::of(&error)),
    };
    let ActorProcess { name, status, last_error, .. } = *process;
    if status == ActorStatus::Stopped {
        if let Some(ExitReason::Normal(Some(data))) = reason {
            say(format_args!("{name} ended with: {}", String::from_utf8_lossy(&data)));
        }
        return Ok(Status::Yes);
    }
    let why = match (reason.filter(|reason| !reason.is_normal()), last_error) {
        (Some(reason), _) => reason.to_string(),
        (None, Some(error)) => format!("failed: {error}"),
        (None, None) => "failed".to_owned(),
    };
    say(format_args!("error: {name} {why}"));
    say(format_args!("  help: {}", events_help(root.id(), dir)));
    Ok(Status::No)
}

fn events_help(actor: TheaterId, dir: &Path) -> String {
    format!("`theater events {actor} --data {}` shows what led to it", dir.display())
}

fn announce(runtime: &TheaterRuntime, root: &ActorHandle, dir: &Path) {
    let name = runtime.actor(root.id()).map_or_else(String::new, |actor| actor.name);
    say(format_args!("running {name} {}; its record is in {}", root.id(), dir.display()));
}

/// The name under which this run numbers its requests.
fn source() -> String {
    let mut random = [0; 8];
    SystemSources::new().fill_random(&mut random);
    format!("cli-{:016x}", u64::from_be_bytes(random))
}
