//! Children, the simple face: start them from manifests, stop and restart them, read their state
//! and their chain. Handler `supervisor`. [`supervision`](crate::supervision) has specs, types of
//! restart, and restarts that keep the state.
//!
//! A child is named by its actor id or, where it has a spec, by its spec id too. Another's child is
//! `not found`, whether or not it exists.

use crate::bindings::imports::theater::simple::supervisor as host;
use crate::{ChainEvent, Result};

/// Starts a child from a manifest, a path relative to this actor's own manifest and below its
/// folder, and returns its actor id once its `init` is done. The init bytes win over the manifest's
/// `init_state`.
///
/// # Errors
/// The manifest cannot be used, a permission is missing, or the child's start failed.
pub fn spawn(manifest: &str, init_bytes: Option<&[u8]>) -> Result<String> {
    host::spawn(manifest, init_bytes).map_err(Into::into)
}

/// Like [`spawn`], but the new child starts from these state bytes and its `init` does not run.
///
/// # Errors
/// Those of [`spawn`].
pub fn resume(manifest: &str, state: Option<&[u8]>) -> Result<String> {
    host::resume(manifest, state).map_err(Into::into)
}

/// The actor ids of the children, the oldest first.
pub fn list_children() -> Vec<String> {
    host::list_children()
}

/// Stops the child, its own children first, and waits until it has ended. A child that has ended
/// already is no error.
///
/// # Errors
/// This actor has no such child.
pub fn stop_child(child: &str) -> Result<()> {
    host::stop_child(child).map_err(Into::into)
}

/// Stops the child where it runs and starts it again from `init`, under the same id.
///
/// # Errors
/// This actor has no such child, a restart is under way, or the start failed.
pub fn restart_child(child: &str) -> Result<()> {
    host::restart_child(child).map_err(Into::into)
}

/// The child's last committed state. It never waits for the child.
///
/// # Errors
/// This actor has no such child.
pub fn child_state(child: &str) -> Result<Option<Vec<u8>>> {
    host::get_child_state(child).map_err(Into::into)
}

/// The child's chain, the oldest event first.
///
/// # Errors
/// This actor has no such child, or the chain is larger than the manifest's `result` (16 MiB by
/// default).
pub fn child_events(child: &str) -> Result<Vec<ChainEvent>> {
    host::get_child_events(child).map_err(Into::into)
}
