//! How a command ends: with an exit status, or with a failure that says what went wrong, why, and
//! what to do.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use crate::output::say;

/// An exit status: 0 yes, 1 no, 2 could not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Yes,
    No,
    CannotTell,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// What a command gives back.
pub(crate) type Outcome = Result<Status, Failure>;

/// Why a command could not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// `None`: whoever read the output has gone, and nobody needs to be told.
    sentence: Option<String>,
    causes: Vec<String>,
    help: Option<String>,
    status: Status,
}

impl Failure {
    /// A failure in one sentence, in lower case and without a full stop.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: Some(sentence.into()), causes: Vec::new(), help: None, status: Status::CannotTell }
    }

    /// An error as the failure, with its own causes.
    pub(crate) fn of(error: &dyn Error) -> Self {
        let mut failure = Self::new(error.to_string());
        failure.add_sources(error);
        failure
    }

    /// Adds an error and what led to it.
    pub(crate) fn because(mut self, error: &dyn Error) -> Self {
        self.add_cause(error);
        self.add_sources(error);
        self
    }

    /// Makes it an answer: not that nothing could be told, but no.
    pub(crate) fn no(mut self) -> Self {
        self.status = Status::No;
        self
    }

    /// Says what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn add_sources(&mut self, error: &dyn Error) {
        let mut source = error.source();
        while let Some(cause) = source {
            self.add_cause(cause);
            source = cause.source();
        }
    }

    /// Some errors repeat their source in their own text.
    fn add_cause(&mut self, error: &dyn Error) {
        let cause = error.to_string();
        let said = self.causes.last().or(self.sentence.as_ref());
        if !said.is_some_and(|said| said.contains(&cause)) {
            self.causes.push(cause);
        }
    }

    /// Whether the output's reader has gone.
    pub(crate) fn is_closed_output(&self) -> bool {
        self.sentence.is_none()
    }

    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// Writes the failure to standard error.
    pub(crate) fn say(&self) {
        let Some(sentence) = &self.sentence else { return };
        say(format_args!("error: {sentence}"));
        for cause in &self.causes {
            say(format_args!("  cause: {cause}"));
        }
        if let Some(help) = &self.help {
            say(format_args!("  help: {help}"));
        }
    }
}

/// Of writing to standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { sentence: None, causes: Vec::new(), help: None, status: Status::Yes };
        }
        Self::new("the output cannot be written").because(&error)
    }
}

macro_rules! from_errors {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(&error)
            }
        })+
    };
}

from_errors!(
    theater::BuildError,
    theater::ManifestError,
    theater::RecoverError,
    theater::SpawnError,
    theater::StoreError,
    theater::chain::proof::ProveError,
    theater::host_key::HostKeyError,
    theater_build::BuildError,
    theater::chain::bundle::BundleError,
    theater_replay::ReplayError,
    theater::chain::codec::DecodeError,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_was_said_is_not_repeated() {
        let inner = io::Error::other("the disk is full");
        let failure = Failure::new("cannot write x: the disk is full").because(&inner);
        assert!(failure.causes.is_empty(), "{failure:?}");
        let failure = Failure::new("cannot write x").because(&inner);
        assert_eq!(failure.causes, ["the disk is full"]);
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let closed = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(closed.status(), Status::Yes);
        assert_eq!(Failure::from(io::Error::other("full")).status(), Status::CannotTell);
    }
}
