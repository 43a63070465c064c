//! `theater replay`.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::tool::Place;

/// A counter that has counted and crashed, below nobody.
fn crashed() -> Place {
    let place = Place::with(&["counter", "relay"]);
    place.write("requests", "inc\nadd 4\nget\ncrash\n");
    place.theater(&["run", "counter.toml", "--send", "requests"]);
    place
}

#[test]
fn a_crash_is_replayed_and_named() {
    let place = crashed();
    let text = place.yes(&["replay", "counter"]);
    assert!(text.starts_with("ok        counter"), "{text}");
    assert!(text.contains("5 calls in"), "{text}");
    assert!(text.contains("trap unreachable") && text.contains("asked to crash at 5"), "{text}");
    assert!(text.contains("      in ") && text.contains("handle-request"), "{text}");
    let json = place.json(&["replay", "counter", "--json"]);
    assert_eq!((&json["ok"], &json["replayed"], &json["environmental"]), (&json!(true), &json!(5), &json!(0)));
    assert_eq!(json.get("diverged"), None);
    assert_eq!(json["actors"][0]["failure"]["function"].as_str().unwrap().split('#').nth(1), Some("handle-request"));
}

#[test]
fn a_point_in_the_past_has_its_state_and_the_next_call() {
    let place = crashed();
    let events = place.events(&["counter"]);
    let updates: Vec<_> = events.iter().filter(|event| event["event_type"] == "state_updated").collect();
    let first = updates[1]["seq"].to_string(); // `inc`, after init
    let json = place.json(&["replay", "counter", "--until", &first, "--json"]);
    assert_eq!(STANDARD.decode(json["state"]["bytes"].as_str().unwrap()).unwrap(), b"{\"n\":1}");
    let next =
        events.iter().find(|event| event["event_type"] == "call" && event["seq"].as_u64() > updates[1]["seq"].as_u64());
    assert_eq!(json["next"]["seq"], next.unwrap()["seq"]);
    assert!(json["next"]["params"].as_str().unwrap().starts_with("(\"cli-"), "{json}");
    let text = place.yes(&["replay", "counter", "--until", &first]);
    assert!(text.contains("{\"n\":1}") && text.contains("next call, event"), "{text}");

    let none = place.theater(&["replay", "counter", "--until", "9999"]);
    assert_eq!(none.status, Some(2));
    assert!(none.err.contains("has no event 9999"), "{none:?}");
}

#[test]
fn another_component_is_judged() {
    let place = crashed();
    let same = place.json(&["replay", "counter", "--against", "counter.wasm", "--json"]);
    assert_eq!(same["verdict"], "compatible");
    let other = place.theater(&["replay", "counter", "--against", "relay.wasm", "--json"]);
    assert_eq!(other.status, Some(1));
    let other: Value = serde_json::from_str(&other.out).unwrap();
    assert_eq!((&other["ok"], &other["verdict"]), (&json!(false), &json!("needs-other-imports")));
    assert!(other["imports"].to_string().contains("message-server-host"), "{other}");
    let text = place.theater(&["replay", "counter", "--against", "relay.wasm"]);
    assert!(text.out.contains("needs other imports"), "{text:?}");
    place.write("broken.wasm", "not wasm");
    let broken = place.theater(&["replay", "counter", "--against", "broken.wasm"]);
    assert_eq!(broken.status, Some(2));
    assert!(broken.err.contains("cannot be compiled"), "{broken:?}");
}

#[test]
fn a_tree_is_replayed_whole() {
    let place = Place::with(&["relay", "counter"]);
    place.write("requests", "spawn counter.toml\n".repeat(3) + "list\nchain\n");
    place.yes(&["run", "relay.toml", "--send", "requests"]);
    let text = place.yes(&["replay", "relay", "--tree"]);
    assert!(text.contains("all 4 actors do again what is recorded"), "{text}");
    let json = place.json(&["replay", "relay", "--tree", "--json"]);
    assert_eq!(json["actors"].as_array().unwrap().len(), 4);
}

/// No socket, and nothing written but the report: looked at with strace, where there is one.
#[test]
fn a_replay_opens_no_socket_and_writes_nothing() {
    let place = crashed();
    let strace = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=%network,openat,open,creat,unlink,rename,ftruncate,write,pwrite64", "-o"])
        .arg(place.path().join("trace"))
        .args([env!("CARGO_BIN_EXE_theater"), "replay", "counter"])
        .current_dir(place.path())
        .output();
    let Ok(output) = strace else {
        eprintln!("SKIPPED: strace is not installed, so what a replay asks of the system was not looked at");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let trace = std::fs::read_to_string(place.path().join("trace")).unwrap();
    assert!(trace.contains("theater.db"), "the trace shows what is opened: {trace}");
    let suspicious: Vec<&str> = trace
        .lines()
        .filter(|line| {
            let opens = line.contains("O_WRONLY") || line.contains("O_RDWR") || line.contains("O_CREAT");
            // A reader of SQLite opens the log, and makes the shared memory in which it takes its locks.
            let own = line.contains("theater.db-wal") || line.contains("theater.db-shm") || line.contains("\"/dev/");
            let network = ["socket(", "connect(", "bind(", "sendto("].iter().any(|call| line.contains(call));
            let changes = ["creat(", "rename("].iter().any(|call| line.contains(call));
            let writes = line.contains("write(") || line.contains("pwrite64(");
            let to_a_file =
                writes && line.contains(place.path().to_str().unwrap()) && !line.contains("theater.db-shm>");
            (opens && !own) || network || changes || to_a_file
        })
        .collect();
    assert!(suspicious.is_empty(), "{suspicious:#?}");
}
