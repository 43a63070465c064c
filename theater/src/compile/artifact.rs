//! Compiled code as bytes, sealed with a hash of its own: the one place that makes code of what was
//! in a file. It knows neither folders nor files.

use sha2::{Digest as _, Sha256};
use theater_chain::Digest;
use wasmtime::component::Component;
use wasmtime::{Engine, Error};

/// What a sealed artifact begins with; another layout has another one.
const MAGIC: [u8; 16] = *b"theater code 1\n\0";

/// The bytes before the code: the magic and the seal.
pub(super) const HEAD: usize = MAGIC.len() + 32;

/// Code whose seal was found intact.
pub(super) struct Artifact<'a>(&'a [u8]);

/// The bytes to write before the code.
pub(super) fn head(key: &Digest, code: &[u8]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..MAGIC.len()].copy_from_slice(&MAGIC);
    head[MAGIC.len()..].copy_from_slice(&seal(key, code));
    head
}

/// Over the key, too: an entry under the name of another one is none.
fn seal(key: &Digest, code: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(MAGIC).chain_update(key.0).chain_update(code).finalize().into()
}

impl<'a> Artifact<'a> {
    /// The code in `bytes`, if they are just what was written for `key`.
    pub(super) fn open(key: &Digest, bytes: &'a [u8]) -> Option<Self> {
        let (head, code) = bytes.split_at_checked(HEAD)?;
        let is_intact = head[..MAGIC.len()] == MAGIC && head[MAGIC.len()..] == seal(key, code);
        is_intact.then_some(Self(code))
    }

    /// The component. The code is copied, so that nothing that happens to a file changes it later.
    pub(super) fn component(&self, engine: &Engine) -> Result<Component, Error> {
        #[expect(
            unsafe_code,
            reason = "deserialize wants bytes that `Component::serialize` wrote: the seal over them was intact, its key \
                      names wasmtime's version and every setting that matters, and they lay in a folder into which \
                      only this user writes"
        )]
        // SAFETY: see the reason above; `Artifact::open` is the only way to make one.
        unsafe {
            Component::deserialize(engine, self.0)
        }
    }
}
