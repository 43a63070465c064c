//! `theater prove` and `theater checkpoint`.

use std::fs;
use std::path::Path;

use theater::chain::note::Note;
use theater::chain::proof::{self, EventProof};
use theater::chain::{ActorEntry, HeadLog as _, Level, Trust, Verification};
use theater::{ChainStore as _, HostKey};
use theater_store_sqlite::SqliteStore;

use super::find::Actors;
use super::{record, trust};
use crate::args::{CheckpointArgs, ProveArgs};
use crate::failure::{Failure, Outcome, Status};
use crate::output::{Output, say};

pub(crate) fn prove(args: &ProveArgs) -> Outcome {
    let store = record::open(&args.data.data)?;
    let key = trust::own_key(&args.data.data)?;
    if key.is_none() {
        say(format_args!("note: there is no host key in {}, so the proof is not signed", args.data.data.display()));
    }
    let proof = record::block_on(async {
        let actors = Actors::read(&store).await?;
        let entry = actors.find(&args.actor)?;
        verified(&store, std::slice::from_ref(entry), key.as_ref()).await?;
        let mut proof = EventProof::make(&store, entry, args.seq, key.as_ref()).await?;
        if args.payload {
            let event = store.events(entry.id, args.seq, 1).await?.pop();
            match event.and_then(|event| event.payload) {
                Some(payload) => proof = proof.with_payload(&payload),
                None => say(format_args!("note: event {} has no payload, or it was erased", args.seq)),
            }
        }
        Ok(proof)
    })?;
    let text = serde_json::to_string_pretty(&proof).map_err(|error| Failure::of(&error))?;
    written(&format!("{text}\n"), args.output.as_deref())
}

pub(crate) fn checkpoint(args: &CheckpointArgs) -> Outcome {
    let dir = &args.data.data;
    let key = || -> Result<HostKey, Failure> {
        let none = || {
            Failure::new(format!("there is no host key in {}", dir.display()))
                .help("`theater run` makes one where it records")
        };
        trust::own_key(dir)?.ok_or_else(none)
    };
    if args.public_key {
        return written(&format!("{}\n", key()?.public()), args.output.as_deref());
    }
    let store = record::open(dir)?;
    let note = match &args.actor {
        Some(actor) => {
            let key = key()?;
            record::block_on(async {
                let actors = Actors::read(&store).await?;
                let entry = actors.find(actor)?;
                verified(&store, std::slice::from_ref(entry), Some(&key)).await?;
                Ok(proof::checkpoint(&store, entry, &key).await?)
            })?
        }
        None => {
            let end = record::block_on(async { Ok(store.end().await?) })?;
            let newest = end.heads.into_iter().max_by_key(|head| head.size);
            let none = || Failure::new(format!("nothing is signed in {}", dir.display()));
            newest.ok_or_else(none)?.note
        }
    };
    // What is printed is kept by somebody: it must be one.
    note.parse::<Note>().map_err(|error| Failure::new("the newest checkpoint is damaged").because(&error))?;
    written(&note, args.output.as_deref())
}

/// Whoever signs chains says that they are those that were recorded.
pub(crate) async fn verified(
    store: &SqliteStore,
    entries: &[ActorEntry],
    key: Option<&HostKey>,
) -> Result<(), Failure> {
    let trust = Trust { key: key.map(HostKey::public), kept: None };
    let report = Verification::new(Level::Links).signed(trust).actors(store, entries).await?;
    let fault = report.actors.into_iter().find_map(|actor| actor.fault.map(|fault| fault.to_string()));
    match fault.or(report.log.and_then(|log| log.fault)) {
        None => Ok(()),
        Some(fault) => Err(Failure::new(format!("the chain does not verify: {fault}")).no()),
    }
}

fn written(text: &str, file: Option<&Path>) -> Outcome {
    match file {
        Some(file) => fs::write(file, text)
            .map_err(|error| Failure::new(format!("cannot write {}", file.display())).because(&error))?,
        None => {
            let mut out = Output::new();
            out.bytes(text.as_bytes())?;
            out.flush()?;
        }
    }
    Ok(Status::Yes)
}
