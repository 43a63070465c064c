//! What verification finds.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::LogReport;
use super::missing::Missing;
use crate::{Digest, Head, TheaterId};

/// How much is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Every link and every hash, payloads included, and the stored head.
    Links,
    /// Also that data is well-formed, that the events tell a possible life, that states continue,
    /// that recorded states, components and manifests are there, that the chains of children are
    /// those that are anchored and told of, and the index entry.
    #[default]
    Full,
}

/// The first event of a chain that does not verify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("event {seq}: {reason}")]
pub struct Fault {
    /// Where: the seq that the event has or should have.
    pub seq: u64,
    /// What is wrong, in lower case and without a full stop.
    pub reason: String,
}

/// What verification says of one actor. As JSON `{id, events, head, ok, signed?, thinned?,
/// fault?: {seq, reason}}`, where `head` is the hash of the newest event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActorReport {
    /// The actor.
    pub id: TheaterId,
    /// How many events verified.
    pub events: u64,
    /// The newest event that verified.
    pub head: Option<Head>,
    /// The first event that did not.
    pub fault: Option<Fault>,
    /// The newest event that a checked signature covers; `None` where signatures were not checked.
    pub signed: Option<u64>,
    /// How many times the actor left a state that is not in the store, and need not be: a large one that
    /// another one followed. Only counted at [`Level::Full`].
    pub thinned: u64,
    /// The event that says that older ones were dropped, where they are not there.
    pub pruned: Option<u64>,
    /// What could not be checked, a sentence each.
    pub unchecked: Vec<String>,
    /// Payloads that are not there, and of which this chain does not say that they were erased.
    pub(super) missing: Missing,
}

impl ActorReport {
    /// Of an actor that is to be there.
    pub(super) fn missing(id: TheaterId, reason: String) -> Self {
        let fault = Some(Fault { seq: 0, reason });
        Self {
            id,
            events: 0,
            head: None,
            fault,
            signed: None,
            thinned: 0,
            pruned: None,
            unchecked: Vec::new(),
            missing: Missing::default(),
        }
    }

    /// Whether everything that was checked is right.
    pub fn is_ok(&self) -> bool {
        self.fault.is_none()
    }
}

impl Serialize for ActorReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let some = [self.fault.is_some(), self.signed.is_some(), self.thinned > 0];
        let fields = 4 + some.into_iter().filter(|some| *some).count();
        let mut report = serializer.serialize_struct("ActorReport", fields)?;
        report.serialize_field("id", &self.id)?;
        report.serialize_field("events", &self.events)?;
        report.serialize_field::<Option<Digest>>("head", &self.head.map(|head| head.hash))?;
        report.serialize_field("ok", &self.is_ok())?;
        match &self.signed {
            Some(signed) => report.serialize_field("signed", signed)?,
            None => report.skip_field("signed")?,
        }
        match self.thinned {
            0 => report.skip_field("thinned")?,
            thinned => report.serialize_field("thinned", &thinned)?,
        }
        match &self.fault {
            Some(fault) => report.serialize_field("fault", fault)?,
            None => report.skip_field("fault")?,
        }
        report.end()
    }
}

/// What verification says of a whole store. As JSON `{ok, actors, unchecked, log?}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoreReport {
    /// Whether every actor's chain verifies, and the log where it was checked.
    pub ok: bool,
    /// Each actor, in the order of their first events.
    pub actors: Vec<ActorReport>,
    /// What could not be checked, a sentence each, said once for all actors.
    pub unchecked: Vec<String>,
    /// The log of signed heads, where it was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogReport>,
}

/// Sentences, each once, and not more than a person would read.
#[derive(Debug, Default)]
pub(super) struct Sentences(Vec<String>);

impl Sentences {
    const MAX: usize = 100;

    pub(super) fn add(&mut self, sentence: impl AsRef<str> + Into<String>) {
        if self.0.iter().any(|known| known == sentence.as_ref()) {
            return;
        }
        match self.0.len() {
            len if len < Self::MAX => self.0.push(sentence.into()),
            Self::MAX => self.0.push("more than is listed here could not be checked".into()),
            _ => {}
        }
    }

    pub(super) fn into_vec(self) -> Vec<String> {
        self.0
    }
}
