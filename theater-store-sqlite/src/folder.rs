//! The folder of a store: its files, their permissions and its lock.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use theater_chain::StoreError;

/// The file of the database.
const DATABASE: &str = "theater.db";
/// The file that a writer holds locked.
const LOCK: &str = "lock";

/// A folder that this process alone writes to, as long as this value lives.
#[derive(Debug)]
pub(crate) struct LockedFolder {
    database: PathBuf,
    /// Dropping it ends the lock.
    _lock: File,
}

impl LockedFolder {
    /// Creates what is not there, and takes the lock.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let io = |what: &str, error| StoreError::Io(format!("{what} {}: {error}", dir.display()));
        private_folder().recursive(true).create(dir).map_err(|error| io("cannot create", error))?;
        let lock = private_file(&dir.join(LOCK)).map_err(|error| io("cannot create the lock in", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Io(format!(
                    "{} is in use by another process, which must end first",
                    dir.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(io("cannot lock", error)),
        }
        // Before SQLite creates it with the permissions of the umask; its other files copy them.
        let database = database(dir);
        private_file(&database).map_err(|error| io("cannot create the database in", error))?;
        #[cfg(unix)]
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| io("cannot sync", error))?;
        Ok(Self { database, _lock: lock })
    }

    /// The file of the database.
    pub(crate) fn database(&self) -> &Path {
        &self.database
    }
}

/// The file of the database in a folder.
pub(crate) fn database(dir: &Path) -> PathBuf {
    dir.join(DATABASE)
}

fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
