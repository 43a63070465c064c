//! What the supervisor's guest asks for with a host call: children that it starts, stops, restarts
//! and deletes are facts for the engine, too.

use serde::Deserialize;
use serde::de::IgnoredAny;
use theater_chain::data::HostCallBegun;
use theater_chain::{ChainEvent, Digest, TheaterId, codec, payload};

use super::wit::ChildSpec;
use crate::policy::Spec;

const PLAIN: &str = "theater:simple/supervisor";
const BY_SPEC: &str = "theater:simple/supervision";

/// A host call that has begun and changes which children there are.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) what: What,
    /// The event with which it began; the id of what it starts derives from its hash.
    pub(super) begun: Digest,
    /// What it starts was already taken for started, since something of it was told.
    pub(super) anticipated: bool,
    /// The child that it is about ended in it.
    pub(super) ended: bool,
}

#[derive(Debug)]
pub(super) enum What {
    /// `start-child`; `None`: of something that is no spec.
    Start(Option<Box<Spec>>),
    /// `spawn`, `resume`.
    Spawn,
    /// `stop-child`, `terminate-child`, of a spec id or actor id.
    Stop(String),
    /// `restart-child`, `restart-child-with`.
    Restart {
        child: String,
        /// Whether no actor as the answer means that it declined.
        may_decline: bool,
    },
    /// `delete-child`.
    Delete(String),
    /// One of these, and what it was for was erased.
    Erased,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It did what was asked.
    Done,
    /// A start went well, and the child declined.
    Declined,
    /// The child's start failed.
    FailedToStart,
    /// It did nothing.
    Refused,
    /// What it answered was erased.
    Erased,
}

impl Request {
    /// `None`: it changes nothing that the engine knows.
    pub(super) fn begun(event: &ChainEvent, data: &HostCallBegun) -> Option<Result<Self, codec::DecodeError>> {
        let interface = bare(&data.interface);
        if interface != PLAIN && interface != BY_SPEC {
            return None;
        }
        let erased = event.is_erased();
        let params = || match &event.payload {
            Some(payload) => Ok(payload::field(payload.bytes(), "params")?.unwrap_or_default()),
            None => Ok(&[][..]),
        };
        let what = match (interface, data.function.as_str()) {
            (PLAIN, "spawn" | "resume") => Ok(What::Spawn),
            (BY_SPEC, "start-child" | "terminate-child" | "restart-child-with" | "delete-child")
            | (PLAIN, "stop-child" | "restart-child")
                if erased =>
            {
                Ok(What::Erased)
            }
            (BY_SPEC, "start-child") => params().and_then(|params| spec(params, &event.hash)),
            (PLAIN, "stop-child") | (BY_SPEC, "terminate-child") => params().and_then(target).map(What::Stop),
            (PLAIN, "restart-child") => {
                params().and_then(target).map(|child| What::Restart { child, may_decline: false })
            }
            (BY_SPEC, "restart-child-with") => params().and_then(target_with).map(What::restart_with),
            (BY_SPEC, "delete-child") => params().and_then(target).map(What::Delete),
            _ => return None,
        };
        Some(what.map(|what| Self { what, begun: event.hash, anticipated: false, ended: false }))
    }

    /// The child that it starts, if it does.
    pub(super) fn starts(&self) -> Option<TheaterId> {
        matches!(self.what, What::Start(_) | What::Spawn).then(|| TheaterId::of_spawn(&self.begun))
    }

    /// What came of it, from its `host_call`.
    pub(super) fn ended(&self, event: &ChainEvent) -> Result<Ended, codec::DecodeError> {
        /// `[{"Ok": ..}]` or `[{"Err": ..}]`.
        #[derive(Deserialize)]
        enum Answer {
            Ok(Option<IgnoredAny>),
            Err(Refusal),
        }
        /// An error of either interface; a text names no case.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Refusal {
            Case(std::collections::BTreeMap<String, IgnoredAny>),
            Other(IgnoredAny),
        }
        let Some(payload) = &event.payload else {
            return Ok(if event.is_erased() { Ended::Erased } else { Ended::Refused });
        };
        let Some(result) = payload::field(payload.bytes(), "result")? else { return Ok(Ended::Refused) };
        Ok(match codec::decode::<(Answer,)>(result)?.0 {
            Answer::Ok(None) if matches!(self.what, What::Start(_) | What::Restart { may_decline: true, .. }) => {
                Ended::Declined
            }
            Answer::Ok(_) => Ended::Done,
            Answer::Err(Refusal::Case(case)) if case.contains_key("FailedToStart") => Ended::FailedToStart,
            Answer::Err(_) => Ended::Refused,
        })
    }
}

impl What {
    fn restart_with(child: String) -> Self {
        Self::Restart { child, may_decline: true }
    }
}

/// A spec without an id is named after its child.
fn spec(params: &[u8], begun: &Digest) -> Result<What, codec::DecodeError> {
    let (spec,) = codec::decode::<(ChildSpec,)>(params)?;
    Ok(What::Start(spec.spec(|| TheaterId::of_spawn(begun).to_string()).map(Box::new)))
}

fn target(params: &[u8]) -> Result<String, codec::DecodeError> {
    codec::decode::<(String,)>(params).map(|(child,)| child)
}

fn target_with(params: &[u8]) -> Result<String, codec::DecodeError> {
    codec::decode::<(String, IgnoredAny)>(params).map(|(child, _)| child)
}

/// An interface's name without its version.
pub(super) fn bare(interface: &str) -> &str {
    interface.split_once('@').map_or(interface, |(name, _)| name)
}
