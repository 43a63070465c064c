//! Errors of the handler.

use theater::{CallError, ChildError, ReadError, SpawnError, StoreError};

/// Why a supervisor's call came to nothing. A guest gets the text.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// A permission or a rule of the handler forbade it.
    #[error("{0}")]
    HandlerError(String),
    /// The child, or what was asked of it, failed.
    #[error("{0}")]
    ActorError(String),
    /// Something recorded could not be read.
    #[error("{0}")]
    SerializationError(String),
    /// The actor has no such child.
    #[error("child {0} is not found")]
    NotFound(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SpawnError> for SupervisorError {
    fn from(error: SpawnError) -> Self {
        match error {
            SpawnError::NotFound(id) => Self::NotFound(id.to_string()),
            SpawnError::Store(error) => Self::Store(error),
            error => Self::ActorError(error.to_string()),
        }
    }
}

impl From<ChildError> for SupervisorError {
    fn from(error: ChildError) -> Self {
        match error {
            ChildError::NotFound(id) => Self::NotFound(id.to_string()),
            ChildError::Store(error) => Self::Store(error),
            error => Self::ActorError(error.to_string()),
        }
    }
}

impl From<CallError> for SupervisorError {
    fn from(error: CallError) -> Self {
        Self::ActorError(error.to_string())
    }
}

impl From<ReadError> for SupervisorError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => Self::Store(error),
            error => Self::HandlerError(error.to_string()),
        }
    }
}
