//! Whether an incarnation starts with the state that it claims to start with.

use std::collections::HashSet;

use super::structure::Checked;
use crate::data::{ActorStarted, RestartStateKind};
use crate::{ChainEvent, Digest, payload};

/// How many distinct states `resume-from` is checked against, so that memory is bounded (40 MB).
const MAX_PAST_STATES: usize = 1 << 20;

/// The states that an actor has had.
#[derive(Debug)]
pub(super) struct PastStates {
    states: HashSet<Digest>,
    /// The last committed one; `None` where the chain's kept part does not say it yet.
    pub(super) last: Option<Digest>,
    /// The chain is read from its first event on.
    whole: bool,
}

impl PastStates {
    pub(super) fn new(whole: bool) -> Self {
        Self { states: HashSet::new(), last: None, whole }
    }

    /// The actor has this state from here on.
    pub(super) fn install(&mut self, state: Digest) {
        self.last = Some(state);
        if self.states.len() < MAX_PAST_STATES {
            self.states.insert(state);
        }
    }

    /// Whether the state of a start is the one that its restart_state claims; what could not be checked.
    pub(super) fn start(
        &self,
        event: &ChainEvent,
        data: &ActorStarted,
        unchecked: &mut Option<&'static str>,
    ) -> Checked {
        match (data.restart_state, self.last) {
            (RestartStateKind::Reset, _) => initial_state(event, data, unchecked),
            (RestartStateKind::Resume, Some(state)) if state != data.state_hash => {
                Err("it resumes another state than the last committed one".into())
            }
            (RestartStateKind::ResumeFrom, Some(_)) if !self.states.contains(&data.state_hash) => {
                *unchecked = Some(match self.states.len() {
                    MAX_PAST_STATES.. => "a resume-from: the actor has had more states than are compared",
                    _ if !self.whole => "a resume-from: the actor may have had that state in events that were not kept",
                    _ => return Err("it resumes from a state that the actor never had".into()),
                });
                Ok(())
            }
            // A new actor may be made from the state of another; custom bytes are the parent's.
            (RestartStateKind::Resume | RestartStateKind::ResumeFrom | RestartStateKind::Custom, _) => Ok(()),
        }
    }
}

/// With `reset` the state is that of the `initial_state` in the payload, or none.
fn initial_state(event: &ChainEvent, data: &ActorStarted, unchecked: &mut Option<&'static str>) -> Checked {
    if event.is_erased() {
        *unchecked = Some("an initial state was erased: that the state hash is its hash was not checked");
        return Ok(());
    }
    let field = match &event.payload {
        Some(payload) => payload::field(payload.bytes(), "initial_state").map_err(|error| error.to_string())?,
        None => None,
    };
    let state = field.map(payload::read_bin).transpose().map_err(|error| error.to_string())?;
    if Digest::of_state(state) != data.state_hash {
        return Err("its state hash is not that of the initial state".into());
    }
    Ok(())
}
