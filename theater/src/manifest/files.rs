//! Files that a manifest names: below its folder, whatever the path says.

use std::io::Read as _;
use std::path::{Component, Path};

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::stamp::Stamp;
use crate::host_key::is_key;

/// Why a file below a folder cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The path is absolute, has `..` in it, or leads out of the folder through a link.
    #[error("it leads out of {0}; a path in a manifest is relative to the manifest's folder and stays below it")]
    Outside(String),
    /// There is no such file.
    #[error("there is no such file in {0}")]
    Missing(String),
    /// The path leads to a folder, a pipe or a device.
    #[error("it is not a file")]
    NotAFile,
    /// The file is larger than allowed.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// The file is the key of a host, under whatever name.
    #[error("it is the key of a host, which no actor gets")]
    HostKey,
    /// Reading failed.
    #[error("it cannot be read: {0}")]
    Io(String),
}

/// Reads the file at `path`, relative to `folder` and below it, up to `max` bytes. The folder is
/// opened as a capability, so neither `..` nor a symbolic link leads out of it.
///
/// # Errors
/// See [`FileError`].
pub fn read_below(folder: &Path, path: &Path, max: u64) -> Result<Bytes, FileError> {
    read_stamped(folder, path, max).map(|(bytes, _)| bytes)
}

/// As [`read_below`], with the stamp of what was read; `None`: the file changed meanwhile, or the
/// system has no stamps.
pub(crate) fn read_stamped(folder: &Path, path: &Path, max: u64) -> Result<(Bytes, Option<Stamp>), FileError> {
    let outside = || FileError::Outside(folder.display().to_string());
    if path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(outside());
    }
    let dir = Dir::open_ambient_dir(folder, ambient_authority())
        .map_err(|error| FileError::Io(format!("folder {}: {error}", folder.display())))?;
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => FileError::Missing(folder.display().to_string()),
        // cap-std refuses a link that leads out of the folder with this kind.
        std::io::ErrorKind::PermissionDenied if leads_out(folder, path) => outside(),
        _ => FileError::Io(error.to_string()),
    };
    // Asked first: to open a pipe would wait for its other end.
    if !dir.metadata(path).map_err(refused)?.is_file() {
        return Err(FileError::NotAFile);
    }
    let file = dir.open(path).map_err(refused)?;
    let stamp = || file.metadata().ok().as_ref().and_then(Stamp::of);
    let before = stamp();
    let mut bytes = Vec::new();
    (&file).take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| FileError::Io(error.to_string()))?;
    if bytes.len() as u64 > max {
        return Err(FileError::TooLarge(max));
    }
    if is_key(&bytes) {
        return Err(FileError::HostKey);
    }
    Ok((bytes.into(), before.filter(|before| stamp().as_ref() == Some(before))))
}

/// The stamp of the file at `path`, found as [`read_below`] finds it; `None`: only reading it says
/// more.
pub(crate) fn stamp_below(folder: &Path, path: &Path) -> Option<Stamp> {
    let dir = Dir::open_ambient_dir(folder, ambient_authority()).ok()?;
    dir.metadata(path).ok().as_ref().and_then(Stamp::of)
}

/// Tells an escape from a file that may not be read, for the message only.
fn leads_out(folder: &Path, path: &Path) -> bool {
    match (folder.canonicalize(), folder.join(path).canonicalize()) {
        (Ok(folder), Ok(target)) => !target.starts_with(folder),
        _ => true,
    }
}
