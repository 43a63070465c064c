//! Running the binary.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

/// A folder with actors, and the program run in it.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    /// The user's cache folder; all tests share one.
    pub(crate) cache: PathBuf,
}

/// What a program that has ended said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache") }
    }

    /// A folder in which these actors lie side by side.
    pub(crate) fn with(actors: &[&str]) -> Self {
        let place = Self::empty();
        theater_build::testing::stage(place.path(), actors);
        place
    }

    /// Leaves the folder where it is, for whoever looks for a cause.
    pub(crate) fn keep(&mut self) -> &Path {
        self.dir.disable_cleanup(true);
        self.path()
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_theater"));
        command.current_dir(self.path()).args(args).env_remove("THEATER_LOG").env_remove("RUST_BACKTRACE");
        command.env("XDG_CACHE_HOME", &self.cache);
        command
    }

    /// Runs the program to its end.
    pub(crate) fn theater(&self, args: &[&str]) -> Said {
        let output = self.command(args).stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// As [`Place::theater`], for what must succeed.
    #[track_caller]
    pub(crate) fn yes(&self, args: &[&str]) -> String {
        let said = self.theater(args);
        assert_eq!(said.status, Some(0), "{args:?}: {said:?}");
        said.out
    }

    /// As [`Place::yes`], for JSON on one line.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.yes(args)).unwrap()
    }

    /// The events that `theater events` prints.
    #[track_caller]
    pub(crate) fn events(&self, args: &[&str]) -> Vec<Value> {
        let args = [&["events", "--json"], args].concat();
        self.yes(&args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs the program beside this test, with its standard error in the file `err`.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.running(self.command(args))
    }

    /// As [`Place::start`], for a program that may be forbidden to make files larger: what it cannot
    /// write is an error to it, as on a full disk, and no signal.
    pub(crate) fn start_limited(&self, args: &[&str]) -> Running {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_theater")]).args(args);
        command.current_dir(self.path()).env_remove("THEATER_LOG").env_remove("RUST_BACKTRACE");
        self.running(command)
    }

    fn running(&self, mut command: Command) -> Running {
        let err = self.write("err", "");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(fs::File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, input, lines: Some(lines), err }
    }
}

/// A program that runs beside the test. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    pub(crate) input: Option<ChildStdin>,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    err: PathBuf,
}

impl Running {
    pub(crate) fn send(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Sends a line and waits for the answer.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.line()
    }

    /// The next line of output.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        match self.try_line() {
            Some(line) => line,
            None => panic!("it ended: {}", self.err()),
        }
    }

    /// The next line of output, if there is one.
    pub(crate) fn try_line(&mut self) -> Option<String> {
        self.lines.as_mut().and_then(Iterator::next).map(Result::unwrap)
    }

    /// Stops reading its output.
    pub(crate) fn close_output(&mut self) {
        self.lines = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// From now on no file of it may become larger than this; `None`: as large as it likes.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, limit).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub(crate) fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a folder entry with this name is there.
pub(crate) fn is_there(dir: &Path, name: impl AsRef<OsStr>) -> bool {
    dir.join(name.as_ref()).symlink_metadata().is_ok()
}
