//! Proofs that an event is in an actor's chain, which a program without Theater can check.
//!
//! A chain is also the list of leaves of a [Merkle tree](crate::merkle): leaf n is
//! SHA-256(0x00 || hash of event n). A proof has the event, the way from its leaf to the root, and a
//! checkpoint of that root that the host signed. The payload is not needed, so that a proof holds
//! after the payload was erased; docs/proofs.md has the format.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::linked::{Broken, LinkedPages};
use crate::merkle::{Prover, leaf, verify_inclusion};
use crate::note::{Checkpoint, HostKey, Note, PublicKey};
use crate::{ActorEntry, ChainEvent, ChainStore, Digest, Fault, Payload, StoreError, TheaterId, Verifier, kept};

/// How many events are read at once.
const PAGE: usize = 1024;

/// What [`EventProof::format`] says.
pub const FORMAT: &str = "theater/proof/1";

/// A proof. As JSON: hashes in hex, bytes in base64, the checkpoint as the text of its note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EventProof {
    /// [`FORMAT`].
    pub format: &'static str,
    /// The actor.
    pub actor_id: TheaterId,
    /// The event.
    pub event: ProvenEvent,
    /// Its payload with the salt, where whoever proves adds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<ProvenPayload>,
    /// How many events the chain has up to the checkpoint.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// The siblings on the way from the event's leaf to the root.
    pub inclusion: Vec<Digest>,
    /// The signed checkpoint of size and root; none where there was no key.
    pub checkpoint: Option<String>,
    /// The public key that signed it, under the name of this actor's log.
    pub key: Option<String>,
}

/// The parts of an event that its hash covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProvenEvent {
    /// Its place in the chain, from 0.
    pub seq: u64,
    /// The hash of the event before, zeros for the first.
    pub parent_hash: Digest,
    /// Milliseconds since the Unix epoch.
    pub timestamp: u64,
    /// What happened.
    pub event_type: String,
    /// The structural part, MessagePack.
    #[serde(serialize_with = "base64")]
    pub data: Vec<u8>,
    /// The commit of the payload, if it has one.
    pub payload_commit: Option<Digest>,
    /// The hash of all of that.
    pub hash: Digest,
}

/// What a payload commit commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProvenPayload {
    /// The salt, 16 bytes.
    #[serde(serialize_with = "base64")]
    pub salt: Vec<u8>,
    /// The payload, MessagePack.
    #[serde(serialize_with = "base64")]
    pub bytes: Vec<u8>,
}

/// Why there is no proof.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The chain ends before.
    #[error("the chain ends with event {0}, so there is no event {1}")]
    Beyond(u64, u64),
    /// The chain is not one: nothing is proved from it.
    #[error("the chain does not verify: {0}")]
    Broken(#[from] Fault),
    /// The event was dropped.
    #[error("event {1} was dropped: the chain is kept from event {0} on, and of older ones nothing new is proved")]
    Dropped(u64, u64),
    /// Older events are not there, and without what they were there is no root.
    #[error("the chain is kept from event {0} on, and does not say what was before, which a proof needs")]
    NotKept(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Broken> for ProveError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Fault(fault) => Self::Broken(fault),
            Broken::Store(error) => Self::Store(error),
        }
    }
}

impl EventProof {
    /// Reads the chain up to the entry's head, once and in bounded memory, and proves that the event
    /// `seq` is in it; signed where there is a key. Links and hashes are verified on the way.
    ///
    /// # Errors
    /// See [`ProveError`].
    pub async fn make(
        store: &dyn ChainStore,
        entry: &ActorEntry,
        seq: u64,
        key: Option<&HostKey>,
    ) -> Result<Self, ProveError> {
        if seq > entry.head.seq {
            return Err(ProveError::Beyond(entry.head.seq, seq));
        }
        let (prover, event) = read(store, entry, seq).await?;
        let (size, root) = (prover.size(), prover.root());
        let missing = || Fault { seq, reason: "it is missing".to_owned() };
        let (event, inclusion) = event.zip(prover.finish()).ok_or_else(missing)?;
        Ok(Self {
            format: FORMAT,
            actor_id: entry.id,
            event: ProvenEvent::of(event),
            payload: None,
            size,
            root,
            inclusion,
            checkpoint: key.map(|key| sign(key, entry.id, size, root)),
            key: key.map(|key| key.public().of_actor(entry.id).to_string()),
        })
    }

    /// With the payload, which then shows what the event's commit commits to.
    #[must_use]
    pub fn with_payload(mut self, payload: &Payload) -> Self {
        self.payload = Some(ProvenPayload { salt: payload.salt().to_vec(), bytes: payload.bytes().to_vec() });
        self
    }

    /// Whether it proves what it says; with `key`, the host's, also that this host signed it.
    pub fn holds(&self, key: Option<&PublicKey>) -> bool {
        let payload = self.payload.as_ref().is_none_or(|payload| {
            let salt = payload.salt[..].try_into();
            salt.is_ok_and(|salt| Some(Payload::commit_of(&salt, &payload.bytes)) == self.event.payload_commit)
        });
        let signed = key.is_none_or(|key| {
            let note = self.checkpoint.as_ref().and_then(|text| text.parse::<Note>().ok());
            let checkpoint = note.and_then(|note| Checkpoint::verified(&note, &key.of_actor(self.actor_id)).ok());
            checkpoint.is_some_and(|checkpoint| checkpoint.size == self.size && checkpoint.root == self.root)
        });
        let event = self.event.event();
        let leaf = leaf(&[event.hash.as_bytes()]);
        payload
            && signed
            && event.computed_hash() == event.hash
            && verify_inclusion(leaf, event.seq, self.size, &self.inclusion, self.root)
    }
}

/// A signed checkpoint over the chain of an actor up to the entry's head: size and root of the tree
/// of its event hashes. Links and hashes are verified on the way.
///
/// # Errors
/// See [`ProveError`].
pub async fn checkpoint(store: &dyn ChainStore, entry: &ActorEntry, key: &HostKey) -> Result<String, ProveError> {
    let (prover, _) = read(store, entry, entry.head.seq).await?;
    Ok(sign(key, entry.id, prover.size(), prover.root()))
}

fn sign(key: &HostKey, actor: TheaterId, size: u64, root: Digest) -> String {
    let origin = key.public().of_actor(actor).name().to_owned();
    key.sign_actor(actor, &Checkpoint { origin, size, root })
}

/// Reads the chain up to its head, from its first event that is there; the event `seq` of it.
async fn read(
    store: &dyn ChainStore,
    entry: &ActorEntry,
    seq: u64,
) -> Result<(Prover, Option<ChainEvent>), ProveError> {
    let kept_from = store.kept_from(entry.id).await?;
    if seq < kept_from {
        return Err(ProveError::Dropped(kept_from, seq));
    }
    let beginning = kept::beginning(store, entry.id).await?;
    let prover = beginning.and_then(|beginning| Prover::inclusion(seq).after(beginning));
    let mut prover = prover.ok_or(ProveError::NotKept(kept_from))?;
    let mut pages = LinkedPages::new(store, entry.id, Verifier::starting_at(kept_from), entry.head, PAGE);
    let mut found = None;
    while let Some(page) = pages.next().await? {
        for event in page {
            prover.push(leaf(&[event.hash.as_bytes()]));
            if event.seq == seq {
                found = Some(event);
            }
        }
    }
    Ok((prover, found))
}

impl ProvenEvent {
    fn of(event: ChainEvent) -> Self {
        let ChainEvent { seq, parent_hash, event_type, timestamp, data, payload_commit, hash, .. } = event;
        let (event_type, data) = (event_type.into_owned(), data.to_vec());
        Self { seq, parent_hash, timestamp, event_type, data, payload_commit, hash }
    }

    fn event(&self) -> ChainEvent {
        ChainEvent {
            seq: self.seq,
            parent_hash: self.parent_hash,
            event_type: self.event_type.clone().into(),
            timestamp: self.timestamp,
            data: self.data.clone().into(),
            payload_commit: self.payload_commit,
            payload: None,
            hash: self.hash,
        }
    }
}

fn base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}
