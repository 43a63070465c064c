//! Reading a bundle, entry by entry, and checking that it is whole and unchanged.
//!
//! Whatever the file holds, no more is held in memory than one line of it, or one component; a
//! length that it claims allocates nothing.

use std::collections::HashSet;
use std::io::{BufReader, Read};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::BundleError;
use super::content::Content;
use super::layout::{self, FORMAT, Kind, OLDEST, Sums};
use super::lines::{ActorLine, AnsweredLine, EventLine, FormatLine, HeadLine, PendingLine, StateLine};
use super::open::OpenActor;
use crate::{ActorCheckpoint, ActorEntry, Answered, ChainEvent, Digest, PendingMessage, TheaterId};

/// What a description may have at most; and those of all actors together that have more than most need, of
/// which they are held in memory.
const MAX_DOCUMENT: u64 = 64 << 20;
const MAX_DOCUMENTS: u64 = 256 << 20;
const USUAL_DOCUMENT: u64 = 4 << 10;
/// What a signed note may have at most.
const MAX_NOTE: u64 = 16 << 10;
/// Actors of one bundle, so that memory is bounded.
const MAX_ACTORS: u64 = 1 << 22;
/// How many events are handed on at once, and of how many bytes.
const BATCH_EVENTS: usize = 256;
const BATCH_BYTES: usize = 4 << 20;

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contents {
    /// The actors, in their order.
    pub actors: Vec<BundledActor>,
    /// The events of all of them.
    pub events: u64,
}

/// An actor in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BundledActor {
    /// Its head and its index entry.
    pub entry: ActorEntry,
    /// The seq of its first event.
    pub kept_from: u64,
    /// The hash that its first event says of the one before it.
    pub parent_hash: Digest,
    /// Its children that are not in the bundle.
    pub left_out: Vec<TheaterId>,
}

/// A piece of a bundle, its hashes checked.
#[derive(Debug)]
pub(super) enum Piece {
    Component(Digest, Bytes),
    Manifest(Digest, Bytes),
    State(Digest, Bytes),
    Actor(Box<BundledActor>),
    Checkpoint(TheaterId, ActorCheckpoint),
    Events(Vec<ChainEvent>),
    Pending(PendingMessage),
    Answered(Answered),
}

/// Reads all of a bundle and hands on its pieces in their order. That the last one was right is only
/// known at the end.
pub(super) fn walk(
    file: impl Read,
    on_piece: &mut dyn FnMut(Piece) -> Result<(), BundleError>,
) -> Result<Contents, BundleError> {
    let mut archive = tar::Archive::new(Raw { file: BufReader::with_capacity(1 << 16, file), hasher: Sha256::new() });
    let mut walk = Walk {
        canonical: Sha256::new(),
        sums: Sums::default(),
        stage: Stage::Head,
        announced: HeadLine { theater_bundle: FORMAT, actors: 0, events: 0 },
        seen: HashSet::new(),
        described: 0,
        open: None,
        contents: Contents { actors: Vec::new(), events: 0 },
        on_piece,
    };
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry.map_err(not_whole)?;
        let header = entry.header().clone();
        walk.entry(&header, &mut entry)?;
    }
    let (canonical, contents) = walk.finish()?;
    // The rest behind the last entry; then all of it must be as its entries are written.
    let mut raw = archive.into_inner();
    std::io::copy(&mut raw.by_ref().take(2 * layout::TRAILER.len() as u64), &mut std::io::sink())?;
    if Digest(raw.hasher.finalize().into()) != canonical {
        return BundleError::refused("its bytes are not those that its entries are written with");
    }
    Ok(contents)
}

/// The file, with the hash of all that was read of it.
struct Raw<R> {
    file: R,
    hasher: Sha256,
}

impl<R: Read> Read for Raw<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// Which entry may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Head,
    Actors,
    Answered,
    Sums,
    End,
}

struct Walk<'p> {
    /// Of the bytes that the entries are written with.
    canonical: Sha256,
    sums: Sums,
    stage: Stage,
    announced: HeadLine,
    seen: HashSet<TheaterId>,
    /// Of the descriptions so far, what is more than usual.
    described: u64,
    /// The actor whose events come.
    open: Option<OpenActor>,
    contents: Contents,
    on_piece: &'p mut dyn FnMut(Piece) -> Result<(), BundleError>,
}

impl Walk<'_> {
    fn entry(&mut self, header: &tar::Header, inner: &mut dyn Read) -> Result<(), BundleError> {
        let path = header.path_bytes();
        let Some(kind) = std::str::from_utf8(&path).ok().and_then(Kind::of) else {
            let shown: String = String::from_utf8_lossy(&path).chars().take(80).collect();
            return BundleError::refused(format!("it has an entry {shown:?}, which no bundle has"));
        };
        let (name, size) = (kind.name(), header.entry_size().map_err(not_whole)?);
        if layout::header(&name, size)?.as_bytes() != header.as_bytes() {
            return BundleError::refused(format!("the header of {name} is not as it is written"));
        }
        self.canonical.update(header.as_bytes());
        self.follows(kind)?;
        let mut canonical = std::mem::take(&mut self.canonical);
        let mut content = Content::new(inner, &name, &mut canonical);
        self.content(kind, &mut content)?;
        let (read, digest) = content.finish();
        self.canonical = canonical;
        if read != size {
            return BundleError::refused(format!("{name} is cut off"));
        }
        self.canonical.update(layout::padding(size));
        if kind == Kind::Sums {
            let sums = std::mem::take(&mut self.sums);
            if (sums.size(), sums.digest()) != (size, digest) {
                return BundleError::refused("SHA256SUMS does not name the entries that are there");
            }
        } else {
            self.sums.add(&name, digest);
        }
        Ok(())
    }

    /// Whether this entry may come now.
    fn follows(&mut self, kind: Kind) -> Result<(), BundleError> {
        let (from, then) = match kind {
            Kind::Head => (Stage::Head, Stage::Actors),
            Kind::Pending => (Stage::Actors, Stage::Answered),
            Kind::Answered => (Stage::Answered, Stage::Sums),
            Kind::Sums => (Stage::Sums, Stage::End),
            _ => (Stage::Actors, Stage::Actors),
        };
        if self.stage != from {
            return BundleError::refused(format!("its entries are not in their order: {} is not due", kind.name()));
        }
        if matches!(kind, Kind::Actor(_) | Kind::Pending) {
            self.close_actor()?;
        }
        self.stage = then;
        Ok(())
    }

    fn content(&mut self, kind: Kind, content: &mut Content<'_>) -> Result<(), BundleError> {
        match kind {
            Kind::Head => self.head(&content.all(MAX_DOCUMENT)?),
            Kind::Component(digest) => {
                let bytes = content.named(digest)?;
                (self.on_piece)(Piece::Component(digest, bytes))
            }
            Kind::Manifest(digest) => {
                let bytes = content.named(digest)?;
                (self.on_piece)(Piece::Manifest(digest, bytes))
            }
            Kind::Actor(id) => {
                let bytes = content.all(MAX_DOCUMENT)?;
                self.actor(id, &bytes)
            }
            Kind::Checkpoint(id, key) => {
                let note = content.all(MAX_NOTE)?;
                let kept = match self.open.as_mut().filter(|open| open.awaits(id, key)) {
                    Some(open) => open.checkpoint(key, note)?,
                    None => {
                        return BundleError::refused(format!(
                            "its entries are not in their order: {} is not due",
                            kind.name()
                        ));
                    }
                };
                (self.on_piece)(Piece::Checkpoint(id, kept))
            }
            Kind::States(id, seq) => {
                self.is_due(id, seq, kind)?;
                content.lines(&mut |line| {
                    let (hash, bytes) = parsed::<StateLine>(line)?.state().map_err(BundleError::Refused)?;
                    (self.on_piece)(Piece::State(hash, bytes))
                })
            }
            Kind::Events(id, seq) => {
                self.is_due(id, seq, kind)?;
                self.events(content)
            }
            Kind::Pending => content.lines(&mut |line| {
                let message = parsed::<PendingLine>(line)?.message().map_err(BundleError::Refused)?;
                if !self.seen.contains(&message.receiver) {
                    return BundleError::refused("a message waits for an actor that is not in it");
                }
                (self.on_piece)(Piece::Pending(message))
            }),
            Kind::Answered => content.lines(&mut |line| {
                let answered = parsed::<AnsweredLine>(line)?.answered().map_err(BundleError::Refused)?;
                if !self.seen.contains(&answered.actor) {
                    return BundleError::refused("a message was answered by an actor that is not in it");
                }
                (self.on_piece)(Piece::Answered(answered))
            }),
            Kind::Sums => content.skip(),
        }
    }

    fn head(&mut self, bytes: &[u8]) -> Result<(), BundleError> {
        let found = parsed::<FormatLine>(bytes)?.theater_bundle;
        if !(OLDEST..=FORMAT).contains(&found) {
            return Err(BundleError::Format { found, known: FORMAT });
        }
        self.announced = parsed(bytes)?;
        if self.announced.actors > MAX_ACTORS {
            return BundleError::refused(format!("it says that it holds {} actors", self.announced.actors));
        }
        Ok(())
    }

    fn actor(&mut self, id: TheaterId, bytes: &[u8]) -> Result<(), BundleError> {
        self.described += (bytes.len() as u64).saturating_sub(USUAL_DOCUMENT);
        if self.described > MAX_DOCUMENTS {
            return BundleError::refused(format!("what it says of its actors is more than {MAX_DOCUMENTS} bytes"));
        }
        let line: ActorLine = parsed(bytes)?;
        let entry = line.entry().map_err(BundleError::Refused)?;
        if line.id != id || line.kept_from > entry.head.seq || !self.seen.insert(id) {
            return BundleError::refused(format!("actors/{id}/actor.json does not speak of an actor"));
        }
        if self.seen.len() as u64 > self.announced.actors {
            return BundleError::refused("it holds more actors than it says");
        }
        let actor =
            BundledActor { entry, kept_from: line.kept_from, parent_hash: Digest::ZERO, left_out: line.left_out };
        let piece = Piece::Actor(Box::new(actor.clone()));
        self.open = Some(OpenActor::new(actor));
        (self.on_piece)(piece)
    }

    /// Whether events from this one on may come.
    fn is_due(&self, id: TheaterId, seq: u64, kind: Kind) -> Result<(), BundleError> {
        match &self.open {
            Some(open) if open.actor.entry.id == id && open.verifier.next_seq() == seq => Ok(()),
            _ => BundleError::refused(format!("its entries are not in their order: {} is not due", kind.name())),
        }
    }

    fn events(&mut self, content: &mut Content<'_>) -> Result<(), BundleError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let id = open.actor.entry.id;
        let (mut batch, mut size) = (Vec::new(), 0);
        content.lines(&mut |line| {
            let event = parsed::<EventLine<'_>>(line)?.event().map_err(BundleError::Refused)?;
            let refused = |reason: &dyn std::fmt::Display| BundleError::refused(format!("actor {id}: {reason}"));
            if open.verifier.next_seq() == open.actor.kept_from {
                open.actor.parent_hash = event.parent_hash;
            }
            if let Err(fault) = open.verifier.push(&event) {
                return refused(&fault);
            }
            open.note(&event);
            if event.seq > open.actor.entry.head.seq {
                return refused(&"it has events beyond its head");
            }
            self.contents.events += 1;
            size += event.content_len();
            batch.push(event);
            if batch.len() >= BATCH_EVENTS || size >= BATCH_BYTES {
                size = 0;
                return (self.on_piece)(Piece::Events(std::mem::take(&mut batch)));
            }
            Ok(())
        })?;
        if batch.is_empty() { Ok(()) } else { (self.on_piece)(Piece::Events(batch)) }
    }

    /// The events of the actor before are all there.
    fn close_actor(&mut self) -> Result<(), BundleError> {
        if let Some(open) = self.open.take() {
            self.contents.actors.push(open.close()?);
        }
        Ok(())
    }

    fn finish(self) -> Result<(Digest, Contents), BundleError> {
        if self.stage != Stage::End {
            return BundleError::refused("it is cut off, or empty");
        }
        let found = (self.contents.actors.len() as u64, self.contents.events);
        if found != (self.announced.actors, self.announced.events) {
            return BundleError::refused("it does not hold as many actors and events as it says");
        }
        let mut canonical = self.canonical;
        canonical.update(layout::TRAILER);
        Ok((Digest(canonical.finalize().into()), self.contents))
    }
}

/// A line, or a document.
fn parsed<'a, T: serde::Deserialize<'a>>(text: &'a [u8]) -> Result<T, BundleError> {
    serde_json::from_slice(text).map_err(|error| BundleError::Refused(format!("a line of it cannot be read: {error}")))
}

/// What the archive's reader says of bytes that are no archive.
#[allow(clippy::needless_pass_by_value, reason = "it takes what map_err gives")]
fn not_whole(error: std::io::Error) -> BundleError {
    BundleError::Refused(error.to_string())
}
