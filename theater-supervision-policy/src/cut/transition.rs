//! One call of an actor: what led to it, what it sent, and how it ended.

use theater_chain::Digest;

use super::fact::{End, Entry, HostFn, Hosted, To};
use super::origin::Origin;

/// A call of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transition {
    /// The seq of `call`.
    pub(super) seq: u64,
    pub(super) origin: Origin,
    pub(super) entry: Entry,
    pub(super) end: End,
    /// Messages that it made, by their host calls; whether they left, [`Transition::left`] says.
    pub(super) messages: Vec<MessageOut>,
    /// Its first other host call with an effect.
    pub(super) wrote: Option<Box<str>>,
}

/// A message that a call made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageOut {
    pub(super) ordinal: u32,
    /// Whether somebody waits for its answer.
    pub(super) request: bool,
    pub(super) to: To,
    /// What the guest was told.
    pub(super) ok: Option<bool>,
}

impl Transition {
    pub(super) fn new(seq: u64, origin: Origin, entry: Entry, end: End, hosted: Vec<Hosted>) -> Self {
        let mut transition = Self { seq, origin, entry, end, messages: Vec::new(), wrote: None };
        // Collected from the newest to the oldest.
        for hosted in hosted.into_iter().rev().filter(|hosted| !hosted.denied) {
            let Hosted { ordinal, function, to, ok, .. } = hosted;
            match function {
                HostFn::Write(name) => {
                    transition.wrote.get_or_insert(name);
                }
                HostFn::Send | HostFn::Request => {
                    let request = function == HostFn::Request;
                    let to = to.unwrap_or(To::Erased);
                    transition.messages.push(MessageOut { ordinal, request, to, ok });
                }
            }
        }
        transition
    }

    /// The seq of its last event and the state after it, if it is part of the actor's history: it
    /// committed, or its guest answered `err`.
    pub(super) fn committed(&self) -> Option<(u64, Digest)> {
        match self.end {
            End::Committed { seq, state, .. } | End::Refused { seq, state } => Some((seq, state)),
            End::Failed { .. } | End::Open => None,
        }
    }

    /// The messages that left: requests at once, sends when the call committed.
    pub(super) fn left(&self) -> impl Iterator<Item = &MessageOut> {
        let sends = matches!(self.end, End::Committed { .. });
        self.messages.iter().filter(move |message| message.request || (sends && message.ok != Some(false)))
    }
}
