//! `tree` of supervisors with a declared policy: live, followed, and from the chains.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::tool::{Place, Running};

/// A relay that supervises a rogue as `ledger` and a counter as `audit`.
fn supervised(policy: &str, ledger: &str) -> (Place, Running) {
    let place = Place::with(&["relay", "rogue", "counter"]);
    let manifest = format!(
        "name = \"bank\"\ncomponent = \"relay.wasm\"\n[[handlers]]\ntype = \"runtime\"\n[[handlers]]\n\
         type = \"message-server\"\n[[handlers]]\ntype = \"supervisor\"\n{policy}\n\
         [[handlers.children]]\nid = \"ledger\"\nmanifest = \"rogue.toml\"\nrestart_state = \"resume\"\n{ledger}\n\
         [[handlers.children]]\nid = \"audit\"\nmanifest = \"counter.toml\"\n"
    );
    place.write("bank.toml", manifest);
    let mut running = place.start(&["run", "bank.toml", "--send", "-", "--keep"]);
    assert_eq!(running.ask("ping"), "pong");
    (place, running)
}

/// A policy with delays that no test waits for.
const SLOW: &str = "max_restarts = 2\nwithin = \"9h\"\n\
                    backoff = { initial = \"1h\", factor = 2.0, max = \"2h\", jitter = 0.0 }";

fn tree(place: &Place) -> Value {
    let said = place.theater(&["tree", "--json"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

/// The first tree that is followed of which this is true.
#[track_caller]
fn until(following: &mut Running, is_it: impl Fn(&Value) -> bool) -> Value {
    loop {
        let tree = serde_json::from_str(&following.line()).unwrap();
        if is_it(&tree) {
            return tree;
        }
    }
}

fn ledger(tree: &Value) -> &Value {
    &tree["children"][0]
}

#[test]
fn policy_budget_quarantine_and_errors_are_shown_live_and_afterwards() {
    let policy = "strategy = \"rest-for-one\"\nmax_restarts = 1\nwithin = \"1h\"";
    let (place, mut running) = supervised(policy, "redeliver = true");
    let quiet = tree(&place);
    assert_eq!((&quiet["strategy"], &quiet["spec_id"]), (&json!("rest-for-one"), &Value::Null));
    assert_eq!(quiet["budget"], json!({ "used": 0, "max": 1, "within_ms": 3_600_000 }));
    assert_eq!((&ledger(&quiet)["name"], &ledger(&quiet)["spec_id"]), (&json!("rogue"), &json!("ledger")));

    // The same message fails it twice in the same way: it is put into quarantine, uncounted.
    let id = ledger(&quiet)["id"].as_str().unwrap().to_owned();
    let mut following = place.start(&["tree", "--json", "--follow"]);
    running.ask(&format!("send {id} panic"));
    let live = until(&mut following, |tree| {
        ledger(tree)["incarnation"] == 3
            // Once or twice: the second restart may come before the first has started it.
            && tree["children"][1]["incarnation"].as_u64() >= Some(2)
            && tree["children"][1]["status"] == "running"
            && ledger(tree)["status"] == "running"
    });
    assert_eq!(live["budget"]["used"], 1);
    assert_eq!(ledger(&live)["quarantined"].as_array().unwrap().len(), 1, "{live}");
    assert_eq!(ledger(&live)["last_error"]["type"], "trap");
    assert!(ledger(&live)["last_error"]["message"].as_str().unwrap().contains("told to panic"), "{live}");
    let decision = &ledger(&live)["last_decision"];
    assert_eq!((&decision["action"], &decision["rule"]), (&json!("restart"), &json!("poison")));
    assert_eq!(ledger(&live)["restart_rate_per_min"], 2);
    let text = place.yes(&["tree"]);
    for part in [
        "running; rest-for-one, 1 of 1 restarts within 1h used",
        "├─ ledger ",
        "incarnation 3 (2 restarts)",
        "last error: trap: panicked",
        "last decision: restart, by the rule `poison`",
        "quarantined: ",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }

    // Its state changes, which lifts the quarantine; the next failure exhausts the budget.
    assert_eq!(running.ask(&format!("request {id} calls")), "0");
    assert_eq!(ledger(&tree(&place))["quarantined"], json!([]));
    assert!(place.yes(&["state", "bank/ledger"]).contains("calls"));
    running.send(&format!("request {id} panic"));
    assert_eq!(running.wait().code(), Some(1), "{}", running.err());
    let failed = until(&mut following, |tree| tree["status"] == "failed");
    assert!(following.wait().success());
    assert_eq!(failed, tree(&place));
    assert_eq!((&failed["escalations"], &failed["budget"]["used"]), (&json!(1), &json!(2)));
    let decision = &ledger(&failed)["last_decision"];
    assert_eq!((&decision["action"], &decision["rule"]), (&json!("escalate"), &json!("budget")));
    let text = place.yes(&["tree"]);
    assert!(text.contains("failed; rest-for-one, more than 1 restarts within 1h"), "{text}");
}

#[test]
fn what_is_left_of_a_backoff_is_shown_until_the_next_start() {
    let (place, mut running) = supervised(SLOW, "");
    let id = ledger(&tree(&place))["id"].as_str().unwrap().to_owned();
    let mut following = place.start(&["tree", "--json", "--follow"]);
    running.ask(&format!("send {id} panic"));
    let live = until(&mut following, |tree| !ledger(tree)["backoff_left_ms"].is_null());
    assert_eq!(ledger(&live)["status"], "restarting");
    assert!((1..=3_600_000).contains(&ledger(&live)["backoff_left_ms"].as_u64().unwrap()), "{live}");
    let text = place.yes(&["tree"]);
    assert!(text.contains("restarting, next start in 59m ") || text.contains("next start in 1h"), "{text}");

    // It can be stopped before, and restarted at once.
    let stopped = place.yes(&["stop", "bank/ledger"]);
    assert!(stopped.contains("no restart follows"), "{stopped}");
    assert_eq!(ledger(&tree(&place))["backoff_left_ms"], Value::Null);
    let restarted = place.yes(&["restart", "bank/ledger"]);
    assert!(restarted.contains("incarnation 2"), "{restarted}");
    let again = tree(&place);
    assert_eq!((&ledger(&again)["status"], &ledger(&again)["backoff_left_ms"]), (&json!("running"), &Value::Null));

    running.signal(Signal::TERM);
    until(&mut following, |tree| tree["status"] == "stopped");
    assert!(running.wait().success(), "{}", running.err());
}

#[test]
fn a_restart_that_waited_when_the_process_went_down_is_in_the_record() {
    let (place, mut running) = supervised(SLOW, "");
    let id = ledger(&tree(&place))["id"].as_str().unwrap().to_owned();
    let mut following = place.start(&["tree", "--json", "--follow"]);
    running.ask(&format!("send {id} panic"));
    until(&mut following, |tree| !ledger(tree)["backoff_left_ms"].is_null());
    running.signal(Signal::KILL);
    running.wait();
    while following.try_line().is_some() {}
    assert!(following.wait().success(), "{}", following.err());
    let last = tree(&place);
    assert!(ledger(&last)["backoff_left_ms"].as_u64().unwrap() > 0, "{last}");
    assert_eq!((&last["status"], &ledger(&last)["last_error"]["type"]), (&json!("stopped"), &json!("trap")));
}

#[test]
fn a_followed_tree_is_printed_when_it_changed_and_to_its_end() {
    let place = Place::with(&["relay", "counter"]);
    let mut running = place.start(&["run", "relay.toml", "--send", "-", "--keep"]);
    running.ask("ping");
    let mut following = place.start(&["tree", "--json", "--follow"]);
    until(&mut following, |tree| tree["children"] == json!([]));
    let child = running.ask("spawn counter.toml");
    until(&mut following, |tree| tree["children"][0]["id"] == child.as_str());
    // That it counts is no change of the tree.
    for _ in 0..3 {
        running.ask(&format!("request {child} inc"));
    }
    running.ask(&format!("restart {child}"));
    until(&mut following, |tree| tree["children"][0]["incarnation"] == 2);
    running.signal(Signal::TERM);
    until(&mut following, |tree| tree["status"] == "stopped");
    assert_eq!(following.try_line(), None);
    assert!(following.wait().success(), "{}", following.err());
    running.wait();

    let late = place.theater(&["tree", "--follow"]);
    assert_eq!((late.status, late.out.lines().count()), (Some(0), 2), "{late:?}");
    assert!(late.err.contains("nothing follows"), "{late:?}");
}
