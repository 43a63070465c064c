//! `tree`, `events`, `state`, `verify` and `inspect`: while a tree runs, and afterwards.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde_json::{Value, json};
use theater::Digest;

use crate::tool::Place;

/// A relay that has started three counters below it, with its record.
fn family() -> Place {
    let place = Place::with(&["relay", "counter"]);
    place.write("requests", "spawn counter.toml\n".repeat(3));
    place.yes(&["run", "relay.toml", "--send", "requests"]);
    place
}

fn ids(tree: &Value) -> Vec<String> {
    let children = tree["children"].as_array().unwrap();
    children.iter().map(|child| child["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_tree_is_told_live_and_from_the_chains() {
    let place = Place::with(&["relay", "counter"]);
    let mut running = place.start(&["run", "relay.toml", "--send", "-", "--keep"]);
    let children: Vec<String> = (0..3).map(|_| running.ask("spawn counter.toml")).collect();
    running.ask(&format!("restart {}", children[1]));

    let live = place.theater(&["tree", "--json"]);
    assert_eq!(live.err, "");
    let live: Value = serde_json::from_str(&live.out).unwrap();
    assert_eq!(ids(&live), children);
    let second = json!({
        "id": children[1], "name": "counter", "spec_id": null, "status": "running", "parked": false, "incarnation": 2, "restarts": 1,
        "strategy": null, "budget": null, "backoff_left_ms": null, "quarantined": [], "last_error": null,
        "last_decision": null, "restart_rate_per_min": 1, "transition_rate_per_min": 2, "escalations": 0,
        "children": [],
    });
    assert_eq!(live["children"][1], second);
    assert_eq!((&live["name"], &live["status"]), (&json!("relay"), &json!("running")));

    running.signal(Signal::TERM);
    assert!(running.wait().success(), "{}", running.err());
    let after = place.theater(&["tree", "--json"]);
    assert!(after.err.contains("this is what the chains say"), "{after:?}");
    let after: Value = serde_json::from_str(&after.out).unwrap();
    assert_eq!(ids(&after), children);
    for kept in ["restart_rate_per_min", "transition_rate_per_min", "last_error", "last_decision"] {
        assert_eq!(after["children"][1][kept], live["children"][1][kept], "{kept}");
    }
    assert_eq!(after["children"][1]["incarnation"], 2);
    assert_eq!(after["children"][1]["status"], "stopped");

    let text = place.yes(&["tree"]);
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.lines().nth(2).unwrap().contains("├─ counter"), "{text}");
    assert!(text.contains("stopped, incarnation 2 (1 restart)"), "{text}");
}

#[test]
fn an_actor_is_named_by_id_prefix_or_path() {
    let place = family();
    let children = ids(&place.json(&["tree", "--json"]));
    let by_id = place.events(&[&children[0]]);
    assert_eq!(by_id[0]["actor_id"], children[0].as_str());
    let prefix = (1..=32).map(|len| &children[0][..len]).find(|prefix| {
        let others = place.json(&["tree", "--json"]);
        ids(&others)
            .iter()
            .chain([&others["id"].as_str().unwrap().to_owned()])
            .filter(|id| id.starts_with(prefix))
            .count()
            == 1
    });
    assert_eq!(place.events(&[prefix.unwrap()]), by_id);
    assert_eq!(place.events(&["relay"])[0]["data"]["parent"], Value::Null);

    let ambiguous = place.theater(&["events", "relay/counter"]);
    assert_eq!(ambiguous.status, Some(2));
    for child in &children {
        assert!(ambiguous.err.contains(child.as_str()), "{ambiguous:?}");
    }
    let unknown = place.theater(&["state", "relay/nobody"]);
    assert_eq!((unknown.status, unknown.out.as_str()), (Some(2), ""));
    assert!(unknown.err.starts_with("error: no actor \"relay/nobody\""), "{unknown:?}");
}

#[test]
fn events_have_the_published_shape_and_link() {
    let place = family();
    let events = place.events(&["relay"]);
    let mut parent = Digest::ZERO.to_string();
    for (seq, event) in events.iter().enumerate() {
        let keys: Vec<_> = event.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.join(" "), "actor_id seq hash parent_hash event_type timestamp data erased payload_commit");
        assert_eq!((event["seq"].as_u64(), &event["parent_hash"]), (Some(seq as u64), &json!(parent)));
        parent = event["hash"].as_str().unwrap().to_owned();
    }
    let calls = place.events(&["relay", "--type", "call"]);
    assert_eq!(calls.len(), 4, "init and three requests");
    assert!(calls.iter().all(|call| call["event_type"] == "call"));
    let text = place.yes(&["events", "relay"]);
    assert_eq!(text.lines().count(), events.len());
    assert!(text.contains(r#""spawn counter.toml""#), "{text}");
    let unknown = place.theater(&["events", "relay", "--type", "cal"]);
    assert!(unknown.err.contains("state_updated"), "{unknown:?}");
}

#[test]
fn followed_events_come_to_the_last() {
    let place = Place::with(&["counter"]);
    let mut running = place.start(&["run", "counter.toml", "--send", "-", "--keep"]);
    running.ask("inc");
    let mut following = place.start(&["events", "counter", "--json", "--follow", "--type", "state_updated"]);
    assert_eq!(running.ask("inc"), "2");
    assert_eq!(running.ask("inc"), "3");
    let results: Vec<String> = (0..4).map(|_| following.line()).collect();
    let result = |line: &String| serde_json::from_str::<Value>(line).unwrap()["data"]["result"].clone();
    assert_eq!(result(&results[3]), json!({ "Ok": [STANDARD.encode("3")] }));
    running.signal(Signal::TERM);
    assert!(running.wait().success(), "{}", running.err());
    assert_eq!(following.try_line(), None);
    assert!(following.wait().success(), "{}", following.err());

    let late = place.theater(&["events", "counter", "--follow"]);
    assert_eq!(late.status, Some(0));
    assert!(late.out.contains("actor_terminated"), "{late:?}");
    assert!(late.err.contains("nothing follows"), "{late:?}");
}

#[test]
fn the_state_is_that_after_any_event() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\ninc\nget\n");
    place.yes(&["run", "counter.toml", "--send", "requests"]);
    assert_eq!(place.yes(&["state", "counter"]), r#"{"n":2}"#);
    let updates = place.events(&["counter", "--type", "state_updated"]);
    let first = updates[1]["seq"].as_u64().unwrap();
    assert_eq!(place.yes(&["state", "counter", "--at", &first.to_string()]), r#"{"n":1}"#);
    assert_eq!(place.yes(&["state", "counter", "--at", &(first - 1).to_string()]), r#"{"n":0}"#);
    let json = place.json(&["state", "counter", "--json", "--at", &first.to_string()]);
    assert_eq!(json["state"], STANDARD.encode(r#"{"n":1}"#));
    assert_eq!(json["state_hash"], Digest::of(br#"{"n":1}"#).to_string());
    assert_eq!(place.json(&["state", "counter", "--json", "--at", "0"])["state"], Value::Null);
    let beyond = place.theater(&["state", "counter", "--at", "1000"]);
    assert_eq!(beyond.status, Some(2));
    assert!(beyond.err.contains("no event 1000"), "{beyond:?}");
}

#[test]
fn verify_says_yes_while_it_runs_and_afterwards() {
    let place = Place::with(&["counter"]);
    let mut running = place.start(&["run", "counter.toml", "--send", "-"]);
    for n in 1..=5 {
        assert_eq!(running.ask("inc"), n.to_string());
        assert_eq!(place.json(&["verify", "--json"])["ok"], true);
    }
    drop(running.input.take());
    running.wait();
    let report = place.json(&["verify", "--json"]);
    let tree = place.json(&["tree", "--json"]);
    let last = place.events(&["counter"]).pop().unwrap();
    let events = last["seq"].as_u64().unwrap() + 1;
    let actor = json!({ "id": tree["id"], "events": events, "head": last["hash"], "ok": true, "signed": last["seq"] });
    assert_eq!((&report["ok"], &report["actors"]), (&json!(true), &json!([actor])));
    let said = report["unchecked"].as_array().unwrap();
    assert!(said.len() == 1 && said[0].as_str().unwrap().contains("nothing proves that this is the end"), "{report}");
    assert_eq!(report["log"]["checkpoints"][0]["key"], "given");
    assert_eq!(place.json(&["verify", "counter", "--json", "--level", "links"])["ok"], true);
    let text = place.yes(&["verify"]);
    assert!(text.contains(&format!("the chain verifies (full): {events} events")), "{text}");
}

#[test]
fn verify_says_no_and_where_after_one_byte_was_changed() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\n".repeat(5));
    place.yes(&["run", "counter.toml", "--send", "requests"]);
    let event = place.events(&["counter", "--type", "call"])[3].clone();
    // The run has ended and left all in the database file; the text stands there as it is.
    let database = place.path().join(".theater/theater.db");
    let mut bytes = std::fs::read(&database).unwrap();
    let id = event["data"]["message_id"].as_str().unwrap();
    let found: Vec<usize> =
        bytes.windows(id.len()).enumerate().filter(|(_, w)| *w == id.as_bytes()).map(|(at, _)| at).collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at + 5] ^= 1;
    }
    std::fs::write(&database, bytes).unwrap();
    let said = place.theater(&["verify", "--json"]);
    assert_eq!(said.status, Some(1), "{said:?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&report["ok"], &report["actors"][0]["ok"]), (&json!(false), &json!(false)));
    assert!(report["actors"][0]["fault"]["seq"].as_u64().unwrap() <= event["seq"].as_u64().unwrap(), "{report}");
    let said = place.theater(&["verify"]);
    assert_eq!(said.status, Some(1));
    assert!(said.out.contains("FAULT  counter"), "{said:?}");
}

#[test]
fn inspect_tells_what_a_component_needs() {
    let place = Place::with(&["counter", "relay"]);
    let json = place.json(&["inspect", "counter.wasm", "--json"]);
    assert_eq!(json["handlers"], json!(["runtime", "message-server"]));
    assert_eq!(json["missing"], json!([]));
    let bytes = std::fs::read(place.path().join("counter.wasm")).unwrap();
    assert_eq!(json["digest"], Digest::of(&bytes).to_string());
    let exports: Vec<_> = json["exports"].as_array().unwrap().iter().map(|export| &export["interface"]).collect();
    assert!(exports.contains(&&json!("theater:simple/actor@0.1.0")), "{json}");
    let text = place.yes(&["inspect", "relay.wasm"]);
    for part in ["theater:simple/supervisor@0.1.0", "handler `supervisor`", "[[handlers]]\ntype = \"supervisor\""] {
        assert!(text.contains(part), "{text}");
    }
}
