//! `theater state`.

use std::io::{self, IsTerminal as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use theater::chain::data::{ActorRolledBack, ActorStarted, ActorUpgraded, EventData as _, StateUpdated};
use theater::chain::{ActorEntry, ChainEvent, codec, newest};
use theater::{ChainStore, Digest};

use super::find::Actors;
use super::record;
use crate::args::StateArgs;
use crate::failure::{Failure, Outcome, Status};
use crate::output::{Output, say};

pub(crate) fn state(args: &StateArgs) -> Outcome {
    let store = record::open(&args.data.data)?;
    let (entry, seq, hash, bytes) = record::block_on(async {
        let actors = Actors::read(&store).await?;
        let entry = actors.find(&args.actor)?.clone();
        let seq = args.at.unwrap_or(entry.head.seq);
        let hash = hash_at(&store, &entry, seq).await?;
        let bytes = if hash.is_zero() { None } else { Some(bytes_of(&store, hash).await?) };
        Ok((entry, seq, hash, bytes))
    })?;
    let mut out = Output::new();
    if args.json {
        out.json(&json!({
            "actor_id": entry.id,
            "seq": seq,
            "state_hash": hash.to_string(),
            "state": bytes.map(|bytes| STANDARD.encode(bytes)),
        }))?;
    } else if let Some(bytes) = bytes {
        print(&mut out, &bytes)?;
    } else {
        say(format_args!("note: the actor had no state after event {seq}"));
    }
    out.flush()?;
    Ok(Status::Yes)
}

/// The hash of the state after the event `seq`.
async fn hash_at(store: &dyn ChainStore, entry: &ActorEntry, seq: u64) -> Result<Digest, Failure> {
    if seq > entry.head.seq {
        return Err(Failure::new(format!(
            "the chain of actor {} ends with event {}, so there is no event {seq}",
            entry.id, entry.head.seq
        )));
    }
    let hash = newest(store, entry.id, 0..seq + 1, |event| state_after(event).transpose()).await?;
    hash.unwrap_or(Ok(Digest::ZERO))
}

/// The hash of the state that an event leaves, where it says so.
fn state_after(event: &ChainEvent) -> Result<Option<Digest>, Failure> {
    Ok(match event.event_type.as_ref() {
        ActorStarted::TYPE => Some(codec::decode::<ActorStarted>(&event.data)?.state_hash),
        StateUpdated::TYPE => Some(codec::decode::<StateUpdated>(&event.data)?.new_state_hash),
        ActorUpgraded::TYPE => Some(codec::decode::<ActorUpgraded>(&event.data)?.new_state_hash),
        ActorRolledBack::TYPE => Some(codec::decode::<ActorRolledBack>(&event.data)?.new_state_hash),
        _ => None,
    })
}

async fn bytes_of(store: &dyn ChainStore, hash: Digest) -> Result<Vec<u8>, Failure> {
    let bytes = store.state(hash).await?.filter(|bytes| Digest::of(bytes) == hash);
    let bytes = bytes.ok_or_else(|| {
        Failure::new(format!("the state {hash} is not in the record as its hash says"))
            .help("`theater verify` says what is damaged")
    })?;
    Ok(bytes.to_vec())
}

/// As they are; for a person, JSON is indented.
fn print(out: &mut Output, bytes: &[u8]) -> Result<(), Failure> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) if io::stdout().is_terminal() => Ok(out.line(format_args!("{value:#}"))?),
        _ => Ok(out.bytes(bytes)?),
    }
}
