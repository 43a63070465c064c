//! The secret key of a host.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use super::key::{joined, parts};
use super::{Checkpoint, KeyError, Note, PublicKey, Signature};
use crate::TheaterId;

/// What a secret key begins with as text.
const PREFIX: &str = "PRIVATE+KEY+";

/// The key with which a host signs. It is wiped from memory when it is dropped, and `Debug` shows
/// the public key alone.
#[derive(Clone)]
pub struct HostKey {
    secret: SigningKey,
    public: PublicKey,
}

impl HostKey {
    /// The key that these 32 random bytes are.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let secret = SigningKey::from_bytes(seed);
        let public = PublicKey::host(secret.verifying_key());
        Self { secret, public }
    }

    /// Reads what [`HostKey::to_text`] wrote.
    ///
    /// # Errors
    /// It is no such text, or not of a host. No error says anything of the key.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let text = text.trim().strip_prefix(PREFIX).ok_or(KeyError::Malformed)?;
        let (name, id, seed) = parts(text)?;
        let mut bytes = Zeroizing::new([0; 32]);
        if seed.len() != bytes.len() {
            return Err(KeyError::Malformed);
        }
        bytes.copy_from_slice(&seed);
        let key = Self::from_seed(&bytes);
        match (name == key.public.name(), id == hex::encode(key.public.id())) {
            (true, true) => Ok(key),
            (true, false) => Err(KeyError::OtherId),
            _ => Err(KeyError::OtherName),
        }
    }

    /// The key as text, in the encoding of signed notes: `PRIVATE+KEY+<name>+<id>+<base64>` and a
    /// newline. For its file alone.
    pub fn to_text(&self) -> Zeroizing<String> {
        let seed = Zeroizing::new(self.secret.to_bytes());
        let joined = Zeroizing::new(joined(self.public.name(), self.public.id(), &seed));
        Zeroizing::new(format!("{PREFIX}{}\n", &*joined))
    }

    /// The public key, under the name of the host's store log.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a checkpoint of the store log: the whole note.
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        self.sign_as(&self.public, checkpoint)
    }

    /// Signs a checkpoint of an actor's chain: the whole note.
    pub fn sign_actor(&self, actor: TheaterId, checkpoint: &Checkpoint) -> String {
        self.sign_as(&self.public.of_actor(actor), checkpoint)
    }

    fn sign_as(&self, key: &PublicKey, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.to_string();
        let bytes = self.secret.sign(text.as_bytes()).to_vec();
        Note::new(text, Signature { name: key.name().to_owned(), key_id: key.id(), bytes }).to_string()
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({}, secret)", self.public)
    }
}
