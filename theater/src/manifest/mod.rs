//! The manifest: what an actor is made of, what it may use and its limits. Reading one starts
//! nothing; handler entries are kept with their places in the file and read by the handlers' types.

mod fault;
mod files;
mod parse;
mod quantity;
mod stamp;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use theater_chain::Digest;

use crate::handler::ConfigFault;

pub use files::{FileError, read_below};
pub(crate) use files::{read_stamped, stamp_below};
pub use parse::HandlerEntry;
pub(crate) use parse::PermissionTable;
pub(crate) use stamp::Stamp;

/// The largest manifest, in bytes.
const MAX_MANIFEST: u64 = 1 << 20;

/// A manifest as read from a file or from the store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ManifestConfig {
    /// The actor's name, a part of its path in the tree.
    pub name: String,
    /// The actor's own version; free text.
    pub version: String,
    /// The component, relative to the manifest's folder.
    pub component: PathBuf,
    /// A file whose bytes `init` receives as its state, relative to the manifest's folder.
    pub init_state: Option<PathBuf>,
    /// When an answer counts as given.
    pub durability: Durability,
    /// Its instance stays while it is idle, whoever wants the place.
    pub pinned: bool,
    /// The limits.
    pub limits: Limits,
    /// The `[[handlers]]` entries, in order.
    pub handlers: Vec<HandlerEntry>,
    /// The `[grants.<handler>]` tables: permissions held for children without using them.
    pub(crate) grants: BTreeMap<String, PermissionTable>,
    /// Where it was read.
    pub path: PathBuf,
    /// Its bytes, kept in the store by digest.
    pub source: Bytes,
    /// Their digest.
    pub digest: Digest,
}

impl ManifestConfig {
    /// Reads a manifest file.
    ///
    /// # Errors
    /// One sentence with file and line: the file cannot be read, is not TOML, has an unknown or
    /// missing key or a value of the wrong kind, or is larger than 1 MiB.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ManifestError> {
        let path = path.as_ref();
        let mut source = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_MANIFEST + 1).read_to_end(&mut source))
            .map_err(|error| ManifestError::new(path, None, &format!("the manifest cannot be read: {error}")))?;
        Self::from_source(path, source)
    }

    /// Reads a manifest from its bytes; `path` is where they came from, and its folder is what the
    /// manifest's own paths are relative to.
    ///
    /// # Errors
    /// As [`ManifestConfig::from_file`].
    pub fn from_source(path: impl AsRef<Path>, source: impl Into<Bytes>) -> Result<Self, ManifestError> {
        parse::parse(path.as_ref(), &source.into())
    }

    /// The folder that the manifest's paths are relative to.
    pub fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// The configuration of the entry at `index`: everything in it but `type` and `permissions`.
    pub(crate) fn config<T: DeserializeOwned + Default>(&self, index: usize) -> Result<T, ManifestError> {
        self.handlers[index].config.read(self)
    }

    /// An error with every fault of the entry at `index`, each with its line; none: fine.
    pub(crate) fn refuse(&self, index: usize, faults: Vec<ConfigFault>) -> Result<(), ManifestError> {
        let mut errors = faults.into_iter().map(|fault| self.handlers[index].config.fault(self, &fault));
        match errors.next() {
            None => Ok(()),
            Some(first) => Err(ManifestError { more: errors.collect(), ..first }),
        }
    }

    /// The permissions that the entry at `index` asks for.
    pub(crate) fn permissions<T: DeserializeOwned + Default>(&self, index: usize) -> Result<T, ManifestError> {
        self.handlers[index].permissions.as_ref().map_or_else(|| Ok(T::default()), |table| table.read(self))
    }

    /// The permissions that are held for children without listing the handler.
    pub(crate) fn grant<T: DeserializeOwned + Default>(&self, handler: &str) -> Option<Result<T, ManifestError>> {
        self.grants.get(handler).map(|table| table.read(self))
    }
}

/// When an answer counts as given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// Every answer waits until its events are committed.
    Sync,
    /// Answers inside the tree flow at once; what leaves the process waits for the commit.
    #[default]
    Batched,
    /// The chain is kept in memory only.
    Ephemeral,
}

/// The limits of an actor, with their defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Linear memory, in bytes, over all memories of the component (64 MiB).
    pub memory: usize,
    /// The state, in bytes (16 MiB).
    pub state: usize,
    /// How long instantiation and `init` may take, in running time of the guest (30 s).
    pub init_timeout: Duration,
    /// How long any other call may run; waiting in host calls does not count (5 s).
    pub call_timeout: Duration,
    /// Messages in the mailbox (1,024).
    pub mailbox: usize,
    /// How long one host call may take (30 s).
    pub host_call_timeout: Duration,
    /// Bytes that one host call may pass, arguments and results (128 MiB).
    pub host_call_bytes: usize,
    /// The result of a call or of a host call that reads, in bytes (16 MiB).
    pub result: usize,
    /// Log text, in bytes a second (1 MiB).
    pub log: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            memory: 64 * MIB,
            state: 16 * MIB,
            init_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(5),
            mailbox: 1024,
            host_call_timeout: Duration::from_secs(30),
            host_call_bytes: 128 * MIB,
            result: 16 * MIB,
            log: MIB as u64,
        }
    }
}

/// A manifest cannot be used: file, line and reason in one sentence, a line for each fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}{}: {reason}{}",
    .line.map_or(String::new(), |line| format!(":{line}")),
    .more.iter().map(|more| format!("\n{more}")).collect::<String>()
)]
pub struct ManifestError {
    /// The manifest file.
    pub file: String,
    /// The line, from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub reason: String,
    /// What else is wrong.
    pub more: Vec<Self>,
}

impl ManifestError {
    /// Characters of a reason; it may quote the manifest.
    const LONGEST: usize = 1_000;

    /// A reason in one line, whatever it quotes.
    pub(crate) fn new(file: &Path, line: Option<usize>, reason: &str) -> Self {
        let mut shown = String::new();
        for letter in reason.chars().take(Self::LONGEST) {
            if letter.is_control() { shown.extend(letter.escape_default()) } else { shown.push(letter) }
        }
        Self { file: file.display().to_string(), line, reason: shown, more: Vec::new() }
    }
}
