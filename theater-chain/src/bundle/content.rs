//! The content of an entry of a bundle, as it is read: hashed, and never more in memory than is there.

use std::io::{BufRead, BufReader, Read};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::BundleError;
use crate::Digest;

/// What a component, or a line of a text file, may have at most.
const MAX_BLOB: u64 = 1 << 30;

/// The content of one entry, hashed as it is read.
pub(super) struct Content<'c> {
    inner: &'c mut dyn Read,
    name: &'c str,
    read: u64,
    hasher: Sha256,
    canonical: &'c mut Sha256,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.canonical.update(&buffer[..read]);
        self.read += read as u64;
        Ok(read)
    }
}

impl<'c> Content<'c> {
    pub(super) fn new(inner: &'c mut dyn Read, name: &'c str, canonical: &'c mut Sha256) -> Self {
        Self { inner, name, read: 0, hasher: Sha256::new(), canonical }
    }

    /// How much was read, and its hash.
    pub(super) fn finish(self) -> (u64, Digest) {
        (self.read, Digest(self.hasher.finalize().into()))
    }

    /// All of it, which is `max` bytes at most. What is not there takes no memory.
    pub(super) fn all(&mut self, max: u64) -> Result<Vec<u8>, BundleError> {
        let mut bytes = Vec::new();
        self.by_ref().take(max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max {
            return BundleError::refused(format!("{} is larger than {max} bytes", self.name));
        }
        Ok(bytes)
    }

    /// All of it, which must be the bytes of this digest.
    pub(super) fn named(&mut self, digest: Digest) -> Result<Bytes, BundleError> {
        let bytes = self.all(MAX_BLOB)?;
        if Digest::of(&bytes) != digest {
            return BundleError::refused(format!("{} does not hash to its name", self.name));
        }
        Ok(bytes.into())
    }

    pub(super) fn skip(&mut self) -> Result<(), BundleError> {
        std::io::copy(self, &mut std::io::sink())?;
        Ok(())
    }

    /// Each line of it.
    pub(super) fn lines(
        &mut self,
        on_line: &mut dyn FnMut(&[u8]) -> Result<(), BundleError>,
    ) -> Result<(), BundleError> {
        let name = self.name;
        let mut reader = BufReader::with_capacity(1 << 16, self);
        let mut line = Vec::new();
        loop {
            line.clear();
            reader.by_ref().take(MAX_BLOB).read_until(b'\n', &mut line)?;
            match line.split_last() {
                None => return Ok(()),
                Some((b'\n', line)) => on_line(line)?,
                Some(_) => return BundleError::refused(format!("{name} ends within a line, or a line is too long")),
            }
        }
    }
}
