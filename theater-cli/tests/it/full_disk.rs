//! A disk that is full, and has space again: files that may not grow behave like that.

use rustix::process::Signal;
use serde_json::Value;

use crate::tool::{Place, Running};

/// A counter that has answered `1`, and whose record cannot grow any more.
fn full() -> (Place, Running) {
    let place = Place::with(&["counter"]);
    let mut running = place.start_limited(&["run", "counter.toml", "--send", "-", "--keep"]);
    assert_eq!(running.ask("inc"), "1");
    let log = place.path().join(".theater/theater.db-wal");
    running.limit_files(Some(log.metadata().unwrap().len()));
    (place, running)
}

/// Waits until it says that it cannot write.
fn in_trouble(running: &Running) {
    while !running.err().contains("the record cannot be written") {
        std::thread::yield_now();
    }
}

fn count(place: &Place) -> u64 {
    let state: Value = serde_json::from_str(&place.yes(&["state", "counter"])).unwrap();
    state["n"].as_u64().unwrap()
}

#[test]
fn it_waits_for_space_and_goes_on_and_nothing_is_lost() {
    let (place, mut running) = full();
    for _ in 0..50 {
        running.send("inc");
    }
    in_trouble(&running);
    // The host lives and says what it waits for; the record has what was acknowledged.
    let tree = place.theater(&["tree"]);
    assert!(tree.status == Some(2) && tree.err.contains("the store cannot be used"), "{tree:?}");
    assert!(count(&place) < 51);
    running.limit_files(None);
    for n in 2..=51 {
        assert_eq!(running.line(), n.to_string());
    }
    assert_eq!(running.ask("inc"), "52");
    running.signal(Signal::TERM);
    assert!(running.wait().success(), "{}", running.err());
    assert!(running.err().contains("the record is written again"), "{}", running.err());
    assert_eq!(count(&place), 52);
    place.yes(&["verify"]);
}

#[test]
fn it_can_be_stopped_and_says_what_is_missing() {
    let (place, mut running) = full();
    running.send("inc");
    in_trouble(&running);
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code(), Some(2), "{}", running.err());
    assert!(running.err().contains("error: the store cannot be used"), "{}", running.err());
    let report = place.yes(&["verify"]);
    assert!(report.contains("verif"), "{report}");
    assert!(count(&place) >= 1);
}
