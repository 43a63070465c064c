//! A disk that fails, a folder that cannot be written, and kills at each thing that is asked of the
//! disk: by strace and mount namespaces, where the machine has them.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::tool::Place;

const RUN: [&str; 4] = ["run", "counter.toml", "--send", "requests"];

/// A counter, with three requests for it.
fn counter() -> Place {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\n".repeat(3));
    place
}

/// The program, begun by another one; `None` where the machine does not let that one do its work.
fn under(place: &Place, by: &[&str], args: &[&str]) -> Option<Output> {
    let command = |program: &str| {
        let mut command = Command::new(by[0]);
        command.args(&by[1..]).arg(program).current_dir(place.path()).stdin(Stdio::null());
        command.env("XDG_CACHE_HOME", &place.cache).env_remove("THEATER_LOG").env_remove("RUST_BACKTRACE");
        command
    };
    if !command("true").output().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: {} does not work here, so this was not looked at", by[0]);
        return None;
    }
    Some(command(env!("CARGO_BIN_EXE_theater")).args(args).output().unwrap())
}

/// The program, with something injected into these calls of the system.
fn injected(place: &Place, calls: &str, what: &str) -> Option<Output> {
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{what}"));
    under(place, &["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject], &RUN)
}

fn numbers(output: &[u8]) -> Vec<u64> {
    // A line that the kill cut off is no answer.
    let text = String::from_utf8_lossy(output);
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(|line| line.parse().unwrap()).collect()
}

#[test]
fn a_sync_that_fails_is_waited_out_or_said() {
    let place = counter();
    place.yes(&RUN);
    // Never, from the first one on: nothing runs, and why is one sentence.
    let Some(output) = injected(&place, "fsync,fdatasync", "error=EIO:when=1+") else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("error: the store cannot be used: ") && said.lines().count() == 1, "{said}");
    // For a while, in the midst: nothing is answered that is not on the disk, and then it goes on.
    let Some(output) = injected(&place, "fsync,fdatasync", "error=EIO:when=2..4") else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(numbers(&output.stdout), [4, 5, 6]);
    assert!(place.yes(&["state", "counter"]).contains("6"));
    place.yes(&["verify"]);
}

/// Kills a run at the n-th such call, for each `step`-th n, until there are no more.
fn kill_at_each(calls: &str, step: usize, is_fresh: bool) {
    let mut kills = 0;
    for n in (1..).step_by(step) {
        let place = counter();
        let before = if is_fresh { 0 } else { numbers(place.yes(&RUN).as_bytes()).len() as u64 };
        let Some(output) = injected(&place, calls, &format!("signal=KILL:when={n}")) else { return };
        let what = format!("{calls} {n}, fresh: {is_fresh}, {}", String::from_utf8_lossy(&output.stderr));
        let was_killed = !output.status.success();
        kills += usize::from(was_killed);
        let acknowledged = numbers(&output.stdout).last().copied().unwrap_or(before);
        // It can be read as it is, once there is something.
        if acknowledged > 0 {
            place.yes(&["verify"]);
        }
        // And it goes on: what was accepted is counted, and nothing twice.
        let again = place.theater(&RUN);
        assert_eq!(again.status, Some(0), "{what}: {again:?}");
        let answers = numbers(again.out.as_bytes());
        assert!(answers.len() == 3 && answers[0] > acknowledged && answers[0] <= before + 4, "{what}: {answers:?}");
        place.yes(&["verify"]);
        if !was_killed {
            break;
        }
    }
    assert!(kills > 0, "no {calls} was looked at");
}

#[test]
fn killed_at_each_sync_it_loses_nothing() {
    kill_at_each("fsync,fdatasync", 1, false);
}

#[test]
fn killed_at_each_sync_of_the_first_run_it_starts_again() {
    kill_at_each("fsync,fdatasync", 1, true);
}

#[test]
fn killed_at_writes_it_loses_nothing() {
    kill_at_each("pwrite64", 9, false);
}

#[test]
fn killed_at_writes_of_the_first_run_it_starts_again() {
    kill_at_each("pwrite64", 29, true);
}

#[test]
fn a_folder_that_cannot_be_written_is_read_all_the_same() {
    let place = counter();
    place.yes(&RUN);
    // As a mount of its own, which even root cannot write to.
    let mounted = "mount --bind . . && mount -o remount,ro,bind \"$PWD\" && cd \"$PWD\" && exec \"$0\" \"$@\"";
    let read_only = ["unshare", "-rm", "sh", "-c", mounted];
    for args in [&["verify"][..], &["tree"], &["state", "counter"], &["events", "counter"]] {
        let Some(output) = under(&place, &read_only, args) else { return };
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), place.yes(args), "{args:?}");
    }
    let Some(output) = under(&place, &read_only, &RUN) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("Read-only file system"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    // What stands in the log of the database alone cannot be told there, and that is said.
    fs::remove_file(place.path().join(".theater/theater.db-shm")).unwrap();
    fs::write(place.path().join(".theater/theater.db-wal"), [0; 64]).unwrap();
    let Some(output) = under(&place, &read_only, &["verify"]) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("look at a copy of the folder"), "{said}");
}

#[test]
fn what_is_in_the_place_of_the_folder_is_said() {
    let place = counter();
    place.write(".theater", "");
    let said = place.theater(&RUN);
    assert!(said.status == Some(2) && said.err.contains("cannot create ./.theater: File exists"), "{said:?}");
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
}
