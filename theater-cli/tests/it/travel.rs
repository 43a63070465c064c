//! `diff`: where histories part.

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
