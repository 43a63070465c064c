//! A process that kills itself (kill -9) at a step of its own, and the process after it.

use std::env;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, getpid, kill_process};

/// Where the process that is to be killed has its store.
const STORE: &str = "THEATER_TESTS_KILLED";

/// The store's folder, in the process that is to be killed.
pub(super) fn is_to_be() -> Option<PathBuf> {
    env::var_os(STORE).map(PathBuf::from)
}

/// Runs the named test in a process of its own, which finds [`is_to_be`] there and is killed.
#[track_caller]
pub(super) fn alone(name: &str, folder: &Path) {
    let mut killed = Command::new(env::current_exe().unwrap());
    killed.args(["--exact", name, "--nocapture"]).env(STORE, folder).env("TMPDIR", folder);
    let output = killed.output().unwrap();
    let said = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.signal(), Some(Signal::KILL.as_raw()), "{}\n{}", said.0, said.1);
}

/// This is the moment.
pub(super) fn now() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("it was killed");
}
