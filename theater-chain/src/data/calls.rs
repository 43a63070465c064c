//! The events of calls and messages: what enters and leaves an actor's sandbox.

use serde::{Deserialize, Serialize};

use crate::{Digest, TheaterId};

/// A message from outside reached the actor's mailbox. Payload: `params`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageAccepted {
    /// Who sent it.
    pub source: String,
    /// Its number at that source.
    pub n: u64,
    /// `<source>/<n>`.
    pub message_id: String,
}

/// A guest export is called. Payload: `params`, without the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Which lane it came through.
    pub lane: Lane,
    /// The interface as the component exports it.
    pub interface: String,
    /// The function.
    pub function: String,
    /// The message that it delivers, if it delivers one.
    pub message_id: Option<String>,
    /// The event that led to it, in whichever chain.
    pub cause: Option<Digest>,
}

/// The lanes of an actor that lead into its guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// Part of a start: `init`, `resumed`.
    Start,
    /// What a supervisor is asked to decide; before any message.
    Decision,
    /// A message or a callback.
    Mailbox,
}

/// A call ended and left the state as it was. Payload: `result`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallReturned {
    /// False: the guest returned `err`, and its sends were dropped.
    pub ok: bool,
    /// The hash of the state.
    pub state_hash: Digest,
}

/// A call committed with a new state. Payload: `result`, without the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateUpdated {
    /// The actor.
    pub actor_id: TheaterId,
    /// The hash before.
    pub old_state_hash: Digest,
    /// The hash after.
    pub new_state_hash: Digest,
    /// The message that the call delivered, if it delivered one.
    pub transition_message: Option<String>,
}

/// What a crash in the middle of a host call means for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Changes nothing outside: one event, may run again.
    Read,
    /// Changes something, and running it twice is the same as once.
    WriteIdempotent,
    /// Changes something, and must not be repeated silently.
    Write,
}

/// A host function with an effect is about to run. Payload: `params`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostCallBegun {
    /// Its number within the guest call, from 0.
    pub ordinal: u32,
    /// The interface as the component imports it.
    pub interface: String,
    /// The function.
    pub function: String,
    /// What a crash means.
    pub effect: Effect,
}

/// A host function ended. Payload: `params` (unless begun) and `result`; also `params_digest`, the
/// SHA-256 of the params as the guest passed them, where the handler had shorter ones recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostCall {
    /// Its number within the guest call, from 0.
    pub ordinal: u32,
    /// The interface as the component imports it.
    pub interface: String,
    /// The function.
    pub function: String,
    /// What a crash means.
    pub effect: Effect,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a host call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It answered.
    Ok,
    /// A permission forbade it, by this rule; the guest got the answer in `result`.
    Denied(String),
    /// The host function failed, which ends the call.
    Trap,
    /// The call was dropped while it ran: killed or past its deadline.
    Abandoned,
    /// The host went down while it ran.
    Interrupted,
}

/// A permission forbade something outside of a host call. Payload: `message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionDenied {
    /// The handler.
    pub handler: String,
    /// The rule.
    pub rule: String,
}

/// A message will never be delivered. Payload: none; the sender's event holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// The message.
    pub message_id: String,
    /// The interface of the function that it would have called.
    pub interface: String,
    /// That function.
    pub function: String,
    /// Why, in a few words.
    pub reason: String,
    /// The event that led to the message.
    pub cause: Option<Digest>,
}
