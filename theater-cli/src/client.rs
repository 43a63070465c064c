//! Asking the process that runs a tree, through the socket in its folder.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use theater::{TheaterCommand, TheaterReply};

use crate::failure::Failure;

/// The name of the socket in the folder of a run.
pub(crate) const SOCKET: &str = "socket";

/// How long an answer may take that needs no event.
const PATIENCE: Duration = Duration::from_secs(10);

/// One line of answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    Ok(TheaterReply),
    Err(String),
}

/// A connection to a running process.
pub(crate) struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the process that runs the tree of `dir`, if there is one.
    pub(crate) fn connect(dir: &Path) -> Option<Self> {
        let stream = UnixStream::connect(dir.join(SOCKET)).ok()?;
        Some(Self { stream: BufReader::new(stream) })
    }

    /// Asks something that is answered at once.
    pub(crate) fn ask(&mut self, command: &TheaterCommand) -> Result<TheaterReply, Failure> {
        self.exchange(command, Some(PATIENCE))?
            .ok_or_else(|| Failure::new("the process that runs the tree ended before it answered").help("try again"))
    }

    /// Asks something that is answered when it happens; `None`: the process has ended.
    pub(crate) fn wait(&mut self, command: &TheaterCommand) -> Result<Option<TheaterReply>, Failure> {
        self.exchange(command, None)
    }

    /// Waits this long, and says whether the process has ended meanwhile.
    pub(crate) fn ended_within(&mut self, time: Duration) -> bool {
        if self.stream.get_ref().set_read_timeout(Some(time)).is_err() {
            return true;
        }
        match self.stream.fill_buf() {
            Ok(unasked) => unasked.is_empty(),
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    fn exchange(
        &mut self,
        command: &TheaterCommand,
        patience: Option<Duration>,
    ) -> Result<Option<TheaterReply>, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new("the process that runs the tree does not answer on its socket").because(&error)
        };
        self.stream.get_ref().set_read_timeout(patience).map_err(failed)?;
        let mut line = serde_json::to_string(command).map_err(|error| failed(error.into()))?;
        line.push('\n');
        // A process that ends closes its end, before or after the question.
        if self.stream.get_mut().write_all(line.as_bytes()).is_err() {
            return Ok(None);
        }
        line.clear();
        match self.stream.read_line(&mut line) {
            Ok(0) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
            read => read.map_err(failed)?,
        };
        match serde_json::from_str(&line) {
            Ok(Answer::Ok(reply)) => Ok(Some(reply)),
            Ok(Answer::Err(sentence)) => Err(Failure::new(sentence)),
            Err(error) => Err(Failure::new("the process that runs the tree answers in an unknown way")
                .because(&error)
                .help("use the version of this program that runs it")),
        }
    }
}
