//! Feeding the root: each line of the input is one message, each answer one line of output.

use std::io::{self, Write as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use theater::sources::{Sources as _, SystemSources};
use theater::{ActorHandle, CallError, Outside, TheaterRuntime};
use theater_handler_message_server as messages;
use tokio::sync::watch;

use super::input::Input;
use super::quiet::quiet;
use crate::failure::Failure;
use crate::output::say;

/// How long the messages that are under way are waited for at the end of the input.
const QUIET: Duration = Duration::from_secs(5);

/// How long a full mailbox is left alone before the next try.
const FULL: Duration = Duration::from_millis(5);

/// How long a reader of the output that takes nothing may hold up the end.
const UNREAD: Duration = Duration::from_secs(1);

/// Why there are no more lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// The input ended.
    AtEnd,
    /// The tree is being stopped.
    Halted,
    /// Nobody reads the answers any more.
    OutputClosed,
}

/// What is done with the lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// They are one-way messages.
    pub(super) as_send: bool,
    /// The tree goes on at their end.
    pub(super) keep: bool,
    /// Answers are printed as base64 text.
    pub(super) base64: bool,
}

/// An input, and where its lines go.
pub(super) struct Feed<'a> {
    input: Input,
    runtime: &'a TheaterRuntime,
    root: &'a ActorHandle,
    source: String,
    how: How,
}

impl<'a> Feed<'a> {
    pub(super) fn new(
        how: How,
        input: Input,
        runtime: &'a TheaterRuntime,
        root: &'a ActorHandle,
        source: String,
    ) -> Self {
        Self { input, runtime, root, source, how }
    }

    /// Sends line after line until the input ends or `halted` says so.
    pub(super) async fn run(mut self, mut halted: watch::Receiver<bool>) -> Result<Fed, Failure> {
        let mut n = 0;
        loop {
            let line = tokio::select! {
                biased;
                _ = halted.wait_for(|halted| *halted) => return Ok(Fed::Halted),
                line = self.input.next() => line,
            };
            let Some(line) = line else { break };
            n += 1;
            if let Some(end) = self.one(n, line?, &halted).await? {
                return Ok(end);
            }
        }
        if self.how.keep {
            return Ok(Fed::AtEnd);
        }
        tokio::select! {
            _ = halted.wait_for(|halted| *halted) => Ok(Fed::Halted),
            quiet = quiet(self.runtime) => Ok(quiet.map(|()| Fed::AtEnd)?),
            () = SystemSources::new().sleep(QUIET) => {
                say(format_args!("note: after {QUIET:?} messages are still under way; they become dead letters"));
                Ok(Fed::AtEnd)
            }
        }
    }

    /// Sends line `n`. `Some`: there is no use in the next one.
    async fn one(&self, n: u64, line: Vec<u8>, halted: &watch::Receiver<bool>) -> Result<Option<Fed>, Failure> {
        let answer = loop {
            let answer = self.send(n, line.clone()).await;
            match answer {
                // The root is not done with what others sent; nothing of this try is left.
                Err(CallError::MailboxFull { .. }) if !*halted.borrow() => SystemSources::new().sleep(FULL).await,
                answer => break answer,
            }
        };
        let mut printed = match answer {
            Ok(Some(answer)) if self.how.base64 => STANDARD.encode(answer).into_bytes(),
            Ok(answer) => answer.unwrap_or_default(),
            // Nothing can be acknowledged any more.
            Err(CallError::Store(error)) => return Err(error.into()),
            Err(error) => {
                say(format_args!("line {n}: {error}{}", hint(&error)));
                Vec::new()
            }
        };
        if self.how.as_send {
            return Ok(None);
        }
        printed.push(b'\n');
        match print(printed, halted.clone()).await {
            Ok(()) => Ok(None),
            Err(error) => {
                let failure = Failure::from(error);
                if failure.is_closed_output() { Ok(Some(Fed::OutputClosed)) } else { Err(failure) }
            }
        }
    }

    async fn send(&self, n: u64, line: Vec<u8>) -> Result<Option<Vec<u8>>, CallError> {
        let from = Outside { source: &self.source, n };
        if self.how.as_send {
            return messages::send(self.root, from, line).await.map(|()| None);
        }
        messages::request(self.root, from, line).await
    }
}

fn hint(error: &CallError) -> &'static str {
    match error {
        CallError::NotExported { .. } => {
            "; an actor that takes messages exports them (`theater_actor::export!(Yours: messages)`) \
             and lists the handler `message-server` in its manifest"
        }
        _ => "",
    }
}

/// Writes an answer where a reader that takes nothing holds up no signal, and not the end either.
async fn print(bytes: Vec<u8>, mut halted: watch::Receiver<bool>) -> io::Result<()> {
    let writing = tokio::task::spawn_blocking(move || {
        let mut out = io::stdout().lock();
        out.write_all(&bytes)?;
        out.flush()
    });
    let overdue = async {
        let _ = halted.wait_for(|halted| *halted).await;
        SystemSources::new().sleep(UNREAD).await;
    };
    tokio::select! {
        biased;
        written = writing => written.unwrap_or_else(|error| Err(io::Error::other(error))),
        () = overdue => Err(io::ErrorKind::BrokenPipe.into()),
    }
}
