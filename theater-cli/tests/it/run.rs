//! `theater run`.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::tool::{Place, is_there};

#[test]
fn each_line_is_a_request_and_each_answer_a_line() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\nadd 5\nnonsense\n\nget");
    let said = place.theater(&["run", "counter.toml", "--send", "requests"]);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "1\n6\n\n\n6\n"), "{said:?}");
    assert!(said.err.contains("line 3: unknown request"), "{said:?}");
    assert!(said.err.contains("line 4: unknown request"), "{said:?}");
}

#[test]
fn with_json_answers_are_base64() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\nnonsense\nadd 41\n");
    let out = place.yes(&["run", "counter.toml", "--json", "--send", "requests"]);
    assert_eq!(out, format!("{}\n\n{}\n", STANDARD.encode("1"), STANDARD.encode("42")));
}

#[test]
fn requests_are_numbered_by_their_lines_under_a_source_of_the_run() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\ninc\n");
    place.yes(&["run", "counter.toml", "--send", "requests"]);
    let accepted = place.events(&["counter", "--type", "message_accepted"]);
    let numbers: Vec<_> = accepted.iter().map(|event| event["data"]["n"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
    let source = accepted[0]["data"]["source"].as_str().unwrap();
    assert!(source.starts_with("cli-") && source == accepted[1]["data"]["source"], "{accepted:?}");
}

#[test]
fn one_way_messages_are_all_processed_before_the_tree_stops() {
    let place = Place::with(&["rogue"]);
    place.write("messages", "spin 1000\n".repeat(3_000));
    let out = place.yes(&["run", "rogue.toml", "--send", "messages", "--as-send"]);
    assert_eq!(out, "");
    assert_eq!(place.events(&["rogue", "--type", "dead_letter"]), [] as [serde_json::Value; 0]);
    assert_eq!(place.json(&["tree", "--json"])["status"], "stopped");
    let state: serde_json::Value = serde_json::from_str(&place.yes(&["state", "rogue"])).unwrap();
    assert_eq!(state["calls"], 3_000);
}

#[test]
fn a_root_that_fails_is_a_no_and_one_that_ends_well_a_yes() {
    let place = Place::with(&["rogue"]);
    place.write("crash", "calls\npanic\n");
    let said = place.theater(&["run", "rogue.toml", "--send", "crash", "--data", "a"]);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(said.out.starts_with("0\n\n"), "{said:?}");
    assert!(said.err.contains("told to panic"), "{said:?}");
    assert_eq!(place.json(&["tree", "--json", "--data", "a"])["status"], "failed");

    place.write("end", "shutdown bye\n");
    let said = place.theater(&["run", "rogue.toml", "--send", "end", "--keep", "--data", "b"]);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "done\n"), "{said:?}");
    assert!(said.err.contains("rogue ended with: bye"), "{said:?}");
}

#[test]
fn a_root_whose_init_fails_is_a_no_and_one_that_declines_a_yes() {
    let place = Place::with(&["rogue"]);
    let manifest = std::fs::read_to_string(place.path().join("rogue.toml")).unwrap();
    place.write("rogue.toml", format!("init_state = \"told\"\n{manifest}"));
    place.write("told", "err");
    let said = place.theater(&["run", "rogue.toml", "--data", "a"]);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(said.err.contains("told to fail in init"), "{said:?}");
    place.write("told", "decline");
    let said = place.theater(&["run", "rogue.toml", "--data", "b"]);
    assert_eq!(said.status, Some(0), "{said:?}");
}

#[test]
fn a_folder_that_holds_a_tree_is_resumed() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\n");
    let send = ["run", "counter.toml", "--send", "requests"];
    assert_eq!(place.yes(&send), "1\n");
    let said = place.theater(&send);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "2\n"), "{said:?}");
    assert!(said.err.contains("resuming counter") && said.err.contains("was stopped"), "{said:?}");
    let other = ["run", "counter.toml", "--send", "requests", "--data", "other"];
    assert_eq!(place.yes(&other), "1\n");
    place.yes(&["verify"]);
}

#[test]
fn a_root_that_failed_is_restarted_where_that_is_asked_for() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\ncrash\n");
    let send = ["run", "counter.toml", "--send", "requests", "--keep"];
    assert_eq!(place.theater(&send).status, Some(1));
    let refused = place.theater(&send);
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.err.contains("asked to crash at 1") && refused.err.contains("--restart-failed"), "{refused:?}");
    place.write("requests", "inc\n");
    let again = place.theater(&["run", "counter.toml", "--send", "requests", "--restart-failed"]);
    assert_eq!((again.status, again.out.as_str()), (Some(0), "2\n"), "{again:?}");
    assert!(again.err.contains("restarting counter") && again.err.contains("asked to crash at 1"), "{again:?}");
    place.yes(&["verify"]);
    // Since then it was stopped in order.
    assert_eq!(place.yes(&["run", "counter.toml", "--send", "requests"]), "3\n");
}

#[test]
fn a_folder_in_use_is_refused() {
    let place = Place::with(&["counter"]);
    let mut running = place.start(&["run", "counter.toml", "--send", "-", "--data", "data"]);
    assert_eq!(running.ask("inc"), "1");
    let said = place.theater(&["run", "counter.toml", "--data", "data"]);
    assert_eq!(said.status, Some(2), "{said:?}");
    assert!(said.err.contains("in use by another process"), "{said:?}");
    assert_eq!(running.ask("inc"), "2");
    drop(running.input.take());
    assert!(running.wait().success(), "{}", running.err());
}

#[test]
fn the_folder_and_the_socket_are_the_owners_alone() {
    let place = Place::with(&["counter"]);
    let mut running = place.start(&["run", "counter.toml", "--send", "-"]);
    running.ask("inc");
    let mode = |name: &str| std::fs::metadata(place.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".theater"), mode(".theater/socket")), (0o700, 0o600));
    drop(running.input.take());
    running.wait();
    assert!(!is_there(place.path(), ".theater/socket"));
}

#[test]
fn a_socket_that_a_dead_process_left_is_replaced() {
    let place = Place::with(&["counter"]);
    std::fs::create_dir(place.path().join("data")).unwrap();
    drop(UnixListener::bind(place.path().join("data/socket")).unwrap());
    assert!(is_there(place.path(), "data/socket"));
    let mut running = place.start(&["run", "counter.toml", "--send", "-", "--data", "data"]);
    running.ask("inc");
    assert_eq!(place.json(&["tree", "--json", "--data", "data"])["status"], "running");
}

#[test]
fn a_path_too_long_for_a_socket_is_a_warning() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\n");
    let said = place.theater(&["run", "counter.toml", "--send", "requests", "--data", &"d".repeat(120)]);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "1\n"), "{said:?}");
    assert!(said.err.contains("warning: no socket"), "{said:?}");
}

#[test]
fn a_reader_that_goes_away_ends_the_run_well() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\n".repeat(10_000));
    let mut running = place.start(&["run", "counter.toml", "--send", "requests"]);
    assert_eq!(running.line(), "1");
    running.close_output();
    assert!(running.wait().success(), "{}", running.err());
    place.yes(&["verify"]);
    let answered = place.events(&["counter", "--type", "state_updated"]).len();
    assert!(answered < 10_000, "the run went on to the end");
}

#[test]
fn a_log_line_is_shown_as_its_level_says() {
    let place = Place::with(&["rogue"]);
    place.write("requests", "flood-log 1\n");
    let shown = |args: &[&str]| {
        let args = [&["run", "rogue.toml", "--send", "requests"], args].concat();
        place.theater(&args).err.contains("all work and no play")
    };
    assert!(shown(&["--data", "a"]));
    assert!(!shown(&["--data", "b", "--quiet"]));
}
