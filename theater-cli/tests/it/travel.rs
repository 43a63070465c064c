//! `fork` and `diff`: going on from a point of a history, and where histories part.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::tool::Place;

fn counter(runs: &[(&str, &str)]) -> Place {
    let place = Place::with(&["counter"]);
    for (dir, requests) in runs {
        place.write("requests", requests);
        place.yes(&["run", "counter.toml", "--data", dir, "--send", "requests"]);
    }
    place
}

#[test]
fn two_runs_are_compared_event_by_event() {
    let runs = [("one", "inc\nadd 4\nget\n"), ("two", "inc\nadd 4\nget\n"), ("three", "inc\nadd 5\nget\n")];
    let place = counter(&runs);
    let same = place.json(&["diff", "counter", "counter", "--data", "one", "--other", "two", "--json"]);
    assert_eq!((&same["same"], &same["parting"]), (&json!(true), &Value::Null), "{same}");

    let parted = place.theater(&["diff", "counter", "counter", "--data", "one", "--other", "three", "--json"]);
    assert_eq!(parted.status, Some(1), "{parted:?}");
    let found: Value = serde_json::from_str(&parted.out).unwrap();
    let parting = &found["parting"];
    assert_eq!((&parting["field"], &parting["a"]["event_type"]), (&json!("params"), &json!("call")), "{found}");
    assert_eq!((&parting["values"]["a"][1], &parting["values"]["b"][1]), (&json!("add 4"), &json!("add 5")));
    assert!(parting["function"].as_str().unwrap().ends_with("#handle-request"), "{found}");
    assert_eq!(parting["after"]["a"], parting["after"]["b"]);

    let text = place.theater(&["diff", "counter", "counter", "--data", "one", "--other", "three"]);
    assert!(text.out.contains("events in common, then they part:"), "{text:?}");
    assert!(text.out.contains("add 4") && text.out.contains("add 5"), "{text:?}");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let place = counter(&[("one", "inc\n")]);
    let unknown = place.theater(&["diff", "counter", "nobody", "--data", "one"]);
    assert_eq!(unknown.status, Some(2), "{unknown:?}");
    assert!(unknown.err.contains("no actor \"nobody\""), "{unknown:?}");
    let nowhere = place.theater(&["diff", "counter", "counter", "--data", "one", "--other", "two"]);
    assert!(nowhere.status == Some(2) && nowhere.err.contains("no record in"), "{nowhere:?}");
}

/// A relay that did as the other one said, and crashed of it.
fn crashed() -> (Place, String, u64) {
    let place = Place::with(&["relay"]);
    let mut running = place.start(&["run", "relay.toml", "--send", "-", "--keep"]);
    let child = running.ask("spawn relay.toml");
    assert_eq!(running.ask(&format!("request {child} say panic")), "noted");
    running.send(&format!("as {child}"));
    assert!(!running.wait().success(), "{}", running.err());
    let root = place.json(&["tree", "--json"])["id"].as_str().unwrap().to_owned();
    let events = place.events(&[&root]);
    let asked = events.iter().rfind(|event| event["data"]["function"] == "request").unwrap();
    assert_eq!(asked["event_type"], "host_call");
    let seq = asked["seq"].as_u64().unwrap();
    (place, root, seq)
}

#[test]
fn a_fork_with_another_answer_does_not_crash_and_runs_on() {
    let (place, root, seq) = crashed();
    let before = place.events(&[&root]);
    let again = place.theater(&["fork", &root, "--at", &seq.to_string()]);
    assert_eq!(again.status, Some(1), "{again:?}");
    assert!(again.out.contains("failed: ") && again.out.contains("told to panic"), "{again:?}");

    let answer = format!("{seq}={{\"ok\":\"ping\"}}");
    let fork = place.json(&["fork", &root, "--answer", &answer, "--json"]);
    assert_eq!((&fork["at"], &fork["call"]["result"]), (&json!(seq), &json!({ "Ok": ["pong"] })), "{fork}");
    let id = fork["id"].as_str().unwrap();
    assert_eq!(place.json(&["state", id, "--json"])["state_hash"], fork["state_hash"]);

    let parted = place.theater(&["diff", &root, id, "--json"]);
    let found: Value = serde_json::from_str(&parted.out).unwrap();
    assert_eq!((parted.status, &found["parting"]["a"]["seq"]), (Some(1), &json!(seq)), "{found}");
    assert_eq!(found["parting"]["values"]["b"], json!([{ "Ok": "ping" }]), "{found}");

    place.write("more", "ping\nlog\n");
    let said = place.theater(&["fork", &root, "--answer", &answer, "--send", "more"]);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "pong\ninit\n"), "{said:?}");
    assert!(said.err.contains("is a fork of relay"), "{said:?}");

    // What was there is as it was, by its name, too.
    assert_eq!(place.events(&["relay"]), before);
    let forks = place.theater(&["events", &format!("relay@{seq}")]);
    assert!(forks.status == Some(2) && forks.err.contains("means 3 actors"), "{forks:?}");
    assert_eq!(place.json(&["verify", "--json"])["ok"], true);
}

#[test]
fn a_fork_that_cannot_be_made_says_why() {
    let (place, root, seq) = crashed();
    let refused = |args: &[&str], says: &[&str]| {
        let said = place.theater(&[&["fork", &root], args].concat());
        assert_eq!((said.status, said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
        for part in says {
            assert!(said.err.contains(part), "{args:?}: {} lacks {part}", said.err);
        }
    };
    let answer = |json: &str| format!("{seq}={json}");
    refused(&["--at", "999"], &["there is no event 999"]);
    refused(
        &["--answer", &answer("{\"ok\":5}")],
        &["result<list<u8>, string>", "{\"ok\":\"text\"}", "at .ok: 5 stands"],
    );
    refused(&["--answer", &answer("{")], &["SEQ=JSON"]);
    refused(&["--answer", "1=null"], &["event 1 cannot get another answer"]);
    place.write("fixed.wasm", "no component");
    refused(&["--at", "1", "--component", "fixed.wasm"], &["fixed.wasm"]);
    refused(&["--at", "1", "--component", "none.wasm"], &["none.wasm cannot be read"]);
    assert_eq!(place.theater(&["fork", &root]).status, Some(2));
    assert_eq!(place.yes(&["tree", "--json"]).lines().count(), 1);
}

#[test]
fn a_fork_keeps_out_of_the_way_of_its_tree() {
    let place = counter(&[(".theater", "inc\ninc\n")]);
    let mut fork = place.start(&["fork", "counter", "--at", "3", "--keep"]);
    assert!(fork.line().contains("is a fork of counter"));
    // Killed, it is not what the folder's run goes on with.
    fork.signal(Signal::KILL);
    fork.wait();
    let mut run = place.start(&["run", "counter.toml", "--send", "-"]);
    assert_eq!(run.ask("inc"), "3");
    let refused = place.theater(&["fork", "counter", "--at", "3"]);
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.err.contains("a tree runs in .theater"), "{refused:?}");
    drop(run.input.take());
    assert!(run.wait().success(), "{}", run.err());
    assert!(run.err().contains("resuming counter") && run.err().contains("which was stopped"), "{}", run.err());
    assert_eq!(place.json(&["verify", "--json"])["ok"], true);
}

/// A large state that another one followed is not in the record: it is said how to see it, and a fork
/// makes it again.
#[test]
fn a_fork_begins_with_a_state_that_is_not_kept() {
    let place = Place::with(&["rogue"]);
    place.write("requests", "big-state 9000\ncalls\ncalls\ncalls\n");
    place.yes(&["run", "rogue.toml", "--send", "requests"]);
    let updates = place.events(&["rogue", "--type", "state_updated"]);
    let seq = updates[2]["seq"].as_u64().unwrap();
    let state = place.theater(&["state", "rogue", "--at", &seq.to_string()]);
    assert_eq!(state.status, Some(2), "{state:?}");
    assert!(state.err.contains(&format!("`theater replay rogue --until {seq}`")), "{state:?}");
    assert!(place.yes(&["state", "rogue"]).contains("\"calls\":4"));
    let report = place.json(&["verify", "--json"]);
    assert_eq!(report["actors"][0]["thinned"], 3, "{report}");
    place.yes(&["replay", "rogue", "--until", &seq.to_string()]);
    place.write("more", "calls\n");
    // Between two calls, and in the middle of the next one, which begins again.
    for (at, calls) in [(seq, "2"), (seq + 2, "3")] {
        let fork = place.theater(&["fork", "rogue", "--at", &at.to_string(), "--send", "more"]);
        assert!(fork.status == Some(0) && fork.out.contains(calls), "at {at}: {fork:?}");
    }
    place.yes(&["verify"]);
}

#[test]
fn a_fork_that_was_killed_does_not_go_on_with_the_tree() {
    let place = Place::with(&["counter"]);
    let mut running = place.start(&["run", "counter.toml", "--send", "-", "--keep"]);
    assert_eq!(running.ask("inc"), "1");
    running.signal(Signal::KILL);
    running.wait();
    let root = place.json(&["tree", "--json"])["id"].as_str().unwrap().to_owned();
    let at = (place.events(&[&root]).len() - 1).to_string();
    let mut fork = place.start(&["fork", &root, "--at", &at, "--send", "-", "--keep"]);
    assert_eq!(fork.ask("add 9"), "10");
    fork.signal(Signal::KILL);
    fork.wait();
    let name = format!("counter@{at}");
    let before = place.events(&[&name]);
    place.write("requests", "inc\nget\n");
    assert_eq!(place.yes(&["run", "counter.toml", "--send", "requests"]), "2\n2\n");
    assert_eq!(place.events(&[&name]), before);
    // The tree was stopped, and goes on without it, too.
    assert_eq!(place.yes(&["run", "counter.toml", "--send", "requests"]), "3\n3\n");
    assert_eq!(place.events(&[&name]), before);
    place.yes(&["verify"]);
    place.yes(&["replay", &name]);
    let again = place.json(&["fork", &name, "--at", &(before.len() - 1).to_string(), "--json"]);
    assert_eq!(again["of"].as_str(), before[0]["actor_id"].as_str());
}
