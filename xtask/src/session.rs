//! A `theater run` that is fed line by line, and looked at meanwhile.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;

/// A running tree.
pub(crate) struct Session {
    theater: PathBuf,
    data: PathBuf,
    log: PathBuf,
    run: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Session {
    /// Starts `theater run` on a manifest, with its record in `data` and what it says in `log`.
    pub(crate) fn start(theater: &Path, manifest: &Path, data: &Path, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(theater);
        command.arg("run").arg(manifest).arg("--data").arg(data).args(["--send", "-", "--keep"]);
        let mut run = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot run {}", theater.display()))?;
        let pipes = run.stdin.take().zip(run.stdout.take());
        let (requests, answers) = pipes.context("the command line runs without pipes")?;
        let answers = BufReader::new(answers);
        Ok(Self { theater: theater.to_owned(), data: data.to_owned(), log: log.to_owned(), run, requests, answers })
    }

    /// Sends one request and waits for its answer.
    pub(crate) fn ask(&mut self, line: &str) -> Result<String> {
        let mut answer = String::new();
        let asked = writeln!(self.requests, "{line}").and_then(|()| self.requests.flush());
        if asked.is_err() || self.answers.read_line(&mut answer)? == 0 {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            bail!("the tree ended in the middle of the requests; it said:\n{said}");
        }
        Ok(answer.trim_end().to_owned())
    }

    /// As [`Session::ask`], for an answer in JSON.
    pub(crate) fn ask_json<T: DeserializeOwned>(&mut self, line: &str) -> Result<T> {
        let answer = self.ask(line)?;
        serde_json::from_str(&answer).with_context(|| format!("{line}: the answer is not as it should be: {answer:?}"))
    }

    /// What a command says about the record of this run.
    pub(crate) fn look(&self, args: &[&str]) -> Result<String> {
        let output = Command::new(&self.theater).args(args).arg("--data").arg(&self.data).output()?;
        if !output.status.success() {
            bail!("`theater {}` says no: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Asks the tree to stop, as a terminal or a service manager does, and waits until it has.
    pub(crate) fn terminate(mut self) -> Result<ExitStatus> {
        let id = i32::try_from(self.run.id()).ok().and_then(Pid::from_raw).context("the run has no process id")?;
        kill_process(id, Signal::TERM).context("cannot signal the run")?;
        Ok(self.run.wait()?)
    }
}
