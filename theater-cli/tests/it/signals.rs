//! SIGINT and SIGTERM in the middle of the input.

use rustix::process::Signal;

use crate::tool::Place;

#[test]
fn a_signal_stops_the_tree_in_order() {
    for signal in [Signal::INT, Signal::TERM] {
        let place = Place::with(&["counter"]);
        let mut running = place.start(&["run", "counter.toml", "--send", "-"]);
        let answers: Vec<String> = (0..20).map(|_| running.ask("inc")).collect();
        assert_eq!(answers.last().unwrap(), "20");
        running.signal(signal);
        assert!(running.wait().success(), "{}", running.err());
        assert_eq!(place.yes(&["state", "counter"]), r#"{"n":20}"#);
        assert_eq!(place.json(&["tree", "--json"])["status"], "stopped");
        let last = place.events(&["counter"]).pop().unwrap();
        assert_eq!((&last["event_type"], &last["data"]["reason"]), (&"actor_terminated".into(), &"shutdown".into()));
        place.yes(&["verify"]);
    }
}

#[test]
fn a_signal_stops_a_tree_that_takes_no_requests() {
    let place = Place::with(&["relay", "counter"]);
    let mut running = place.start(&["run", "relay.toml", "--send", "-", "--keep"]);
    running.ask("spawn counter.toml");
    drop(running.input.take());
    running.signal(Signal::INT);
    assert!(running.wait().success(), "{}", running.err());
    assert_eq!(place.json(&["tree", "--json"])["children"][0]["status"], "stopped");
}

#[test]
fn a_second_signal_kills_what_does_not_stop() {
    let place = Place::with(&["rogue"]);
    // A guest that spins for longer than the test may take; a stop alone waits for its call.
    let manifest = std::fs::read_to_string(place.path().join("rogue.toml")).unwrap();
    place.write("rogue.toml", format!("{manifest}\n[limits]\ncall_timeout = \"1h\"\n"));
    let mut running = place.start(&["run", "rogue.toml", "--send", "-"]);
    assert_eq!(running.ask("calls"), "0");
    running.send("loop");
    let mut calls = place.start(&["events", "rogue", "--json", "--follow", "--type", "call"]);
    while !calls.line().contains("bG9vcA==") {}
    running.signal(Signal::TERM);
    running.signal(Signal::INT);
    let status = running.wait();
    assert_eq!(status.code(), Some(1), "{}", running.err());
    assert!(running.err().contains("killing"), "{}", running.err());
    assert_eq!(place.json(&["tree", "--json"])["status"], "failed");
    place.yes(&["verify"]);
}
