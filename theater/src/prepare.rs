//! From a manifest to what an actor is made of: every check that can be made before it starts.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::actor::{Actor, Made};
use crate::binary::Binary;
use crate::compile::MAX_COMPONENT;
use crate::error::SpawnError;
use crate::handler::{ErasedHandler, Holder};
use crate::manifest::{FileError, ManifestConfig, ManifestError, read_below};
use crate::program::Program;
use crate::shared::Shared;

/// Checks a manifest against the runtime and the parent, compiles and links its component. The
/// component is read from its file, or given as it was recorded.
pub(crate) async fn prepare(
    shared: &Shared,
    manifest: ManifestConfig,
    parent: Option<&Actor>,
    recorded: Option<Binary>,
) -> Result<Made, SpawnError> {
    let handlers = listed(shared, &manifest)?;
    let mut held = Vec::new();
    for handler in &shared.handlers {
        let holder = parent.map_or(Holder::Composer, |parent| Holder::Parent {
            name: parent.name(),
            path: &parent.made.manifest.path,
            held: parent.made.held(handler.name()),
        });
        if let Some(effective) = handler.effective(&manifest, holder)? {
            held.push((handler.name(), effective));
        }
    }
    let component = match recorded {
        Some(component) => component,
        None => component(shared, &manifest).await?,
    };
    let program = Program::prepare(shared, &manifest, &handlers, component).await?;
    Ok(Made { manifest, begins_with: Arc::new(program), handlers, held })
}

/// The bytes that `init` gets where the spawn gives none.
pub(crate) fn init_state(manifest: &ManifestConfig) -> Result<Option<Bytes>, SpawnError> {
    let read = |path| read_file(manifest, "init_state", path, manifest.limits.state as u64);
    manifest.init_state.as_deref().map(read).transpose()
}

/// The component of the file as it is now. It is read off the task, since a component is large and a
/// disk may be slow, and only where it is not what it was when it was read before.
async fn component(shared: &Shared, manifest: &ManifestConfig) -> Result<Binary, SpawnError> {
    if let Some(known) = shared.binaries.of_file(manifest.folder(), &manifest.component) {
        return Ok(known);
    }
    let (folder, path) = (manifest.folder().to_owned(), manifest.component.clone());
    let (binaries, now) = (shared.binaries.clone(), shared.sources.wall_ms());
    let read = move || binaries.read(&folder, &path, MAX_COMPONENT, now);
    let read = tokio::task::spawn_blocking(read).await.map_err(|_| SpawnError::ShuttingDown)?;
    read.map_err(|error| bad_file(manifest, "component", &manifest.component, &error))
}

fn read_file(manifest: &ManifestConfig, key: &'static str, path: &Path, max: u64) -> Result<Bytes, SpawnError> {
    read_below(manifest.folder(), path, max).map_err(|error| bad_file(manifest, key, path, &error))
}

fn bad_file(manifest: &ManifestConfig, key: &'static str, path: &Path, error: &FileError) -> SpawnError {
    let hint = match error {
        FileError::Missing(_) if key == "component" => "; build it with `theater build`",
        _ => "",
    };
    SpawnError::File {
        manifest: manifest.path.display().to_string(),
        key,
        path: path.to_owned(),
        reason: format!("{error}{hint}"),
    }
}

/// The handlers of the `[[handlers]]` entries, in order.
fn listed(shared: &Shared, manifest: &ManifestConfig) -> Result<Vec<Arc<dyn ErasedHandler>>, SpawnError> {
    let find = |name: &str, place: &str, line: usize| {
        shared.handlers.iter().find(|handler| handler.name() == name).cloned().ok_or_else(|| {
            let reason = format!(
                "{place} names handler `{name}`, which this runtime does not have; {}",
                suggestion(shared, name)
            );
            ManifestError::new(&manifest.path, Some(line), &reason)
        })
    };
    for (name, grant) in &manifest.grants {
        find(name, &format!("[grants.{name}]"), grant.line)?;
    }
    let entries = manifest.handlers.iter();
    entries.map(|entry| Ok(find(&entry.name, "this [[handlers]] entry", entry.line)?)).collect()
}

/// The handler that was probably meant, or all that there are.
fn suggestion(shared: &Shared, name: &str) -> String {
    let names: Vec<_> = shared.handlers.iter().map(|handler| handler.name()).collect();
    let near = names.iter().map(|known| (strsim::damerau_levenshtein(name, known), *known)).min();
    match near.filter(|(distance, known)| *distance <= known.len() / 2) {
        Some((_, known)) => format!("did you mean `{known}`?"),
        None if names.is_empty() => "it was composed without handlers".to_owned(),
        None => format!("it was composed with: {}", names.join(", ")),
    }
}
