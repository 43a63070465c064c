//! The process is killed outright (kill -9) in the middle of its work.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde_json::Value;

use crate::tool::Place;

/// Every answer that was printed is in the chain, as the answer to its line.
#[track_caller]
fn assert_acknowledged(place: &Place, root: &str, answers: &[String]) {
    let mut calls = HashMap::new();
    let mut call = None;
    for event in place.events(&[root]) {
        match event["event_type"].as_str().unwrap() {
            "call" => call = event["data"]["message_id"].as_str().map(str::to_owned),
            "state_updated" | "call_returned" => {
                if let Some(id) = call.take() {
                    calls.insert(id.rsplit('/').next().unwrap().to_owned(), event["data"]["result"]["Ok"][0].clone());
                }
            }
            _ => {}
        }
    }
    for (at, answer) in answers.iter().enumerate() {
        let line = (at + 1).to_string();
        let recorded = calls.get(&line).unwrap_or_else(|| panic!("the answer to line {line} is not in the chain"));
        assert_eq!(recorded, &Value::from(STANDARD.encode(answer)), "line {line}");
    }
}

#[test]
fn every_printed_answer_is_in_the_chain_after_kill_9() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\n".repeat(100_000));
    let mut running = place.start(&["run", "counter.toml", "--send", "requests"]);
    let mut answers: Vec<String> = (0..100).map(|_| running.line()).collect();
    running.signal(Signal::KILL);
    answers.extend(std::iter::from_fn(|| running.try_line()));
    assert!(!running.wait().success());
    assert!(answers.len() < 100_000);

    place.yes(&["verify"]);
    assert_acknowledged(&place, "counter", &answers);
    let text = place.yes(&["tree"]);
    assert!(text.contains("stopped: the process went down while it ran"), "{text}");
    // It goes on from there: what was accepted is counted, and nothing twice.
    place.write("one", "inc\n");
    let again = place.theater(&["run", "counter.toml", "--send", "one"]);
    assert!(again.err.contains("resuming counter") && again.err.contains("1 actor"), "{again:?}");
    let counted = place.events(&["counter"]).iter().filter(|event| event["event_type"] == "state_updated").count();
    assert_eq!(again.out.trim(), (counted - 1).to_string(), "{again:?}");
    assert!(counted > answers.len());
    place.yes(&["verify"]);
    // Stopped in order, it goes on, too.
    let third = place.theater(&["run", "counter.toml", "--send", "one"]);
    assert_eq!(third.out.trim(), counted.to_string(), "{third:?}");
    assert!(third.err.contains("resuming counter") && third.err.contains("was stopped"), "{third:?}");
    place.yes(&["verify"]);
}

#[test]
fn the_bank_loses_no_money_to_kill_9() {
    let place = Place::empty();
    let bank = theater_build::testing::manifest("bank");
    let bank = bank.parent().unwrap();
    let manifest = bank.join("bank.toml");
    let transactions = bank.join("transactions.jsonl");
    let args = ["run", manifest.to_str().unwrap(), "--data", ".theater", "--send", transactions.to_str().unwrap()];
    let mut running = place.start(&args);
    let mut answers: Vec<String> = (0..600).map(|_| running.line()).collect();
    running.signal(Signal::KILL);
    answers.extend(std::iter::from_fn(|| running.try_line()));
    running.wait();

    place.yes(&["verify"]);
    assert_acknowledged(&place, "bank", &answers);
    assert!(money(&place) <= opening(bank), "money was made");
    // The transfer that was under way is completed, and the bank goes on.
    let lines = fs::read_to_string(&transactions).unwrap();
    let more: String = lines.lines().take(50).map(|line| format!("{line}\n")).collect();
    place.write("more", more);
    let again = place.theater(&["run", manifest.to_str().unwrap(), "--data", ".theater", "--send", "more"]);
    assert_eq!(again.status, Some(0), "{again:?}");
    assert!(again.err.contains("resuming bank"), "{again:?}");
    assert_eq!(again.out.lines().count(), 50, "{again:?}");
    place.yes(&["verify"]);
    assert_eq!(money(&place), opening(bank), "{again:?}");
}

fn opening(bank: &Path) -> u64 {
    let opening: Value = serde_json::from_slice(&fs::read(bank.join("bank.json")).unwrap()).unwrap();
    let groups = opening["groups"].as_object().unwrap().values();
    groups.flat_map(|group| group.as_object().unwrap().values()).map(|amount| amount.as_u64().unwrap()).sum()
}

/// What is on all accounts, going by the last states of the workers.
fn money(place: &Place) -> u64 {
    let tree = place.json(&["tree", "--json"]);
    let workers = tree["children"].as_array().unwrap().iter().filter(|child| child["name"] == "worker");
    workers
        .flat_map(|worker| {
            let state = place.yes(&["state", worker["id"].as_str().unwrap()]);
            let state: Value = serde_json::from_str(&state).unwrap();
            let accounts = state["accounts"].as_object().unwrap().values();
            accounts.map(|account| account["balance"].as_u64().unwrap()).collect::<Vec<_>>()
        })
        .sum()
}
