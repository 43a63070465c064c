//! `events --tree`: the chains of a subtree in causal order.

use std::collections::{HashMap, HashSet};

use rustix::process::Signal;
use serde_json::Value;

use crate::tool::Place;

/// Whether no event comes before one that led to it, going by what the events say.
#[track_caller]
fn assert_causal(events: &[Value]) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let all: HashSet<String> = events.iter().filter_map(|event| text(&event["hash"])).collect();
    let calls = events.iter().filter(|event| event["event_type"] == "call");
    let served: HashSet<String> = calls.filter_map(|call| text(&call["data"]["cause"])).collect();
    let (mut seen, mut next) = (HashSet::new(), HashMap::<String, u64>::new());
    // The calls that have ended, by the cause of each, and the request of each actor.
    let (mut ended, mut serving, mut asking) = (HashSet::new(), HashMap::new(), HashMap::new());
    for event in events {
        let (actor, kind, data) = (text(&event["actor_id"]).unwrap(), event["event_type"].as_str(), &event["data"]);
        let seq = next.entry(actor.clone()).or_default();
        assert_eq!(event["seq"], *seq, "{event}");
        *seq += 1;
        for field in ["cause", "parent_event", "error_hash"] {
            if let Some(cause) = text(&data[field]) {
                assert!(seen.contains(&cause) || !all.contains(&cause), "{field} comes later: {event}");
            }
        }
        for anchor in data["entries"].as_array().into_iter().flatten() {
            let child = anchor["child"].as_str().unwrap();
            let is_there = next.get(child).is_none_or(|next| anchor["to"].as_u64().unwrap() < *next);
            assert!(is_there, "an anchor before what it covers: {event}");
        }
        match kind.unwrap() {
            "call" => drop(serving.insert(actor, text(&data["cause"]))),
            "state_updated" | "call_returned" | "actor_error" => ended.extend(serving.remove(&actor).flatten()),
            "host_call_begun" if data["function"] == "request" => drop(asking.insert(actor, text(&event["hash"]))),
            "host_call" if data["function"] == "request" => {
                let begun = asking.remove(&actor).flatten().unwrap();
                let is_answer = data["result"][0].get("Ok").is_some() && served.contains(&begun);
                assert!(!is_answer || ended.contains(&begun), "an answer before it was given: {event}");
            }
            _ => {}
        }
        seen.insert(text(&event["hash"]).unwrap());
    }
}

/// Counters and relays below a relay that asked, restarted and stopped each other.
fn busy() -> Place {
    let place = Place::with(&["relay", "counter", "rogue"]);
    let mut running = place.start(&["run", "relay.toml", "--send", "-", "--keep"]);
    running.ask("keep resume");
    let counter = running.ask("spawn counter.toml");
    let relay = running.ask("spawn relay.toml");
    let rogue = running.ask("spawn rogue.toml");
    let below = running.ask(&format!("request {relay} spawn counter.toml"));
    for _ in 0..20 {
        running.ask(&format!("request {counter} inc"));
        running.ask(&format!("request {relay} request {below} inc"));
        running.ask(&format!("send {relay} do request {counter} inc"));
    }
    assert!(running.ask(&format!("request {rogue} panic")).starts_with("error: "));
    assert_eq!(running.ask(&format!("request {rogue} calls")), "0");
    assert_eq!(running.ask(&format!("restart {relay}")), "restarted");
    running.ask(&format!("stop {counter}"));
    running.signal(Signal::TERM);
    assert!(running.wait().success(), "{}", running.err());
    place
}

#[test]
fn a_subtree_is_merged_in_causal_order() {
    let place = busy();
    let merged = place.events(&["relay", "--tree"]);
    assert_causal(&merged);

    // It is all of them, and no more.
    let tree = place.json(&["tree", "--json"]);
    let mut chains = place.events(&["relay"]);
    for child in tree["children"].as_array().unwrap() {
        chains.extend(place.events(&[child["id"].as_str().unwrap()]));
        for below in child["children"].as_array().unwrap() {
            chains.extend(place.events(&[below["id"].as_str().unwrap()]));
        }
    }
    let hashes = |events: &[Value]| {
        let mut hashes: Vec<_> = events.iter().map(|event| event["hash"].as_str().unwrap().to_owned()).collect();
        hashes.sort();
        hashes
    };
    assert_eq!(hashes(&merged), hashes(&chains));

    let part = place.events(&["relay/relay", "--tree"]);
    assert_causal(&part);
    let actors: HashSet<_> = part.iter().map(|event| event["actor_id"].as_str().unwrap()).collect();
    assert_eq!(actors.len(), 2);
}

#[test]
fn the_text_names_the_actor_and_a_type_filters() {
    let place = busy();
    let exits = place.yes(&["events", "relay", "--tree", "--type", "actor_error"]);
    assert_eq!(exits.lines().count(), 1, "{exits}");
    assert!(exits.starts_with("rogue ") && exits.contains("told to panic"), "{exits}");
    let ends = place.events(&["relay", "--tree", "--type", "actor_terminated"]);
    assert_eq!(ends.last().unwrap()["data"]["reason"], "shutdown");
    let said = place.theater(&["events", "relay", "--tree", "--follow"]);
    assert_eq!(said.status, Some(2));
    assert!(said.err.contains("--tree") && said.err.contains("--follow"), "{said:?}");
}

#[test]
fn a_tree_can_be_merged_while_it_runs() {
    let place = Place::with(&["relay", "counter"]);
    let mut running = place.start(&["run", "relay.toml", "--send", "-", "--keep"]);
    let child = running.ask("spawn counter.toml");
    for n in 1..=3 {
        assert_eq!(running.ask(&format!("request {child} inc")), n.to_string());
        assert_causal(&place.events(&["relay", "--tree"]));
    }
}
