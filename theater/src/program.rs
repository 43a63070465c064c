//! The component that an actor runs, and what is known of it. An upgrade exchanges it between two calls.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use theater_chain::Digest;
use wasmtime::component::Component;

use crate::binary::Binary;
use crate::compile::NotCompiled;
use crate::component::ActorComponent;
use crate::core_exports::{self, INIT, MIGRATE, RESUMED};
use crate::error::SpawnError;
use crate::handler::ErasedHandler;
use crate::manifest::ManifestConfig;
use crate::shared::Shared;

/// A component, compiled and linked to the handlers of its actor.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) digest: Digest,
    /// To be kept in the store.
    pub(crate) bytes: Bytes,
    pub(crate) component: Arc<ActorComponent>,
    compiled: Component,
    /// The manifest's version, or the one that its upgrade gave.
    pub(crate) version: Arc<str>,
    /// The seq of the upgrade or rollback with which the actor got it; `None`: it was first started
    /// with it.
    pub(crate) since: Option<u64>,
}

impl Program {
    /// Compiles and links; a version of its own and the event with which it came are set by who knows
    /// them.
    pub(crate) async fn prepare(
        shared: &Shared,
        manifest: &ManifestConfig,
        handlers: &[Arc<dyn ErasedHandler>],
        binary: Binary,
    ) -> Result<Self, SpawnError> {
        let Binary { digest, bytes } = binary;
        let path = manifest.path.display().to_string();
        let file = manifest.folder().join(&manifest.component);
        let compiled = shared.compiler.compile(digest, &bytes, &file).await.map_err(|error| match error {
            NotCompiled::Refused(reason) => bad_file(&path, &file, reason.to_string()),
            NotCompiled::Closing => SpawnError::ShuttingDown,
        })?;
        let link =
            |reason: String| SpawnError::Link { manifest: path.clone(), component: file.display().to_string(), reason };
        let component = shared
            .components
            .link(digest, &compiled, handlers, &shared.handlers, &core_exports::defs(), &path)
            .map_err(link)?;
        if component.export(INIT.interface, INIT.function).is_none() {
            return Err(link(format!(
                "it does not export {}, so it is not an actor; an actor exports at least that interface",
                INIT.interface
            )));
        }
        let version = manifest.version.as_str().into();
        Ok(Self { digest, bytes, component, compiled, version, since: None })
    }

    /// The same, as an upgrade or a rollback gave it to the actor.
    pub(crate) fn given(&self, since: u64, version: Arc<str>) -> Self {
        Self { since: Some(since), version, ..self.clone() }
    }

    /// The same, in another version.
    pub(crate) fn versioned(&self, version: Arc<str>) -> Self {
        Self { version, ..self.clone() }
    }

    /// As wasmtime compiled it, for running it elsewhere than in its actor.
    pub(crate) fn compiled(&self) -> &Component {
        &self.compiled
    }

    /// What this exports and others call, and `newer` does not export, as `interface#function`. What
    /// only an upgrade or a start looks for may go.
    pub(crate) fn exports_missing_in(&self, newer: &Self) -> Vec<String> {
        let optional = |interface: &str| [RESUMED.interface, MIGRATE.interface].contains(&interface);
        let ours = self.component.exports().filter(|(interface, _)| !optional(interface));
        let missing = ours.filter(|(interface, function)| newer.component.export(interface, function).is_none());
        missing.map(|(interface, function)| format!("{interface}#{function}")).collect()
    }
}

fn bad_file(manifest: &str, path: &Path, reason: String) -> SpawnError {
    SpawnError::File { manifest: manifest.to_owned(), key: "component", path: path.to_owned(), reason }
}
