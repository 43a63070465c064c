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
        let mut entry = actors.find(&args.actor)?.clone();
        loop {
            let seq = args.at.unwrap_or(entry.head.seq);
            let hash = hash_at(&store, &entry, seq).await?;
            let found = if hash.is_zero() { None } else { store.state(hash).await? };
            if found.is_some() || hash.is_zero() {
                let bytes = found.map(|bytes| checked(bytes.to_vec(), hash)).transpose()?;
                return Ok((entry, seq, hash, bytes));
            }
            // The newest one goes when another one follows, as it may just have.
            match store.actor(entry.id).await? {
                Some(now) if args.at.is_none() && now.head != entry.head => entry = now,
                _ => return Err(not_there(&args.actor, seq, hash, entry.index.state == hash)),
            }
        }
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

fn checked(bytes: Vec<u8>, hash: Digest) -> Result<Vec<u8>, Failure> {
    if Digest::of(&bytes) == hash { Ok(bytes) } else { Err(damaged(hash)) }
}

fn damaged(hash: Digest) -> Failure {
    Failure::new(format!("the state {hash} is not in the record as its hash says"))
        .help("`theater verify` says what is damaged")
}

fn not_there(actor: &str, seq: u64, hash: Digest, is_newest: bool) -> Failure {
    if is_newest {
        return damaged(hash);
    }
    Failure::new(format!("the state {hash} is not in the record: large ones go when another one follows")).help(format!(
        "`theater replay {actor} --until {seq}` makes it again, and `theater verify` says whether it should be there"
    ))
}

/// As they are; for a person, JSON is indented.
fn print(out: &mut Output, bytes: &[u8]) -> Result<(), Failure> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) if io::stdout().is_terminal() => Ok(out.line(format_args!("{value:#}"))?),
        _ => Ok(out.bytes(bytes)?),
    }
}
