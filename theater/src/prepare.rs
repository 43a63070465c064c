//! From a manifest to what an actor is made of: every check that can be made before it starts.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use theater_chain::Digest;

use crate::actor::{Actor, Made};
use crate::component::MAX_COMPONENT;
use crate::core_exports::{self, INIT};
use crate::error::SpawnError;
use crate::handler::{ErasedHandler, Holder};
use crate::manifest::{FileError, ManifestConfig, ManifestError, read_below};
use crate::shared::Shared;

/// Checks a manifest against the runtime and the parent, compiles and links its component. The
/// component is read from its file, or given as it was recorded.
pub(crate) async fn prepare(
    shared: &Shared,
    manifest: ManifestConfig,
    parent: Option<&Actor>,
    recorded: Option<Bytes>,
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
    let file = manifest.folder().join(&manifest.component);
    let component_bytes = match recorded {
        Some(bytes) => bytes,
        None => read_file(&manifest, "component", &manifest.component, MAX_COMPONENT)?,
    };
    let component_digest = Digest::of(&component_bytes);
    let bad_file = |reason: String| SpawnError::File {
        manifest: manifest.path.display().to_string(),
        key: "component",
        path: file.clone(),
        reason,
    };
    let component = shared.components.compile(component_digest, &component_bytes).await.map_err(bad_file)?;
    let link = |reason: String| SpawnError::Link {
        manifest: manifest.path.display().to_string(),
        component: file.display().to_string(),
        reason,
    };
    let path = manifest.path.display().to_string();
    let linked = shared
        .components
        .link(component_digest, &component, &handlers, &shared.handlers, &core_exports::defs(), &path)
        .map_err(link)?;
    if linked.export(INIT.interface, INIT.function).is_none() {
        return Err(link(format!("it does not export {}, so it is not an actor", INIT.interface)));
    }
    Ok(Made { manifest, component_digest, component_bytes, component: linked, handlers, held })
}

/// The bytes that `init` gets where the spawn gives none.
pub(crate) fn init_state(manifest: &ManifestConfig) -> Result<Option<Bytes>, SpawnError> {
    let read = |path| read_file(manifest, "init_state", path, manifest.limits.state as u64);
    manifest.init_state.as_deref().map(read).transpose()
}

fn read_file(manifest: &ManifestConfig, key: &'static str, path: &Path, max: u64) -> Result<Bytes, SpawnError> {
    read_below(manifest.folder(), path, max).map_err(|error| {
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
    })
}

/// The handlers of the `[[handlers]]` entries, in order.
fn listed(shared: &Shared, manifest: &ManifestConfig) -> Result<Vec<Arc<dyn ErasedHandler>>, SpawnError> {
    let find = |name: &str| shared.handlers.iter().find(|handler| handler.name() == name).cloned();
    let unknown = |name: &str, place: &str| {
        let names: Vec<_> = shared.handlers.iter().map(|handler| handler.name()).collect();
        let near = names.iter().copied().min_by_key(|known| strsim::damerau_levenshtein(name, known));
        let hint = match near.filter(|known| strsim::damerau_levenshtein(name, known) <= known.len() / 2) {
            Some(known) => format!("; did you mean `{known}`?"),
            None => format!("; it was composed with: {}", names.join(", ")),
        };
        ManifestError::of_file(
            &manifest.path,
            format!("{place} names handler `{name}`, which this runtime does not have{hint}"),
        )
    };
    for name in manifest.grants.keys() {
        if find(name).is_none() {
            return Err(unknown(name, "[grants]").into());
        }
    }
    let entries = manifest.handlers.iter();
    entries
        .map(|entry| {
            find(&entry.name).ok_or_else(|| {
                ManifestError { line: Some(entry.line), ..unknown(&entry.name, "this [[handlers]] entry") }.into()
            })
        })
        .collect()
}
