//! Components as files and stores have them. What was read and hashed is known for a while, so that
//! the next actor of the same component needs neither.

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bytes::Bytes;
use theater_chain::{ChainStore, Digest, StoreError};

use crate::actor::lock;
use crate::manifest::{FileError, Stamp, read_stamped, stamp_below};

/// The bytes of a component, and the digest that they have.
#[derive(Debug, Clone)]
pub(crate) struct Binary {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
}

impl Binary {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { digest: Digest::of(&bytes), bytes }
    }
}

/// The components that a runtime read, by where it read them.
#[derive(Default)]
pub(crate) struct Binaries {
    files: Mutex<Recent<PathBuf, (Stamp, Binary)>>,
    stored: Mutex<Recent<Digest, Binary>>,
}

impl Binaries {
    /// The component of a file, where it is known and the file is still what was read.
    pub(crate) fn of_file(&self, folder: &Path, path: &Path) -> Option<Binary> {
        let (stamp, binary) = lock(&self.files).get(&folder.join(path))?;
        (stamp_below(folder, path) == Some(stamp)).then_some(binary)
    }

    /// Reads the component of a file; `now` is the time of the system's clock before, in ms. One that
    /// changed just before is not remembered: its next change might not show.
    pub(crate) fn read(&self, folder: &Path, path: &Path, max: u64, now: u64) -> Result<Binary, FileError> {
        let (bytes, stamp) = read_stamped(folder, path, max)?;
        let binary = Binary::new(bytes);
        if let Some(stamp) = stamp.filter(|stamp| stamp.is_settled(now)) {
            let size = binary.bytes.len();
            lock(&self.files).insert(folder.join(path), (stamp, binary.clone()), size);
        }
        Ok(binary)
    }

    /// The component that a store has under this digest. Whatever comes from here was read from a store
    /// by this runtime, and had the digest; `Damaged`: it has another.
    pub(crate) async fn stored(&self, store: &dyn ChainStore, digest: Digest) -> Result<Option<Binary>, StoreError> {
        if let Some(known) = lock(&self.stored).get(&digest) {
            return Ok(Some(known));
        }
        let Some(bytes) = store.component(digest).await? else { return Ok(None) };
        let binary = Binary::new(bytes);
        if binary.digest != digest {
            let reason = format!("component {digest} has other bytes in the store, with the digest {}", binary.digest);
            return Err(StoreError::Damaged(reason));
        }
        let size = binary.bytes.len();
        lock(&self.stored).insert(digest, binary.clone(), size);
        Ok(Some(binary))
    }
}

/// Entries that are known, and their bytes: few components make most actors.
const KEPT: usize = 256;
const KEPT_BYTES: usize = 32 << 20;

/// What was asked for last, as far as there is room.
struct Recent<K, V> {
    known: HashMap<K, Entry<V>>,
    bytes: usize,
    clock: u64,
}

struct Entry<V> {
    value: V,
    size: usize,
    used: u64,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { known: HashMap::new(), bytes: 0, clock: 0 }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    fn get(&mut self, key: &K) -> Option<V> {
        self.clock += 1;
        let entry = self.known.get_mut(key)?;
        entry.used = self.clock;
        Some(entry.value.clone())
    }

    /// Forgets those that were asked for longest ago, where there is no room. One that is larger than
    /// all room is not kept.
    fn insert(&mut self, key: K, value: V, size: usize) {
        self.remove(&key);
        if size > KEPT_BYTES {
            return;
        }
        while self.known.len() >= KEPT || self.bytes + size > KEPT_BYTES {
            let Some(oldest) = self.known.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone()) else {
                break;
            };
            self.remove(&oldest);
        }
        self.clock += 1;
        self.bytes += size;
        self.known.insert(key, Entry { value, size, used: self.clock });
    }

    fn remove(&mut self, key: &K) {
        if let Some(entry) = self.known.remove(key) {
            self.bytes -= entry.size;
        }
    }
}
