//! What stands in the text files of a bundle: one JSON object, or one a line. Hashes and ids are
//! hex, bytes are base64.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::data::EVENT_TYPES;
use crate::event::MAX_SEQ;
use crate::{ActorEntry, ActorIndex, Answered, ChainEvent, Digest, Head, Payload, PendingMessage, TheaterId, Upgraded};

/// Bytes as base64 text.
#[derive(Debug)]
struct Base64(Bytes);

impl Serialize for Base64 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}

/// A payload that was not erased.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PayloadLine {
    salt: Base64,
    bytes: Base64,
}

impl PayloadLine {
    fn of(payload: &Payload) -> Self {
        Self { salt: Base64(Bytes::copy_from_slice(payload.salt())), bytes: Base64(payload.bytes().clone()) }
    }

    fn payload(self, commit: Digest) -> Result<Payload, String> {
        let salt = self.salt.0[..].try_into().map_err(|_| "a salt is not 16 bytes")?;
        let payload = Payload::from_stored(commit, salt, self.bytes.0);
        if payload.is_intact() { Ok(payload) } else { Err(format!("a payload does not hash to its commit {commit}")) }
    }
}

/// `bundle.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadLine {
    pub(super) theater_bundle: u64,
    /// How many actors there are.
    pub(super) actors: u64,
    /// How many events they have together.
    pub(super) events: u64,
}

/// Of `bundle.json` the format alone: later ones may have other fields.
#[derive(Debug, Deserialize)]
pub(super) struct FormatLine {
    pub(super) theater_bundle: u64,
}

/// `actor.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActorLine {
    pub(super) id: TheaterId,
    parent: Option<TheaterId>,
    name: String,
    manifest_path: String,
    incarnation: u32,
    started: u64,
    ended: Option<u64>,
    state: Digest,
    /// Absent where its component was never exchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upgraded: Option<UpgradedLine>,
    head_seq: u64,
    head_hash: Digest,
    /// The seq of the first event.
    pub(super) kept_from: u64,
    /// Children whose chains were left out.
    pub(super) left_out: Vec<TheaterId>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpgradedLine {
    seq: u64,
    component: Digest,
    version: String,
}

impl UpgradedLine {
    fn of(upgraded: &Upgraded) -> Self {
        let Upgraded { seq, component, version } = upgraded;
        Self { seq: *seq, component: *component, version: version.as_ref().to_owned() }
    }

    fn upgraded(&self) -> Upgraded {
        Upgraded { seq: self.seq, component: self.component, version: self.version.as_str().into() }
    }
}

impl ActorLine {
    pub(super) fn of(entry: &ActorEntry, kept_from: u64, left_out: Vec<TheaterId>) -> Self {
        let ActorIndex { parent, name, manifest_path, incarnation, started, ended, state, upgraded } =
            entry.index.clone();
        let (id, head_seq, head_hash) = (entry.id, entry.head.seq, entry.head.hash);
        Self {
            id,
            parent,
            name,
            manifest_path,
            incarnation,
            started,
            ended,
            state,
            upgraded: upgraded.as_ref().map(UpgradedLine::of),
            head_seq,
            head_hash,
            kept_from,
            left_out,
        }
    }

    pub(super) fn entry(&self) -> Result<ActorEntry, String> {
        let seqs = [self.head_seq, self.started, self.kept_from, self.ended.unwrap_or_default()];
        if let Some(seq) = seqs.into_iter().find(|seq| *seq > MAX_SEQ) {
            return Err(format!("no chain has an event {seq}"));
        }
        let Self { id, parent, incarnation, started, ended, state, head_seq, head_hash, .. } = *self;
        let (name, manifest_path) = (self.name.clone(), self.manifest_path.clone());
        let upgraded = self.upgraded.as_ref().map(UpgradedLine::upgraded);
        let index = ActorIndex { parent, name, manifest_path, incarnation, started, ended, state, upgraded };
        Ok(ActorEntry { id, head: Head { seq: head_seq, hash: head_hash }, index })
    }
}

/// A line of `events-..jsonl`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventLine<'a> {
    seq: u64,
    parent_hash: Digest,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    timestamp: u64,
    data: Base64,
    payload_commit: Option<Digest>,
    payload: Option<PayloadLine>,
    hash: Digest,
}

impl<'a> EventLine<'a> {
    pub(super) fn of(event: &'a ChainEvent) -> Self {
        Self {
            seq: event.seq,
            parent_hash: event.parent_hash,
            event_type: Cow::Borrowed(&event.event_type),
            timestamp: event.timestamp,
            data: Base64(event.data.clone()),
            payload_commit: event.payload_commit,
            payload: event.payload.as_ref().map(PayloadLine::of),
            hash: event.hash,
        }
    }

    pub(super) fn event(self) -> Result<ChainEvent, String> {
        let payload = match (self.payload, self.payload_commit) {
            (Some(payload), Some(commit)) => Some(payload.payload(commit)?),
            (Some(_), None) => return Err("a payload has no commit".into()),
            (None, _) => None,
        };
        Ok(ChainEvent {
            seq: self.seq,
            parent_hash: self.parent_hash,
            event_type: match EVENT_TYPES.iter().find(|known| **known == self.event_type) {
                Some(known) => Cow::Borrowed(known),
                None => Cow::Owned(self.event_type.into_owned()),
            },
            timestamp: self.timestamp,
            data: self.data.0,
            payload_commit: self.payload_commit,
            payload,
            hash: self.hash,
        })
    }
}

/// A line of `states-..jsonl`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StateLine {
    hash: Digest,
    bytes: Base64,
}

impl StateLine {
    pub(super) fn of(hash: Digest, bytes: Bytes) -> Self {
        Self { hash, bytes: Base64(bytes) }
    }

    pub(super) fn state(self) -> Result<(Digest, Bytes), String> {
        let Self { hash, bytes: Base64(bytes) } = self;
        if Digest::of(&bytes) == hash { Ok((hash, bytes)) } else { Err(format!("the state {hash} is not its bytes")) }
    }
}

/// A line of `pending.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PendingLine {
    message_id: String,
    receiver: TheaterId,
    interface: String,
    function: String,
    payload_commit: Digest,
    payload: Option<PayloadLine>,
    cause: Option<Digest>,
}

impl PendingLine {
    pub(super) fn of(message: PendingMessage) -> Self {
        let PendingMessage { message_id, receiver, interface, function, payload_commit, payload, cause } = message;
        let payload = payload.as_ref().map(PayloadLine::of);
        Self { message_id, receiver, interface, function, payload_commit, payload, cause }
    }

    pub(super) fn message(self) -> Result<PendingMessage, String> {
        let Self { message_id, receiver, interface, function, payload_commit, payload, cause } = self;
        let payload = payload.map(|payload| payload.payload(payload_commit)).transpose()?;
        Ok(PendingMessage { message_id, receiver, interface, function, payload_commit, payload, cause })
    }
}

/// A line of `answered.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnsweredLine {
    message_id: String,
    actor: TheaterId,
    seq: u64,
}

impl AnsweredLine {
    pub(super) fn of(answered: Answered) -> Self {
        let Answered { message_id, actor, seq } = answered;
        Self { message_id, actor, seq }
    }

    pub(super) fn answered(self) -> Result<Answered, String> {
        let Self { message_id, actor, seq } = self;
        if seq > MAX_SEQ {
            return Err(format!("no chain has an event {seq}"));
        }
        Ok(Answered { message_id, actor, seq })
    }
}
