//! Which manifest a guest means, and whether it may be started.

use std::path::{Component, Path, PathBuf};

use theater::{FileError, ManifestConfig, read_below};

use crate::config::SupervisorPermissions;
use crate::error::SupervisorError;

/// The largest manifest, in bytes.
const MAX_MANIFEST: u64 = 1 << 20;

/// A refusal: the rule that forbids it, where it is one, and the answer for the guest.
pub(crate) struct Refused {
    pub(crate) rule: Option<&'static str>,
    pub(crate) error: SupervisorError,
}

/// Reads the manifest at `path`, relative to `folder`, if the permissions cover it.
pub(crate) fn open(folder: &Path, path: &str, permissions: &SupervisorPermissions) -> Result<ManifestConfig, Refused> {
    let relative = Path::new(path);
    if relative.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(denied(
            path,
            permissions,
            "a path is relative to the folder of the actor's manifest and stays below it",
        ));
    }
    let patterns = permissions.patterns().map_err(|error| plain(error.to_string()))?;
    // Before the file is looked for: what is not permitted is not told from what does not exist.
    let named: PathBuf = relative.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    if !patterns.is_match(&named) {
        return Err(denied(path, permissions, "no pattern covers it"));
    }
    let source = read_below(folder, &named, MAX_MANIFEST).map_err(|error| match error {
        FileError::Outside(_) => denied(path, permissions, "it leads out of the folder of the actor's manifest"),
        error => plain(format!("manifest {path}: {error}")),
    })?;
    // A link may lead to a manifest that the patterns do not cover.
    let real = real_path(folder, &named).map_err(|error| plain(format!("manifest {path}: {error}")))?;
    let Some(real) = real else {
        return Err(denied(path, permissions, "it leads out of the folder of the actor's manifest"));
    };
    if !patterns.is_match(&real) {
        return Err(denied(path, permissions, "it is a link to one that no pattern covers"));
    }
    ManifestConfig::from_source(folder.join(real), source).map_err(|error| plain(error.to_string()))
}

/// Why the manifest at `path` cannot be used, permitted or not.
pub(crate) fn readable(folder: &Path, path: &str) -> Result<(), String> {
    let source = read_below(folder, Path::new(path), MAX_MANIFEST).map_err(|error| format!("{path}: {error}"))?;
    ManifestConfig::from_source(folder.join(path), source).map(drop).map_err(|error| error.to_string())
}

/// The path below `folder` after all links, if it is below.
fn real_path(folder: &Path, relative: &Path) -> std::io::Result<Option<PathBuf>> {
    let real = folder.join(relative).canonicalize()?;
    Ok(real.strip_prefix(folder.canonicalize()?).ok().map(Path::to_owned))
}

fn denied(path: &str, permissions: &SupervisorPermissions, reason: &str) -> Refused {
    let patterns: Vec<String> = permissions.manifests.iter().map(|pattern| format!("\"{pattern}\"")).collect();
    Refused {
        rule: Some("manifests"),
        error: SupervisorError::HandlerError(format!(
            "manifest {path} is not permitted: {reason}; this actor may start manifests = [{}] (its manifest's supervisor entry, `permissions`)",
            patterns.join(", ")
        )),
    }
}

fn plain(reason: String) -> Refused {
    Refused { rule: None, error: SupervisorError::HandlerError(reason) }
}
