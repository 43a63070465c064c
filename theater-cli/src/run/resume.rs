//! Going on with the tree that a folder holds the record of.

use std::path::Path;

use theater::chain::data::{ActorStarted, EventData};
use theater::chain::{ActorEntry, codec};
use theater::{
    ActorHandle, ChainStore, Digest, ExitReason, KillCause, ManifestConfig, Recovered, RestartFrom, TheaterRuntime,
};

use crate::failure::Failure;
use crate::output::say;

/// Has the recorded tree go on. `None`: nothing is recorded there yet.
///
/// `restart_failed`: also where its root failed, which then begins its next incarnation.
///
/// # Errors
/// The tree has ended for good, or cannot go on.
pub(super) async fn resume(
    runtime: &TheaterRuntime,
    manifest: &ManifestConfig,
    dir: &Path,
    restart_failed: bool,
) -> Result<Option<ActorHandle>, Failure> {
    let store = runtime.store();
    // The oldest one is the tree of the folder; others are forks of its actors.
    let Some(root) = store.actors(None, 1).await?.pop() else { return Ok(None) };
    let recovered = runtime.recover_trees(|entry| entry.id == root.id).await?;
    let (name, handle) = (&root.index.name, runtime.handle(root.id));
    let reason = if recovered.roots.contains(&root.id) { None } else { Some(handle.ended().await) };
    let reason = reason.transpose().map_err(|error| Failure::of(&error))?;
    let stopped = matches!(reason, Some(ExitReason::Shutdown | ExitReason::Killed(KillCause::Host)));
    let failed = reason.as_ref().filter(|reason| !stopped && !reason.is_normal());
    if let Some(failed) = failed.filter(|_| restart_failed) {
        say(format_args!("restarting {name} {}, which {failed}", root.id));
        differs(&**store, &root, manifest).await?;
        runtime.restart_actor(root.id, RestartFrom::Resume).await?;
        return Ok(Some(handle));
    }
    if reason.is_none() {
        say(format_args!("resuming {name} {}, which was running: {}", root.id, counted(&recovered)));
        differs(&**store, &root, manifest).await?;
        return Ok(Some(handle));
    }
    if let Some(reason) = reason.filter(|_| !stopped) {
        let restart = if reason.is_normal() { "" } else { "--restart-failed restarts it with its last state; or " };
        return Err(Failure::new(format!("{} holds the record of {name} {}, which {reason}", dir.display(), root.id))
            .help(format!("{restart}name another folder with --data DIR, or remove this one with its record")));
    }
    say(format_args!("resuming {name} {}, which was stopped", root.id));
    differs(&**store, &root, manifest).await?;
    runtime.restart_actor(root.id, RestartFrom::Resume).await?;
    Ok(Some(handle))
}

/// What goes on, in words.
fn counted(recovered: &Recovered) -> String {
    let count = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let mut text = count(recovered.actors, "actor");
    for (n, one) in [(recovered.calls, "open call"), (recovered.messages, "message"), (recovered.ends, "open end")] {
        if n > 0 {
            text.push_str(", ");
            text.push_str(&count(n, one));
        }
    }
    text
}

/// Says so if the manifest or its component is not what the tree was started with.
async fn differs(store: &dyn ChainStore, root: &ActorEntry, manifest: &ManifestConfig) -> Result<(), Failure> {
    let started = store.events(root.id, root.index.started, 1).await?.pop();
    let started = started.filter(|event| event.event_type == ActorStarted::TYPE);
    let Some(started) = started.and_then(|event| codec::decode::<ActorStarted>(&event.data).ok()) else {
        return Ok(());
    };
    let component = std::fs::read(manifest.folder().join(&manifest.component)).ok();
    let what = if started.manifest != manifest.digest {
        "manifest"
    } else if root.index.upgraded.is_none() && component.is_some_and(|bytes| Digest::of(&bytes) != started.component) {
        "component"
    } else {
        return Ok(());
    };
    say(format_args!("note: its {what} has changed since; the recorded one goes on"));
    Ok(())
}
