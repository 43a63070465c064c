//! `stop` and `restart` on a running tree.

use crate::tool::{Place, Running, Said};

/// A relay that runs, with a counter below it that has counted to two.
fn counting() -> (Place, Running, String) {
    let place = Place::with(&["relay", "counter"]);
    let mut running = place.start(&["run", "relay.toml", "--send", "-", "--keep"]);
    let child = running.ask("spawn counter.toml");
    running.ask(&format!("request {child} inc"));
    assert_eq!(running.ask(&format!("request {child} inc")), "2");
    (place, running, child)
}

/// A sentence, and nothing but it.
#[track_caller]
fn says(said: &Said, status: i32, parts: &[&str]) {
    assert_eq!(said.status, Some(status), "{said:?}");
    let text = if status == 0 { &said.out } else { &said.err };
    for part in parts {
        assert!(text.contains(part), "no {part:?}: {said:?}");
    }
}

#[test]
fn a_stopped_child_stays_down_and_the_others_run() {
    let (place, mut running, child) = counting();
    let other = running.ask("spawn counter.toml");
    let said = place.theater(&["stop", &child]);
    says(&said, 0, &["stopped relay/counter", &child[..8]]);
    assert_eq!(said.out.lines().count(), 1, "{said:?}");
    let tree = place.json(&["tree", "--json"]);
    let statuses: Vec<_> = tree["children"].as_array().unwrap().iter().map(|child| &child["status"]).collect();
    assert_eq!(statuses, ["stopped", "running"]);
    assert_eq!(running.ask(&format!("request {other} inc")), "1");
    running.send("log");
    assert_eq!([running.line(), running.line()], ["init".to_owned(), format!("child-external-stop {child}")]);

    says(&place.theater(&["stop", &child]), 0, &["had ended already"]);
    assert_eq!(place.json(&["tree", "--json"])["children"][0]["incarnation"], 1);
}

#[test]
fn stopping_the_root_ends_the_run() {
    let (place, mut running, _) = counting();
    says(&place.theater(&["stop", "relay"]), 0, &["stopped relay "]);
    assert!(running.wait().success(), "{}", running.err());
    let tree = place.json(&["tree", "--json"]);
    assert_eq!((&tree["status"], &tree["children"][0]["status"]), (&"stopped".into(), &"stopped".into()));
    place.yes(&["verify"]);
}

#[test]
fn a_restart_resumes_unless_it_is_told_to_reset() {
    let (place, mut running, child) = counting();
    says(
        &place.theater(&["restart", &child]),
        0,
        &["restarted relay/counter", "last committed state", "incarnation 2"],
    );
    assert_eq!(running.ask(&format!("request {child} get")), "2");
    let reset = place.theater(&["restart", "relay/counter", "--state", "reset"]);
    says(&reset, 0, &["a new state", "incarnation 3"]);
    assert_eq!(running.ask(&format!("request {child} get")), "0");
    assert_eq!(place.json(&["tree", "--json"])["children"][0]["restarts"], 2);

    // One that was stopped can be restarted.
    place.yes(&["stop", &child]);
    says(&place.theater(&["restart", &child]), 0, &["incarnation 4"]);
    assert_eq!(running.ask(&format!("request {child} inc")), "1");
}

#[test]
fn a_restart_that_fails_is_a_no() {
    let place = Place::with(&["relay", "counter"]);
    let mut running = place.start(&["run", "relay.toml", "--send", "-", "--keep"]);
    let child = running.ask("spawn relay.toml do spawn counter.toml");
    assert_eq!(running.ask(&format!("request {child} ping")), "pong");
    std::fs::remove_file(place.path().join("counter.toml")).unwrap();
    let said = place.theater(&["restart", &child, "--state", "reset"]);
    says(&said, 1, &["error: ", "counter.toml"]);
    assert_eq!(place.json(&["tree", "--json"])["children"][0]["status"], "failed");
    assert_eq!(running.ask("ping"), "pong");
}

#[test]
fn where_nothing_runs_it_is_said() {
    let place = Place::with(&["counter"]);
    says(&place.theater(&["stop", "counter"]), 2, &["no record in", "--data"]);
    place.write("requests", "inc\n");
    place.yes(&["run", "counter.toml", "--send", "requests"]);
    for verb in ["stop", "restart"] {
        let said = place.theater(&[verb, "counter"]);
        says(&said, 2, &["nothing runs in", verb, "theater run"]);
        assert_eq!(said.out, "");
    }
    let mut running = place.start(&["run", "counter.toml", "--send", "-", "--data", "b"]);
    assert_eq!(running.ask("inc"), "1");
    says(&place.theater(&["stop", "nobody", "--data", "b"]), 2, &["no actor \"nobody\""]);
    assert_eq!(running.ask("inc"), "2");
}
