//! The program as its user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use theater_build::{Options, build_guest};

fn custom_runtime(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_custom-runtime")).current_dir(folder).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn it_runs_an_actor_that_uses_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../third-party-handler/guest");
    let options = Options {
        target_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest-build")),
        component: Some(folder.path().join("sleeper.wasm")),
        quiet: true,
    };
    build_guest(&guest, &options).unwrap();
    std::fs::copy(guest.join("sleeper.toml"), folder.path().join("sleeper.toml")).unwrap();

    // There is nothing to send: the tree stops when the input has ended, and by then init has run.
    std::fs::write(folder.path().join("nothing"), "").unwrap();
    let run = custom_runtime(folder.path(), &["run", "sleeper.toml", "--send", "nothing"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let state = custom_runtime(folder.path(), &["state", "sleeper"]);
    assert!(text(&state.stdout).contains("slept_ms"), "{}", text(&state.stderr));
    let verify = custom_runtime(folder.path(), &["verify"]);
    assert!(verify.status.success(), "{}", text(&verify.stderr));
}

#[test]
fn it_says_which_handlers_it_has_not() {
    let folder = tempfile::tempdir().unwrap();
    theater_build::testing::stage(folder.path(), &["rogue"]);
    let run = custom_runtime(folder.path(), &["run", "rogue.toml"]);
    let said = text(&run.stderr);
    assert!(!run.status.success() && said.contains("supervisor") && said.contains("acme-clock"), "{said}");
}
