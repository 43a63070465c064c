//! `erase`: a message of a tree that ran.

use std::fs;

use rustix::process::Signal;

use crate::tool::Place;

fn is_anywhere(place: &Place, text: &str) -> bool {
    fs::read_dir(place.path().join(".theater")).unwrap().any(|file| {
        let bytes = fs::read(file.unwrap().path()).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn a_message_is_erased_and_the_record_verifies_and_says_so() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\nadd 12345678\n");
    let mut running = place.start(&["run", "counter.toml", "--send", "requests", "--keep"]);
    running.line();
    running.line();
    let event = place.events(&["counter", "--type", "message_accepted"]).pop().unwrap();
    let commit = event["payload_commit"].as_str().unwrap().to_owned();
    let refused = place.theater(&["erase", "--payload", &commit, "--why", "asked for"]);
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.err.contains("is in use by another process"), "{refused:?}");
    running.signal(Signal::TERM);
    running.wait();

    // "add 12345678", as the request has it.
    assert!(is_anywhere(&place, "add 12345678"));
    let erased = place.json(&["erase", "--payload", &commit, "--why", "asked for", "--json"]);
    let events = erased["events"].as_array().unwrap();
    let types: Vec<_> = events.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["message_accepted", "call"]);
    assert_eq!(erased["states"].as_array().unwrap().len(), 1);
    assert!(!is_anywhere(&place, "add 12345678"));
    let report = place.json(&["verify", "--json"]);
    assert_eq!(report["ok"], true);
    assert!(report["unchecked"].to_string().contains("payloads that were erased"), "{report}");
    let said = place.events(&["counter", "--type", "payload_erased"]).pop().unwrap();
    assert_eq!(said["data"]["why"], "asked for");
    assert_eq!(said["data"]["payload_commit"], commit.as_str());
    // What was erased stays so in a bundle.
    place.yes(&["export", "counter", "counter.theater"]);
    assert!(!fs::read_to_string(place.path().join("counter.theater")).unwrap_or_default().contains("add 12345678"));
    let copy = place.events(&["counter", "--data", "counter.theater", "--type", "call"]);
    assert_eq!(copy.last().unwrap()["erased"], true);

    let unknown = place.theater(&["erase", "--payload", &"ab".repeat(32), "--why", "x"]);
    assert_eq!(unknown.status, Some(1), "{unknown:?}");
    assert!(unknown.err.contains("no event of the record has a payload"), "{unknown:?}");
}
