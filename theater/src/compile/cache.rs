//! A folder of compiled components, which processes share. It holds nothing that is not made again:
//! whatever goes wrong with it costs time.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};
use theater_chain::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::artifact::{self, Artifact, HEAD};

/// Bytes of all entries together, where nothing else is set.
const MAX_BYTES: u64 = 1 << 30;

/// Of entries, and of those that are being written.
const ENTRY: &str = "code";
const UNREADY: &str = "new";

/// Numbers the files that this process writes.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Why a folder is not used as a compile cache.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// It cannot be made or opened.
    #[error("the compile cache {folder} cannot be used: {reason}")]
    Io {
        /// The folder.
        folder: String,
        /// Why.
        reason: String,
    },
    /// It belongs to somebody else.
    #[error(
        "the compile cache {0} belongs to another user, and code from it runs outside of every sandbox; name a folder of \
         your own"
    )]
    NotOwned(String),
    /// Others may write to it.
    #[error(
        "others may write to the compile cache {0}, and code from it runs outside of every sandbox; make it yours alone \
         (chmod 700) or name another folder"
    )]
    Writable(String),
}

/// A folder of compiled components, which several processes may use at once.
///
/// An entry is found by the SHA-256 of the component and of all that its compilation depends on, and
/// used only when the SHA-256 over its own bytes, which is stored with it, is right; one that is
/// damaged is removed and the component compiled again. Entries that were not used for longest are
/// removed when all together exceed [`CompileCache::max_bytes`].
///
/// Code from the folder runs as the process does: it must lie where nobody else writes and where no
/// handler lets an actor write.
#[derive(Debug, Clone)]
pub struct CompileCache {
    dir: Arc<Dir>,
    path: PathBuf,
    max_bytes: u64,
}

impl CompileCache {
    /// Opens a folder, and makes it (with mode 0700) where it is missing.
    ///
    /// # Errors
    /// It cannot be made or opened, belongs to another user, or others may write to it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, CacheError> {
        let path = path.into();
        let folder = || path.display().to_string();
        let cannot = |error: io::Error| CacheError::Io { folder: folder(), reason: error.to_string() };
        if !path.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(cannot)?;
        }
        // Opened once: whoever puts another folder in its place later changes nothing.
        let dir = Dir::open_ambient_dir(&path, ambient_authority()).map_err(cannot)?;
        let metadata = dir.dir_metadata().map_err(cannot)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(CacheError::NotOwned(folder()));
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(CacheError::Writable(folder()));
        }
        Ok(Self { dir: Arc::new(dir), path, max_bytes: MAX_BYTES })
    }

    /// Bytes of all entries together (1 GiB).
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The component of this key. Blocks.
    pub(super) fn load(&self, engine: &Engine, key: &Digest) -> Result<Option<Component>, Unloaded> {
        let name = entry(key);
        let mut file = match self.dir.open(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let bytes = self.read(&mut file)?;
        let loaded = match Artifact::open(key, &bytes) {
            Some(artifact) => artifact.component(engine).map_err(|error| error.to_string()),
            None => Err("its bytes are not the ones that were written".to_owned()),
        };
        match loaded {
            Ok(component) => {
                used(&file);
                Ok(Some(component))
            }
            Err(reason) => {
                // Where it cannot be removed, the next one is written over it.
                let _ = self.dir.remove_file(&name);
                Err(Unloaded::Damaged(format!("entry {name} of the compile cache {}: {reason}", self.path.display())))
            }
        }
    }

    /// Not more than an entry may have: this one is cut then, and damaged.
    fn read(&self, file: &mut File) -> io::Result<Vec<u8>> {
        let len = file.metadata()?.len().min(self.max_bytes);
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        file.take(self.max_bytes).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Keeps a component under this key, and removes what was used longest ago; the size of the
    /// entry. Blocks.
    pub(super) fn keep(&self, component: &Component, key: &Digest) -> io::Result<u64> {
        let code = component.serialize().map_err(|error| io::Error::other(error.to_string()))?;
        let bytes = (HEAD + code.len()) as u64;
        if bytes > self.max_bytes {
            return Err(io::Error::other(format!("it has {bytes} bytes compiled, more than the cache may have")));
        }
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let unready = format!("{key}.{}-{number}.{UNREADY}", std::process::id());
        let written = self.write(&unready, &artifact::head(key, &code), &code);
        // By rename: nobody ever finds half of an entry. It is not synced: one that a loss of power
        // damaged is found to be damaged.
        if let Err(error) = written.and_then(|()| self.dir.rename(&unready, &self.dir, entry(key))) {
            let _ = self.dir.remove_file(&unready);
            return Err(error);
        }
        self.evict()?;
        Ok(bytes)
    }

    fn write(&self, name: &str, head: &[u8], code: &[u8]) -> io::Result<()> {
        let mut file = self.dir.open_with(name, OpenOptions::new().write(true).create_new(true).mode(0o600))?;
        file.write_all(head)?;
        file.write_all(code)
    }

    /// What a process that was killed left unready goes the same way as entries.
    fn evict(&self) -> io::Result<()> {
        let mut found: Vec<(SystemTime, u64, String)> = Vec::new();
        for entry in self.dir.entries()?.flatten() {
            let Some(name) = entry.file_name().to_str().filter(|name| is_ours(name)).map(str::to_owned) else {
                continue;
            };
            // Another process may have removed it meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            let used = metadata.modified().map_or(SystemTime::UNIX_EPOCH, cap_std::time::SystemTime::into_std);
            found.push((used, metadata.len(), name));
        }
        let mut total: u64 = found.iter().map(|(_, bytes, _)| bytes).sum();
        found.sort_unstable();
        for (_, bytes, name) in found {
            if total <= self.max_bytes {
                break;
            }
            let _ = self.dir.remove_file(&name);
            total -= bytes;
        }
        Ok(())
    }
}

/// Why an entry that is there was not used.
pub(super) enum Unloaded {
    /// It was damaged, and is removed; the sentence says which.
    Damaged(String),
    /// It could not be read.
    Io(io::Error),
}

impl From<io::Error> for Unloaded {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn entry(key: &Digest) -> String {
    format!("{key}.{ENTRY}")
}

/// Whether a file is one that a cache wrote: nothing else in the folder is ever touched.
fn is_ours(name: &str) -> bool {
    let path = Path::new(name);
    let is_known = [ENTRY, UNREADY].iter().any(|known| path.extension() == Some(OsStr::new(known)));
    is_known && name.split('.').next().is_some_and(|key| key.parse::<Digest>().is_ok())
}

/// Notes that an entry was used just now, by the file system's clock, as its time of modification.
/// Where that cannot be written, it is merely removed earlier.
fn used(file: &File) {
    let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps { last_access: time(UTIME_OMIT), last_modification: time(UTIME_NOW) };
    let _ = futimens(file, &times);
}
