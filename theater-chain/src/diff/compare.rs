//! What two events say, field by field, without what is different in each history anyway.

use super::same::Ids;
use crate::codec::DecodeError;
use crate::data::{ActorEnding, ActorForked, ChildrenAnchored, EventData as _, InstanceDropped, MessageAccepted};
use crate::scan::{self, Reader, Token};
use crate::{ChainEvent, ChainStore, Digest, StoreError, payload};

/// Fields that name actors, events and messages of one history, that tell times and places, or that
/// say what runs an actor.
const ASIDE: &[&str] = &[
    "actor_id",
    "of",
    "at",
    "head",
    "child",
    "parent",
    "parent_event",
    "cause",
    "message_id",
    "transition_message",
    "engine",
    "host_key",
    "handlers",
    "manifest",
    "component",
    "format",
    "error_hash",
    "at_ms",
    "delay_ms",
    "cut",
    "wasm_offset",
    "old_state_hash",
    "effect",
    "old_component",
    "new_component",
    "previous",
    "upgrade",
];

/// The fields that hold the hash of a state.
const STATES: &[&str] = &["state_hash", "new_state_hash", "final_state_hash"];

/// What `get-chain` and the like answer is recorded as a range of a chain.
const RANGE: [&str; 4] = ["actor_id", "from", "to", "head"];

/// Whether an event says what happened to the actor, and not what the host did beside it.
pub(super) fn counts(event: &ChainEvent) -> bool {
    !matches!(
        &*event.event_type,
        ActorForked::TYPE | ActorEnding::TYPE | MessageAccepted::TYPE | ChildrenAnchored::TYPE | InstanceDropped::TYPE
    )
}

/// A field in which two events differ: its name and both values, in MessagePack.
pub(super) struct Difference {
    pub(super) field: String,
    pub(super) values: [Option<Vec<u8>>; 2],
}

/// How two events compare.
pub(super) enum Compared {
    Same,
    Differ(Difference),
    /// A payload was erased.
    Unknown,
}

/// Compares two events of stores.
pub(super) async fn compare(
    stores: [&dyn ChainStore; 2],
    ids: &mut Ids,
    a: &ChainEvent,
    b: &ChainEvent,
) -> Result<Compared, StoreError> {
    if a.event_type != b.event_type {
        let kind = |event: &ChainEvent| Some(payload::text(&event.event_type));
        return Ok(Compared::Differ(Difference { field: "event_type".into(), values: [kind(a), kind(b)] }));
    }
    let unreadable = |error: DecodeError| StoreError::Damaged(format!("an event cannot be read: {error}"));
    // What an erased payload said is unknown, and the same where it is the same payload.
    let erased = a.is_erased() || b.is_erased();
    let sides = [fields(a, !erased).map_err(unreadable)?, fields(b, !erased).map_err(unreadable)?];
    for name in names(&sides) {
        let [of_a, of_b] = sides.each_ref().map(|side| value(side, name));
        let same = match (of_a, of_b) {
            (Some(a), Some(b)) if STATES.contains(&name) => match states(stores, ids, a, b).await? {
                None => true,
                Some(values) => {
                    return Ok(Compared::Differ(Difference { field: "state".into(), values }));
                }
            },
            (Some(a), Some(b)) if name == "interface" => bare(a) == bare(b),
            (Some(a), Some(b)) if is_range(a) && is_range(b) => true,
            (Some(a), Some(b)) => ids.same(stores, a, b).await?,
            (None, None) => true,
            _ => false,
        };
        if !same {
            let values = [of_a, of_b].map(|value| value.map(<[u8]>::to_vec));
            return Ok(Compared::Differ(Difference { field: name.to_owned(), values }));
        }
    }
    Ok(if erased && a.payload_commit != b.payload_commit { Compared::Unknown } else { Compared::Same })
}

type Fields<'a> = Vec<(&'a str, &'a [u8])>;

/// What an event says: its data and then its payload, without what is set aside.
fn fields(event: &ChainEvent, payloads: bool) -> Result<Fields<'_>, DecodeError> {
    let mut fields = scan::fields(&event.data)?;
    if let Some(payload) = event.payload.as_ref().filter(|_| payloads) {
        fields.extend(scan::fields(payload.bytes())?);
    }
    fields.retain(|(name, value)| !ASIDE.contains(name) && *value != [0xc0]);
    // What is called and with what comes before how it went, and the state comes last.
    fields.sort_by_key(|(name, _)| match *name {
        "interface" | "function" => 0,
        "params" | "params_digest" | "initial_state" => 1,
        name if STATES.contains(&name) => 3,
        _ => 2,
    });
    Ok(fields)
}

fn value<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a [u8]> {
    fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// The names that either has, those of the first in front.
fn names<'a>(sides: &[Fields<'a>; 2]) -> Vec<&'a str> {
    let mut names: Vec<&str> = sides[0].iter().map(|(name, _)| *name).collect();
    names.extend(sides[1].iter().map(|(name, _)| *name).filter(|name| value(&sides[0], name).is_none()));
    names
}

/// An interface without its version.
fn bare(value: &[u8]) -> Option<&str> {
    match Reader::new(value).token() {
        Ok(Token::Text(name)) => name.split('@').next(),
        _ => None,
    }
}

fn is_range(value: &[u8]) -> bool {
    scan::fields(value).is_ok_and(|fields| fields.iter().map(|(name, _)| *name).eq(RANGE))
}

/// Both states, where they differ.
async fn states(
    stores: [&dyn ChainStore; 2],
    ids: &mut Ids,
    a: &[u8],
    b: &[u8],
) -> Result<Option<[Option<Vec<u8>>; 2]>, StoreError> {
    if a == b {
        return Ok(None);
    }
    let shown = [state(stores[0], a).await?, state(stores[1], b).await?];
    if let [Some(a), Some(b)] = &shown
        && ids.same(stores, a, b).await?
    {
        return Ok(None);
    }
    // One that is not kept is shown by its hash.
    let [of_a, of_b] = shown;
    let hash = |value: &[u8]| payload::read_bin(value).ok().map(|hash| payload::text(&hex::encode(hash)));
    Ok(Some([of_a.or_else(|| hash(a)), of_b.or_else(|| hash(b))]))
}

async fn state(store: &dyn ChainStore, hash: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let hash = payload::read_bin(hash).ok().and_then(|bytes| bytes.try_into().ok()).map(Digest);
    match hash {
        Some(hash) if hash.is_zero() => Ok(Some(vec![0xc0])),
        Some(hash) => Ok(store.state(hash).await?.map(|bytes| payload::bin(&bytes))),
        None => Ok(None),
    }
}
