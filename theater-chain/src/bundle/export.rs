//! Writing a bundle.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;

use bytes::Bytes;
use serde::Serialize;

use super::BundleError;
use super::layout::{self, FORMAT, Kind, Sums};
use super::lines::{ActorLine, AnsweredLine, EventLine, HeadLine, PendingLine, StateLine};
use crate::data::Data;
use crate::linked::{Broken, LinkedPages};
use crate::note::HostKey;
use crate::proof::{self, ProveError};
use crate::{ActorEntry, ChainEvent, ChainStore, Digest, StoreError, TheaterId, Verifier};

/// After how many events, or bytes of them, an entry of events ends.
const CHUNK_EVENTS: usize = 1_000;
const CHUNK_BYTES: usize = 4 << 20;
/// How many rows are read at once.
const PAGE: usize = 256;
/// How many states are remembered as written, so that memory is bounded (4 MB); one that was
/// forgotten is written again.
const MAX_REMEMBERED: usize = 1 << 16;
/// How many children of one actor are looked at.
const MAX_CHILDREN: usize = 1 << 20;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Exported {
    /// Actors.
    pub actors: u64,
    /// Events of all of them.
    pub events: u64,
    /// The size of the bundle.
    pub bytes: u64,
    /// Actors whose chains were signed.
    pub signed: u64,
}

/// Writes the record of these actors, in this order, as a bundle. `on_progress` is
/// told the number of events so far.
///
/// With the host's key each chain is signed as it is now, but for those of which events are gone that no
/// `pruned` tells of; what others signed of them, as far as the store has it, goes along. Who signs says that the chains are those that
/// were recorded: verify them before.
///
/// The chains are verified on their way (links and hashes), and what they name is taken along as far
/// as the store has it. A store that is written meanwhile is read as it is: for one moment of all of
/// it, give a store that stands still.
///
/// # Errors
/// What is stored is damaged, or the store or `out` failed; what was written then is no bundle.
pub async fn export(
    store: &dyn ChainStore,
    actors: &[TheaterId],
    key: Option<&HostKey>,
    out: impl Write + Send,
    on_progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Exported, BundleError> {
    let mut entries = Vec::with_capacity(actors.len());
    for id in actors {
        let entry = store.actor(*id).await?.ok_or(BundleError::NoActor(*id))?;
        let kept_from = store.kept_from(*id).await?;
        entries.push((entry, kept_from));
    }
    let of_actor = |(entry, kept_from): &(ActorEntry, u64)| (entry.head.seq + 1).saturating_sub(*kept_from);
    let events = entries.iter().map(of_actor).fold(0, u64::saturating_add);
    let head = HeadLine { theater_bundle: FORMAT, actors: entries.len() as u64, events };
    let chosen = actors.iter().copied().collect();
    let archive = Archive { out, bytes: 0, sums: Vec::new() };
    let mut export =
        Export { store, key, archive, chosen, named: HashSet::new(), states: HashSet::new(), signed: 0, events: 0 };
    export.archive.add(Kind::Head, &document(&head)?)?;
    for (entry, kept_from) in &entries {
        export.actor(entry, *kept_from, on_progress).await?;
    }
    export.pending().await?;
    export.answered().await?;
    let signed = export.signed;
    let bytes = export.archive.finish()?;
    Ok(Exported { actors: head.actors, events, bytes, signed })
}

struct Export<'s, W> {
    store: &'s dyn ChainStore,
    key: Option<&'s HostKey>,
    archive: Archive<W>,
    chosen: HashSet<TheaterId>,
    /// Components and manifests that were written.
    named: HashSet<Digest>,
    /// States that were written.
    states: HashSet<Digest>,
    /// How many chains were signed.
    signed: u64,
    /// How many events were written.
    events: u64,
}

impl<W: Write + Send> Export<'_, W> {
    async fn actor(
        &mut self,
        entry: &ActorEntry,
        kept_from: u64,
        on_progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), BundleError> {
        let mut left_out = Vec::new();
        for child in self.store.children(entry.id, MAX_CHILDREN).await? {
            if !self.chosen.contains(&child.id) {
                left_out.push(child.id);
            }
        }
        left_out.sort_unstable();
        let line = ActorLine::of(entry, kept_from, left_out);
        self.archive.add(Kind::Actor(entry.id), &document(&line)?)?;
        self.checkpoints(entry).await?;
        let mut pages = LinkedPages::new(self.store, entry.id, Verifier::starting_at(kept_from), entry.head, PAGE);
        let mut chunk = Chunk::default();
        loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(Broken::Fault(fault)) => {
                    return Err(BundleError::Damaged { actor: entry.id, reason: fault.to_string() });
                }
                Err(Broken::Store(error)) => return Err(error.into()),
            };
            for event in page {
                self.named_by(&event, &mut chunk).await?;
                chunk.add(event);
                if chunk.is_full() {
                    self.chunk(entry.id, std::mem::take(&mut chunk), on_progress)?;
                }
            }
        }
        self.state(entry.index.state, &mut chunk).await?;
        self.chunk(entry.id, chunk, on_progress)
    }

    /// What is signed of the chain, by key: what came with it, and what is signed now.
    async fn checkpoints(&mut self, entry: &ActorEntry) -> Result<(), BundleError> {
        let damaged = |reason: String| BundleError::Damaged { actor: entry.id, reason };
        let kept = self.store.checkpoints(entry.id).await?;
        let mut signed: BTreeMap<[u8; 32], String> =
            kept.into_iter().map(|kept| (*kept.key.as_bytes(), kept.note)).collect();
        if let Some(key) = self.key {
            match proof::checkpoint(self.store, entry, key).await {
                Ok(note) => {
                    signed.insert(*key.public().as_bytes(), note);
                    self.signed += 1;
                }
                Err(ProveError::NotKept(_)) => {}
                Err(ProveError::Store(StoreError::Damaged(reason))) => return Err(damaged(reason)),
                Err(ProveError::Store(error)) => return Err(error.into()),
                Err(error) => return Err(damaged(error.to_string())),
            }
        }
        for (key, note) in signed {
            self.archive.add(Kind::Checkpoint(entry.id, key), note.as_bytes())?;
        }
        Ok(())
    }

    /// Takes along the bytes that an event names, as far as they are there.
    async fn named_by(&mut self, event: &ChainEvent, chunk: &mut Chunk) -> Result<(), BundleError> {
        match Data::decode(&event.event_type, &event.data) {
            Ok(Some(Data::ActorStarted(data))) => {
                self.component(data.component).await?;
                if self.named.insert(data.manifest)
                    && let Some(bytes) = self.store.manifest(data.manifest).await?
                {
                    self.archive.add(Kind::Manifest(data.manifest), &bytes)?;
                }
                self.state(data.state_hash, chunk).await
            }
            Ok(Some(Data::StateUpdated(data))) => self.state(data.new_state_hash, chunk).await,
            Ok(Some(Data::ActorUpgraded(data))) => {
                self.component(data.new_component).await?;
                self.state(data.new_state_hash, chunk).await
            }
            Ok(Some(Data::ActorRolledBack(data))) => {
                self.component(data.new_component).await?;
                self.state(data.new_state_hash, chunk).await
            }
            Ok(Some(Data::SupervisionAction(data))) => {
                self.state(data.new_state_hash.unwrap_or(Digest::ZERO), chunk).await
            }
            _ => Ok(()),
        }
    }

    async fn component(&mut self, digest: Digest) -> Result<(), BundleError> {
        if self.named.insert(digest)
            && let Some(bytes) = self.store.component(digest).await?
        {
            self.archive.add(Kind::Component(digest), &bytes)?;
        }
        Ok(())
    }

    async fn state(&mut self, hash: Digest, chunk: &mut Chunk) -> Result<(), BundleError> {
        if hash.is_zero() || self.states.contains(&hash) {
            return Ok(());
        }
        if self.states.len() == MAX_REMEMBERED {
            self.states.clear();
        }
        self.states.insert(hash);
        if let Some(bytes) = self.store.state(hash).await? {
            chunk.size += bytes.len();
            chunk.states.push((hash, bytes));
        }
        Ok(())
    }

    fn chunk(
        &mut self,
        id: TheaterId,
        chunk: Chunk,
        on_progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), BundleError> {
        let Some(first) = chunk.events.first() else {
            // States alone cannot be: the index names the state of the last event.
            return Ok(());
        };
        if !chunk.states.is_empty() {
            let lines = chunk.states.into_iter().map(|(hash, bytes)| StateLine::of(hash, bytes));
            self.archive.add(Kind::States(id, first.seq), &text(lines)?)?;
        }
        self.archive.add(Kind::Events(id, first.seq), &text(chunk.events.iter().map(EventLine::of))?)?;
        self.events += chunk.events.len() as u64;
        on_progress(self.events);
        Ok(())
    }

    /// The messages that wait for the actors, oldest first.
    async fn pending(&mut self) -> Result<(), BundleError> {
        // There is no paging through them: as many at once as there are, more each time.
        let mut max = PAGE;
        let messages = loop {
            let messages = self.store.pending(None, max).await?;
            if messages.len() < max {
                break messages;
            }
            max *= 4;
        };
        let wanted = messages.into_iter().filter(|message| self.chosen.contains(&message.receiver));
        let lines = text(wanted.map(PendingLine::of))?;
        self.archive.add(Kind::Pending, &lines)
    }

    /// The messages from outside that the actors answered.
    async fn answered(&mut self) -> Result<(), BundleError> {
        let (mut lines, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.store.answers(after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.message_id.clone());
            let wanted = page.into_iter().filter(|answered| self.chosen.contains(&answered.actor));
            lines.extend(text(wanted.map(AnsweredLine::of))?);
        }
        self.archive.add(Kind::Answered, &lines)
    }
}

/// Events that make one entry, with the states that they name.
#[derive(Default)]
struct Chunk {
    events: Vec<ChainEvent>,
    states: Vec<(Digest, Bytes)>,
    size: usize,
}

impl Chunk {
    fn add(&mut self, event: ChainEvent) {
        self.size += event.content_len();
        self.events.push(event);
    }

    fn is_full(&self) -> bool {
        self.events.len() >= CHUNK_EVENTS || self.size >= CHUNK_BYTES
    }
}

/// The archive, with the hashes of its entries.
struct Archive<W> {
    out: W,
    bytes: u64,
    sums: Vec<u8>,
}

impl<W: Write> Archive<W> {
    fn add(&mut self, kind: Kind, content: &[u8]) -> Result<(), BundleError> {
        let name = kind.name();
        if kind != Kind::Sums {
            self.sums.extend_from_slice(Sums::line(&name, Digest::of(content)).as_bytes());
        }
        let header = layout::header(&name, content.len() as u64)?;
        for part in [header.as_bytes(), content, layout::padding(content.len() as u64)] {
            self.out.write_all(part)?;
            self.bytes += part.len() as u64;
        }
        Ok(())
    }

    /// The sums and the end; the size of all.
    fn finish(mut self) -> Result<u64, BundleError> {
        let sums = std::mem::take(&mut self.sums);
        self.add(Kind::Sums, &sums)?;
        self.out.write_all(&layout::TRAILER)?;
        self.out.flush()?;
        Ok(self.bytes + layout::TRAILER.len() as u64)
    }
}

/// A value as the whole of a file.
fn document(value: &impl Serialize) -> Result<Vec<u8>, BundleError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(std::io::Error::from)?;
    text.push(b'\n');
    Ok(text)
}

/// Values as the lines of a file.
fn text(lines: impl Iterator<Item = impl Serialize>) -> Result<Vec<u8>, BundleError> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, &line).map_err(std::io::Error::from)?;
        text.push(b'\n');
    }
    Ok(text)
}
