//! Why an actor ended: one enum everywhere.

use std::fmt;

use theater_chain::data::{ErrorType, KillCause, ReasonRecord};

use crate::error::ActorError;

/// Why an incarnation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// It called `runtime.shutdown`: the running call completed and committed, then it ended.
    Normal(Option<Vec<u8>>),
    /// Its `init` called `runtime.decline-start`.
    Declined,
    /// It obeyed a stop.
    Shutdown,
    /// It failed.
    Abnormal(ActorError),
    /// It was killed.
    Killed(KillCause),
}

impl ExitReason {
    /// Whether it ended well: normal, declined or stopped.
    pub fn is_normal(&self) -> bool {
        matches!(self, Self::Normal(_) | Self::Declined | Self::Shutdown)
    }

    /// Whether running again must end the same way.
    pub fn is_deterministic(&self) -> bool {
        match self {
            Self::Normal(_) | Self::Declined => true,
            Self::Abnormal(error) => error.deterministic,
            Self::Shutdown | Self::Killed(_) => false,
        }
    }

    /// As it stands in the chain.
    pub fn record(&self) -> ReasonRecord {
        match self {
            Self::Normal(_) => ReasonRecord::Normal,
            Self::Declined => ReasonRecord::Declined,
            Self::Shutdown => ReasonRecord::Shutdown,
            Self::Abnormal(error) => ReasonRecord::Abnormal(error.kind),
            Self::Killed(cause) => ReasonRecord::Killed(*cause),
        }
    }

    /// The error that a parent sees; `None` for a normal end. A deadline kill shows as
    /// `shutdown-timeout`, the others as `killed`.
    pub fn error(&self) -> Option<ActorError> {
        match self {
            Self::Normal(_) | Self::Declined | Self::Shutdown => None,
            Self::Abnormal(error) => Some(error.clone()),
            Self::Killed(KillCause::Deadline) => {
                Some(ActorError::new(ErrorType::ShutdownTimeout, "killed: it did not stop in time"))
            }
            Self::Killed(_) => Some(ActorError::new(ErrorType::Killed, self.to_string())),
        }
    }
}

impl ExitReason {
    /// As its text, but without the message of an error.
    pub(crate) fn in_short(&self) -> String {
        match self {
            Self::Abnormal(error) => {
                // The kind as in the chain, such as `call-timeout`.
                let kind = serde_json::to_value(error.kind).ok();
                format!("failed: {}", kind.as_ref().and_then(serde_json::Value::as_str).unwrap_or("error"))
            }
            reason => reason.to_string(),
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal(_) => f.write_str("normal"),
            Self::Declined => f.write_str("declined to start"),
            Self::Shutdown => f.write_str("stopped"),
            Self::Abnormal(error) => write!(f, "failed: {error}"),
            Self::Killed(KillCause::Host) => f.write_str("killed by the host"),
            Self::Killed(KillCause::Deadline) => f.write_str("killed: it did not stop in time"),
            Self::Killed(KillCause::ParentGone) => f.write_str("killed: its parent had gone"),
        }
    }
}
