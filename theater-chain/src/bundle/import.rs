//! Bringing a bundle into a store.

use std::collections::HashMap;
use std::io::{Read, Seek};
use std::sync::mpsc;

use serde::Serialize;

use super::BundleError;
use super::read::{BundledActor, Contents, Piece, walk};
use crate::{ChainStore, Head, ImportPart, ImportedActor, StoreError, TheaterId};

/// How many pieces are read ahead of the store.
const AHEAD: usize = 4;

/// What was brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// The actors of the bundle, in its order, and what each of them was to the store.
    pub actors: Vec<(TheaterId, Arrival)>,
    /// Events that the store did not have.
    pub events: u64,
}

/// What an actor of a bundle was to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// The store did not know it.
    New,
    /// The store had its history up to an earlier event: the rest was added.
    Continued,
    /// The store has just this history.
    Same,
    /// The store has this history and more of it: nothing was changed.
    Older,
}

/// Reads all of a bundle, and says what is in it.
///
/// # Errors
/// It is not a whole, unchanged bundle, or the file could not be read.
pub fn check(file: impl Read) -> Result<Contents, BundleError> {
    walk(file, &mut |_| Ok(()))
}

/// Checks all of a bundle, and then brings it into a store: all of it, or nothing. What the store
/// has already is left as it is; a longer history continues the one that is there.
///
/// # Errors
/// It is not a whole, unchanged bundle; the store has another history of one of its actors; the file
/// or the store failed.
pub async fn import(
    store: &dyn ChainStore,
    mut file: impl Read + Seek + Send + 'static,
) -> Result<Imported, BundleError> {
    let contents = check(&mut file)?;
    let mut imported = Imported { actors: Vec::new(), events: 0 };
    let mut plan = HashMap::new();
    for actor in &contents.actors {
        let known = known(store, actor).await?;
        let arrival = arrival(store, actor, known).await?;
        imported.actors.push((actor.entry.id, arrival));
        imported.events += match arrival {
            Arrival::New => actor.entry.head.seq + 1 - actor.kept_from,
            Arrival::Continued => actor.entry.head.seq - known.map_or(0, |head| head.seq),
            Arrival::Same | Arrival::Older => 0,
        };
        plan.insert(actor.entry.id, Plan { arrival, known });
    }
    file.rewind()?;
    match store.import(parts(file, plan)?).await {
        Err(StoreError::Invalid { actor, reason }) => Err(BundleError::Parted { actor, reason }),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(imported),
    }
}

async fn known(store: &dyn ChainStore, actor: &BundledActor) -> Result<Option<Head>, StoreError> {
    Ok(store.actor(actor.entry.id).await?.map(|entry| entry.head))
}

/// What this actor is to the store. That events continue the stored ones is checked by the store.
async fn arrival(store: &dyn ChainStore, actor: &BundledActor, known: Option<Head>) -> Result<Arrival, BundleError> {
    let (id, head) = (actor.entry.id, actor.entry.head);
    let parted = |reason: String| Err(BundleError::Parted { actor: id, reason });
    let Some(known) = known else { return Ok(Arrival::New) };
    if known == head {
        return Ok(Arrival::Same);
    }
    if known.seq == head.seq {
        return parted(format!("event {} is another one here than in the bundle", head.seq));
    }
    if known.seq > head.seq {
        let here = store.events(id, head.seq, 1).await?.pop().filter(|event| event.seq == head.seq);
        return match here {
            Some(event) if event.hash == head.hash => Ok(Arrival::Older),
            Some(_) => parted(format!("event {} is another one here than in the bundle", head.seq)),
            None => parted(format!("event {} is not kept here, so that they cannot be compared", head.seq)),
        };
    }
    if actor.kept_from > known.seq + 1 {
        let (here, there) = (known.seq, actor.kept_from);
        return parted(format!("it ends with event {here} here, and begins with event {there} in the bundle"));
    }
    if actor.kept_from == known.seq + 1 && actor.parent_hash != known.hash {
        return parted(format!("event {} is another one here than in the bundle", known.seq));
    }
    Ok(Arrival::Continued)
}

/// What is done with an actor of the bundle.
struct Plan {
    arrival: Arrival,
    known: Option<Head>,
}

/// The pieces of a bundle that the store does not have, read on a thread of its own while the store
/// writes them.
fn parts(file: impl Read + Send + 'static, plan: HashMap<TheaterId, Plan>) -> Result<crate::ImportParts, BundleError> {
    let (sender, receiver) = mpsc::sync_channel(AHEAD);
    let read = move || {
        let mut choose = Choose { plan, open: None };
        let done = walk(file, &mut |piece| match choose.part(piece)? {
            // The store has given up: whoever waits for it knows why.
            Some(part) => sender.send(Ok(part)).map_err(|_| BundleError::Refused("nobody reads it".into())),
            None => Ok(()),
        });
        if let Err(error) = done {
            let error = match error {
                BundleError::Parted { actor, reason } => StoreError::Invalid { actor, reason },
                error => StoreError::Io(format!("the bundle changed while it was read: {error}")),
            };
            let _ = sender.send(Err(error));
        }
    };
    std::thread::Builder::new().name("theater-bundle".into()).spawn(read)?;
    Ok(Box::new(receiver.into_iter()))
}

/// Chooses what the store is given.
struct Choose {
    plan: HashMap<TheaterId, Plan>,
    /// The actor whose events come: the head that the store has of it, if they are wanted.
    open: Option<(TheaterId, Option<Head>)>,
}

impl Choose {
    fn part(&mut self, piece: Piece) -> Result<Option<ImportPart>, BundleError> {
        let is_wanted = |id: &TheaterId| {
            self.plan.get(id).is_some_and(|plan| matches!(plan.arrival, Arrival::New | Arrival::Continued))
        };
        Ok(match piece {
            Piece::Component(digest, bytes) => Some(ImportPart::Component(digest, bytes)),
            Piece::Manifest(digest, bytes) => Some(ImportPart::Manifest(digest, bytes)),
            Piece::State(hash, bytes) => self.open.is_some().then_some(ImportPart::State(hash, bytes)),
            Piece::Checkpoint(id, checkpoint) => Some(ImportPart::Checkpoint(id, checkpoint)),
            Piece::Actor(actor) => {
                let BundledActor { entry, kept_from, left_out, .. } = *actor;
                if !is_wanted(&entry.id) {
                    self.open = None;
                    return Ok(None);
                }
                let expected = self.plan.get(&entry.id).and_then(|plan| plan.known);
                self.open = Some((entry.id, expected));
                Some(ImportPart::Actor(ImportedActor { entry, expected, kept_from, left_out }))
            }
            Piece::Events(events) => match self.open {
                None => None,
                Some((id, known)) => {
                    let mut events = events;
                    if let Some(known) = known {
                        if events.iter().any(|event| event.seq == known.seq && event.hash != known.hash) {
                            let reason = format!("event {} is another one here than in the bundle", known.seq);
                            return Err(BundleError::Parted { actor: id, reason });
                        }
                        events.retain(|event| event.seq > known.seq);
                    }
                    (!events.is_empty()).then_some(ImportPart::Events(events))
                }
            },
            Piece::Pending(message) => is_wanted(&message.receiver).then_some(ImportPart::Pending(message)),
            Piece::Answered(answered) => is_wanted(&answered.actor).then_some(ImportPart::Answered(answered)),
        })
    }
}
