//! `theater upgrade`: on a running tree, on a stopped one, refused, and back.

use rustix::process::Signal;

use crate::tool::{Place, Said};

fn tally() -> Place {
    let place = Place::with(&["tally"]);
    for name in ["tally-next", "tally-faulty"] {
        let bytes = std::fs::read(theater_build::testing::component(name)).unwrap();
        place.write(&format!("{name}.wasm"), bytes);
    }
    place
}

#[track_caller]
fn says(said: &Said, status: i32, parts: &[&str]) {
    assert_eq!(said.status, Some(status), "{said:?}");
    let text = if status == 0 { &said.out } else { &said.err };
    for part in parts {
        assert!(text.contains(part), "no {part:?}: {said:?}");
    }
}

#[test]
fn a_running_actor_is_upgraded_and_goes_back() {
    let place = tally();
    let mut running = place.start(&["run", "tally.toml", "--send", "-", "--keep"]);
    assert_eq!([running.ask("add 40"), running.ask("add 2")], ["40", "42"]);
    let said = place.theater(&["upgrade", "tally", "tally-next.wasm", "--version", "0.2.0"]);
    says(
        &said,
        0,
        &["upgraded tally", "from version 0.1.0 to 0.2.0", "was migrated", "3 of its last calls", "did the same"],
    );
    assert_eq!([running.ask("add 8"), running.ask("mean"), running.ask("from")], ["50", "50", "0.1.0"]);
    says(&place.theater(&["upgrade", "tally", "tally-next.wasm"]), 1, &["runs component", "already"]);
    let back = place.json(&["upgrade", "tally", "--rollback", "--json"]);
    assert_eq!((&back["new_version"], &back["migrated"]), (&"0.1.0".into(), &false.into()));
    assert_eq!(running.ask("get"), "42");
    says(&place.theater(&["upgrade", "tally", "--rollback"]), 1, &["no upgrade that was not taken back"]);
    running.signal(Signal::TERM);
    assert!(running.wait().success(), "{}", running.err());
    place.yes(&["verify"]);
    place.yes(&["replay", "tally"]);
}

#[test]
fn a_stopped_actor_is_upgraded_for_its_next_start() {
    let place = tally();
    place.write("requests", "add 40\nadd 2\n");
    place.yes(&["run", "tally.toml", "--send", "requests"]);
    let upgraded = place.json(&["upgrade", "tally", "tally-next.wasm", "--version", "0.2.0", "--json"]);
    assert_eq!((&upgraded["migrated"], &upgraded["checked"]["calls"]), (&true.into(), &3.into()));
    place.yes(&["verify"]);
    let state = place.yes(&["state", "tally"]);
    assert_eq!(state.trim(), r#"{"sum":42,"additions":0,"from":"0.1.0"}"#);
    place.write("requests", "add 8\nmean\n");
    assert_eq!(place.yes(&["run", "tally.toml", "--send", "requests"]), "50\n50\n");
    says(&place.theater(&["upgrade", "tally", "--rollback"]), 0, &["went back from version 0.2.0 to 0.1.0"]);
    place.write("requests", "get\n");
    assert_eq!(place.yes(&["run", "tally.toml", "--send", "requests"]), "42\n");
    place.yes(&["verify"]);
    place.yes(&["replay", "tally"]);
}

#[test]
fn a_component_that_does_something_else_or_fails_is_refused() {
    let place = tally();
    let mut running = place.start(&["run", "tally.toml", "--send", "-", "--keep"]);
    assert_eq!([running.ask("add 20"), running.ask("add 22"), running.ask("get")], ["20", "42", "42"]);
    let faulty = ["upgrade", "tally", "tally-faulty.wasm", "--version", "2"];
    says(&place.theater(&faulty), 1, &["does something else than the old one did", "handle-request"]);
    // It adds twice, and then 62 is over nothing: it is let pass where that is allowed.
    says(&place.theater(&[&faulty[..], &["--allow-divergence"]].concat()), 0, &["its last calls do something else"]);
    place.yes(&["upgrade", "tally", "--rollback"]);
    assert_eq!(running.ask("get"), "42");
    for (file, parts) in [("nothing.wasm", "cannot read nothing.wasm"), ("tally.toml", "not a WebAssembly file")] {
        let said = place.theater(&["upgrade", "tally", file]);
        assert!(said.err.contains(parts) && said.status != Some(0), "{said:?}");
    }
    says(&place.theater(&["upgrade", "nobody", "tally-next.wasm"]), 2, &["no actor \"nobody\""]);
    assert_eq!(running.ask("get"), "42");
}

#[test]
fn a_killed_run_resumes_with_the_component_of_the_upgrade() {
    let place = tally();
    let mut running = place.start(&["run", "tally.toml", "--send", "-", "--keep"]);
    assert_eq!(running.ask("add 42"), "42");
    place.yes(&["upgrade", "tally", "tally-next.wasm", "--version", "0.2.0"]);
    running.signal(Signal::KILL);
    running.wait();
    let mut running = place.start(&["run", "tally.toml", "--send", "-", "--keep"]);
    assert_eq!(running.ask("from"), "0.1.0");
    running.signal(Signal::KILL);
    running.wait();
    place.yes(&["upgrade", "tally", "--rollback"]);
    place.write("requests", "get\n");
    assert_eq!(place.yes(&["run", "tally.toml", "--send", "requests"]), "42\n");
    place.yes(&["verify"]);
    place.yes(&["replay", "tally"]);
}
