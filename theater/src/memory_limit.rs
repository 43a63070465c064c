//! The manifest's limit on memory, as wasmtime asks for it. Whether a memory may grow depends on this
//! alone, never on the host, so that a replay decides the same.

use wasmtime::ResourceLimiter;

/// Entries of one table; a table that wants more is refused, as memory is.
const TABLE_ELEMENTS: usize = 100_000;

/// The memory limit of the manifest over all memories and tables of an instance.
#[derive(Debug)]
pub struct MemoryLimit {
    max: usize,
    used: usize,
    /// The size that was last refused in this turn.
    pub(crate) refused: Option<usize>,
}

impl MemoryLimit {
    /// A limit of `max` bytes, for one instance.
    pub fn new(max: usize) -> Self {
        Self { max, used: 0, refused: None }
    }

    /// The bytes that were last asked for and refused since [`MemoryLimit::begin`].
    pub fn refused(&self) -> Option<usize> {
        self.refused
    }

    /// A guest call begins: what was refused before it has nothing to do with it.
    pub fn begin(&mut self) {
        self.refused = None;
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.used + desired.saturating_sub(current);
        if total > self.max {
            self.refused = Some(total);
            return Ok(false);
        }
        self.used = total;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}
