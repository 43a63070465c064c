//! The file with the key of a host. Whoever can read it can sign as the host: it is its owner's
//! alone, it is in no log and no error, and no actor reaches it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use theater_chain::note::{HostKey, KeyError};
use zeroize::Zeroizing;

use crate::sources::{Sources as _, SystemSources};

/// The name of the file in the folder of a run.
const FILE: &str = "host.key";

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 4 << 10;

/// Why a host has no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostKeyError {
    /// Others may read the file.
    #[error("others than its owner may read {}: a host key is secret; `chmod 600` it if it was always so, or remove it", .0.display())]
    Exposed(PathBuf),
    /// The file holds no key.
    #[error("{} holds no host key: {}", .0.display(), .1)]
    Malformed(PathBuf, KeyError),
    /// The file cannot be read or written.
    #[error("the host key {} cannot be {}: {}", .0.display(), .1, .2)]
    Io(PathBuf, &'static str, io::Error),
}

/// Reads the key in the folder of a run, `host.key`; `None` where there is none. Blocks.
///
/// # Errors
/// The file cannot be read, holds something else, or may be read by others than its owner.
pub fn read(dir: &Path) -> Result<Option<HostKey>, HostKeyError> {
    let path = dir.join(FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HostKeyError::Io(path, "read", error)),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let found = file.metadata().map_err(|error| HostKeyError::Io(path.clone(), "read", error))?;
        if found.mode() & 0o077 != 0 {
            return Err(HostKeyError::Exposed(path));
        }
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize + 1));
    let read = file.take(MAX_FILE).read_to_string(&mut text);
    read.map_err(|error| HostKeyError::Io(path.clone(), "read", error))?;
    HostKey::from_text(&text).map(Some).map_err(|error| HostKeyError::Malformed(path, error))
}

/// As [`read`]; where there is none, a new one is made, which is on disk when this returns. The
/// folder must exist. Of two that make one at once, both get the same.
///
/// # Errors
/// As [`read`], or the file cannot be written.
pub fn read_or_make(dir: &Path) -> Result<HostKey, HostKeyError> {
    if let Some(key) = read(dir)? {
        return Ok(key);
    }
    let mut seed = Zeroizing::new([0; 32]);
    let mut name = [0; 8];
    let sources = SystemSources::new();
    sources.fill_random(&mut *seed);
    sources.fill_random(&mut name);
    // Under a name of its own first: nobody ever sees a half of it.
    let new = dir.join(format!(".{FILE}.{:016x}", u64::from_be_bytes(name)));
    let made =
        write(&new, &HostKey::from_seed(&seed).to_text()).and_then(|()| match fs::hard_link(&new, dir.join(FILE)) {
            // Another one was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    let removed = fs::remove_file(&new);
    let synced = made.and(removed).and_then(|()| File::open(dir)?.sync_all());
    synced.map_err(|error| HostKeyError::Io(dir.join(FILE), "written", error))?;
    let gone = || HostKeyError::Io(dir.join(FILE), "read", io::ErrorKind::NotFound.into());
    read(dir)?.ok_or_else(gone)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Whether these are the first bytes of the file of a key.
pub(crate) fn is_key(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PRIVATE+KEY+")
}
