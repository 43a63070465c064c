//! Keys and checkpoints that the caller has from elsewhere.

use std::fs;
use std::path::Path;

use theater::HostKey;
use theater::chain::note::{Note, PublicKey};
use theater::host_key::{self, HostKeyError};

use crate::failure::Failure;
use crate::output::say;

/// What `--key` says: a key as text, or a file with one. Without it, the key of the folder's own
/// host, if it is there.
pub(crate) fn public_key(given: Option<&str>, dir: &Path) -> Result<Option<PublicKey>, Failure> {
    let Some(given) = given else {
        return match own_key(dir) {
            Ok(key) => Ok(key.map(|key| key.public().clone())),
            Err(error) => {
                say(format_args!("note: {error}"));
                Ok(None)
            }
        };
    };
    if let Ok(key) = given.parse() {
        return Ok(Some(key));
    }
    let text = fs::read_to_string(given).map_err(|error| {
        Failure::new(format!("--key {given} is neither a public key nor a file with one"))
            .because(&error)
            .help("a key is written NAME+ID+BASE64, or as 64 hex digits; `theater checkpoint --public-key` prints it")
    })?;
    let secret = HostKey::from_text(&text).map(|key| key.public().clone());
    let key = secret.or_else(|_| text.parse::<PublicKey>());
    Ok(Some(key.map_err(|error| Failure::new(format!("{given} holds no key")).because(&error))?))
}

/// The key of the host that records in this folder; a bundle has none.
pub(crate) fn own_key(dir: &Path) -> Result<Option<HostKey>, HostKeyError> {
    if dir.is_file() { Ok(None) } else { host_key::read(dir) }
}

/// The checkpoint in a file.
pub(crate) fn checkpoint(file: &Path) -> Result<Note, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(format!("{} holds no signed checkpoint", file.display()))
            .because(error)
            .help("`theater checkpoint` prints one, to be kept elsewhere")
    };
    let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
    text.parse().map_err(|error| failed(&error))
}
