//! From a decision to what is recorded of it.

use theater_chain::Digest;
use theater_chain::data::SupervisionAction;

use crate::decision::{Class, Decision};
use crate::engine::delay;
use crate::policy::Backoff;

impl Class {
    /// As manifests and records write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Temporary => "temporary",
            Self::Permanent => "permanent",
            Self::Expected => "expected",
        }
    }
}

impl Decision {
    /// The data of the event, which follows the one with the hash `parent_hash`: with the jitter
    /// that follows from it, and the hash of the state that the child gets.
    pub fn record(
        &self,
        backoff: Option<&Backoff>,
        parent_hash: Digest,
        new_state_hash: Option<Digest>,
    ) -> SupervisionAction {
        SupervisionAction {
            actor_id: self.actor,
            action: self.action,
            class: self.class.map(|class| class.as_str().to_owned()),
            rule: self.rule.clone(),
            attempt: self.attempt,
            window: self.window,
            delay_ms: delay::jittered_ms(backoff, self.delay_ms, &parent_hash, &self.actor),
            error_hash: self.error_hash,
            new_state_hash,
            cut: self.cut.clone(),
            at_ms: self.at_ms,
        }
    }
}
