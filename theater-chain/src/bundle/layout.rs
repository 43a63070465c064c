//! Which entries a bundle has, in which order, and how they stand in the archive.

use sha2::{Digest as _, Sha256};

use crate::{Digest, TheaterId};

/// The format that is written, and the newest one that is read. Format 1 had no checkpoints.
pub(super) const FORMAT: u64 = 2;
/// The oldest one that is read.
pub(super) const OLDEST: u64 = 1;

/// The first entry.
pub(super) const HEAD: &str = "bundle.json";
/// The last three, in this order.
pub(super) const PENDING: &str = "pending.jsonl";
pub(super) const ANSWERED: &str = "answered.jsonl";
pub(super) const SUMS: &str = "SHA256SUMS";

/// What an entry is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Head,
    Component(Digest),
    Manifest(Digest),
    Actor(TheaterId),
    /// What the host with this key signed of the actor's chain.
    Checkpoint(TheaterId, [u8; 32]),
    /// States that the events which follow name.
    States(TheaterId, u64),
    /// Events from this seq on.
    Events(TheaterId, u64),
    Pending,
    Answered,
    Sums,
}

impl Kind {
    pub(super) fn name(self) -> String {
        match self {
            Self::Head => HEAD.to_owned(),
            Self::Component(digest) => format!("components/{digest}.wasm"),
            Self::Manifest(digest) => format!("manifests/{digest}.toml"),
            Self::Actor(id) => format!("actors/{id}/actor.json"),
            Self::Checkpoint(id, key) => format!("actors/{id}/checkpoint-{}.note", hex::encode(key)),
            Self::States(id, seq) => format!("actors/{id}/states-{seq:020}.jsonl"),
            Self::Events(id, seq) => format!("actors/{id}/events-{seq:020}.jsonl"),
            Self::Pending => PENDING.to_owned(),
            Self::Answered => ANSWERED.to_owned(),
            Self::Sums => SUMS.to_owned(),
        }
    }

    /// `None` for a name that no entry has.
    pub(super) fn of(name: &str) -> Option<Self> {
        let kind = match name.split('/').collect::<Vec<_>>()[..] {
            [HEAD] => Self::Head,
            [PENDING] => Self::Pending,
            [ANSWERED] => Self::Answered,
            [SUMS] => Self::Sums,
            ["components", file] => Self::Component(file.strip_suffix(".wasm")?.parse().ok()?),
            ["manifests", file] => Self::Manifest(file.strip_suffix(".toml")?.parse().ok()?),
            ["actors", id, "actor.json"] => Self::Actor(id.parse().ok()?),
            ["actors", id, file] if file.ends_with(".note") => {
                let key = file.strip_prefix("checkpoint-")?.strip_suffix(".note")?;
                Self::Checkpoint(id.parse().ok()?, key.parse::<Digest>().ok()?.0)
            }
            ["actors", id, file] => {
                let (kind, seq) = file.strip_suffix(".jsonl")?.split_once('-')?;
                let (id, seq) = (id.parse().ok()?, seq.parse().ok()?);
                match kind {
                    "states" => Self::States(id, seq),
                    "events" => Self::Events(id, seq),
                    _ => return None,
                }
            }
            _ => return None,
        };
        // One name for each entry: no upper case, no sign, no other number of digits.
        (kind.name() == name).then_some(kind)
    }
}

/// The header of an entry: nothing in it but the name and the size depends on anything.
pub(super) fn header(name: &str, size: u64) -> std::io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(size);
    header.set_cksum();
    Ok(header)
}

/// The zero bytes that fill the last block of an entry.
pub(super) fn padding(size: u64) -> &'static [u8] {
    const BLOCK: u64 = 512;
    const ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
    let rest = size % BLOCK;
    if rest == 0 { &[] } else { &ZEROS[rest as usize..] }
}

/// The bytes at the end of an archive.
pub(super) const TRAILER: [u8; 1024] = [0; 1024];

/// The content of `SHA256SUMS`, as it grows: a line for each entry, as `sha256sum -c` reads it.
#[derive(Default)]
pub(super) struct Sums {
    /// Only its hash and its size, so that a bundle of any size is read in little memory.
    hasher: Sha256,
    size: u64,
}

impl Sums {
    /// The line of an entry.
    pub(super) fn line(name: &str, digest: Digest) -> String {
        format!("{digest}  {name}\n")
    }

    pub(super) fn add(&mut self, name: &str, digest: Digest) {
        let line = Self::line(name, digest);
        self.hasher.update(&line);
        self.size += line.len() as u64;
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn digest(self) -> Digest {
        Digest(self.hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_entry_has_one_name() {
        let id = TheaterId::from_bytes([0xab; 16]);
        let digest = Digest([0xcd; 32]);
        let kinds = [
            Kind::Head,
            Kind::Component(digest),
            Kind::Manifest(digest),
            Kind::Actor(id),
            Kind::Checkpoint(id, [0xef; 32]),
            Kind::States(id, 7),
            Kind::Events(id, u64::MAX),
            Kind::Pending,
            Kind::Answered,
            Kind::Sums,
        ];
        for kind in kinds {
            assert_eq!(Kind::of(&kind.name()), Some(kind));
            header(&kind.name(), 0).unwrap();
        }
        let upper = Kind::Actor(id).name().to_uppercase();
        let (short, signed) = (format!("actors/{id}/events-7.jsonl"), format!("actors/{id}/events-+{:019}.jsonl", 7));
        for other in ["", "x", "bundle.json/", "../bundle.json", "components/x.wasm", &upper, &short, &signed] {
            assert_eq!(Kind::of(other), None, "{other}");
        }
    }

    #[test]
    fn entries_end_at_a_block() {
        for (size, padded) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)] {
            assert_eq!(padding(size).len(), padded, "{size}");
        }
    }
}
