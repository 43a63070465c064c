//! Telling whether a file is still what it was when it was read.

use cap_std::fs::Metadata;

/// What a file system says of a file: whatever is done to its content, one of these changes. Writes
/// through a memory mapping alone may be told late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// Set by the system alone, with each change of the content, the name or `modified`.
    changed: (i64, i64),
}

/// How long a file must not have changed before it is read, in ms: two changes within one tick of the
/// file system's clock have the same stamp.
const SETTLED: i128 = 100;

/// The same where the file system seems to count whole seconds, or pairs of them.
const SETTLED_COARSE: i128 = 2_100;

impl Stamp {
    /// `None` where the system has no such facts.
    #[cfg(unix)]
    pub(crate) fn of(file: &Metadata) -> Option<Self> {
        use cap_std::fs::MetadataExt as _;
        Some(Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// Whether the last change lies so far before `wall_ms` that another one after it has another
    /// stamp.
    pub(crate) fn is_settled(&self, wall_ms: u64) -> bool {
        let (seconds, nanos) = self.changed;
        let settled = if nanos == 0 { SETTLED_COARSE } else { SETTLED };
        i128::from(wall_ms) - (i128::from(seconds) * 1_000 + i128::from(nanos) / 1_000_000) >= settled
    }
}
