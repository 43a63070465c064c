//! `prune`: trees that ran more than once, and go on.

use rustix::process::Signal;
use serde_json::Value;

use crate::tool::Place;

/// The seqs of the starts of an actor.
fn starts(place: &Place, actor: &str) -> Vec<u64> {
    let starts = place.events(&[actor, "--type", "actor_started"]);
    starts.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

#[track_caller]
fn pruned(place: &Place, actor: &str, seq: u64) -> Value {
    place.json(&["prune", actor, "--keep-after", &seq.to_string(), "--json"])
}

/// A counter that was started twice and counted to six.
fn ran_twice() -> Place {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\ninc\ninc\n");
    place.yes(&["run", "counter.toml", "--send", "requests"]);
    assert_eq!(place.yes(&["run", "counter.toml", "--send", "requests"]), "4\n5\n6\n");
    place
}

#[test]
fn a_pruned_actor_verifies_proves_replays_travels_and_goes_on() {
    let place = ran_twice();
    let start = starts(&place, "counter")[1];
    let before = place.events(&["counter"]);
    let head = before.last().unwrap()["seq"].as_u64().unwrap();
    place.yes(&["checkpoint", "-o", "log"]);
    place.yes(&["checkpoint", "counter", "-o", "kept"]);
    let proof = place.json(&["prove", "counter", &start.to_string()]);

    let refused = place.theater(&["prune", "counter", "--keep-after", &head.to_string()]);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    let sentence = format!("the newest incarnation begins with it; the highest SEQ that is possible is {}", start - 1);
    assert!(refused.err.contains(&sentence), "{refused:?}");
    // In the middle of the first incarnation, then all of it.
    let dropped = pruned(&place, "counter", 4);
    assert_eq!((&dropped["events"], &dropped["kept_from"]), (&5.into(), &5.into()));
    place.yes(&["verify"]);
    let partly = place.theater(&["replay", "counter", "--json"]);
    assert_eq!(partly.status, Some(2), "not all of it could be made again: {partly:?}");
    assert!(partly.out.contains("the start of its incarnation is not kept"), "{partly:?}");
    let partly: Value = serde_json::from_str(&partly.out).unwrap();
    assert_eq!((&partly["ok"], &partly["replayed"]), (&true.into(), &3.into()), "{partly}");
    let said = place.yes(&["prune", "counter", "--keep-after", &(start - 1).to_string()]);
    assert!(said.starts_with("dropped ") && said.ends_with(&format!("it is kept from event {start} on\n")), "{said}");

    let report = place.json(&["verify", "--json"]);
    assert_eq!(report["actors"][0]["signed"], head + 2, "what is dropped is signed at once");
    let unchecked = report["unchecked"].to_string();
    assert!(!unchecked.contains("nobody signed that"), "{report}");
    for sentence in ["older events were not kept", "signed heads of events that were not kept"] {
        assert!(unchecked.contains(sentence), "{report}");
    }
    for kept in ["log", "kept"] {
        let said = place.theater(&["verify", "--checkpoint", kept]);
        assert!(said.status == Some(0) && !said.out.contains("kept checkpoint"), "{said:?}");
    }
    let events = place.events(&["counter"]);
    assert_eq!(events[0], before[usize::try_from(start).unwrap()]);
    assert_eq!(events.last().unwrap()["data"]["kept_from"], start);
    // The tree grew by the two events about the pruning; the one over the same events is the same.
    let later = place.json(&["prove", "counter", &start.to_string()]);
    assert_eq!(later["size"], proof["size"].as_u64().unwrap() + 2);
    assert_eq!(later["event"], proof["event"]);
    assert_eq!(later["inclusion"][0], proof["inclusion"][0]);
    let gone = place.theater(&["prove", "counter", "3"]);
    assert!(gone.status == Some(2) && gone.err.contains("event 3 was dropped"), "{gone:?}");
    let replay = place.json(&["replay", "counter", "--json"]);
    assert_eq!((&replay["ok"], &replay["replayed"]), (&true.into(), &3.into()), "{replay}");
    let until = place.json(&["replay", "counter", "--until", &head.to_string(), "--json"]);
    assert_eq!(until["ok"], true, "{until}");

    // It goes on, here and elsewhere, also after it was killed.
    place.yes(&["export", "counter", "counter.theater"]);
    place.yes(&["verify", "--data", "counter.theater"]);
    place.yes(&["import", "counter.theater", "--data", "copy"]);
    for data in [".theater", "copy"] {
        let mut running = place.start(&["run", "counter.toml", "--send", "-", "--data", data]);
        assert_eq!(running.ask("inc"), "7");
        running.signal(Signal::KILL);
        running.wait();
        let again = place.theater(&["run", "counter.toml", "--send", "requests", "--data", data]);
        assert_eq!((again.status, &*again.out), (Some(0), "8\n9\n10\n"), "{again:?}");
        place.yes(&["verify", "--data", data]);
    }
    let key = place.yes(&["checkpoint", "--public-key"]);
    place.yes(&["verify", "--key", key.trim(), "--checkpoint", "log"]);
    place.yes(&["replay", "counter"]);
}

#[test]
fn what_is_gone_without_a_word_is_a_fault() {
    let place = ran_twice();
    let raw = rusqlite::Connection::open(place.path().join(".theater/theater.db")).unwrap();
    raw.execute_batch(
        "INSERT INTO pruned SELECT id, 5 FROM actors;
        DELETE FROM events WHERE seq < 5; UPDATE events SET previous = NULL WHERE seq = 5",
    )
    .unwrap();
    drop(raw);
    for level in ["links", "full"] {
        let said = place.theater(&["verify", "--level", level]);
        assert_eq!(said.status, Some(1), "{said:?}");
        assert!(said.out.contains("event 5: the events before it are not there, and no `pruned` says"), "{said:?}");
    }
    let refused = place.theater(&["prune", "counter", "--keep-after", "6"]);
    assert!(refused.status == Some(1) && refused.err.contains("the events before it are not there"), "{refused:?}");
}

#[test]
fn a_supervisor_and_its_child_are_pruned_and_go_on() {
    let place = Place::with(&["relay", "counter"]);
    let run = ["run", "relay.toml", "--send", "-", "--keep"];
    let mut running = place.start(&run);
    let child = running.ask("spawn counter.toml");
    assert_eq!(running.ask(&format!("request {child} inc")), "1");
    let refused = place.theater(&["prune", &child, "--keep-after", "0"]);
    assert!(refused.status == Some(2) && refused.err.contains("is in use by another process"), "{refused:?}");
    place.yes(&["restart", &child]);
    assert_eq!(running.ask(&format!("request {child} inc")), "2");
    running.signal(Signal::KILL);
    running.wait();

    let start = starts(&place, &child)[1];
    assert_eq!(pruned(&place, &child, start - 1)["events"], start);
    let report = place.json(&["verify", "--json"]);
    assert!(
        report["unchecked"].to_string().contains("children_anchored: events of children that were not kept"),
        "{report}"
    );
    let mut running = place.start(&run);
    assert_eq!(running.ask(&format!("request {child} inc")), "3");
    place.yes(&["restart", &child]);
    assert_eq!(running.ask(&format!("request {child} inc")), "4");
    // The event that says what its `init` ran on first was dropped; what it ran on was not.
    place.yes(&["restart", &child, "--state", "reset"]);
    assert_eq!(running.ask(&format!("request {child} inc")), "1");
    running.signal(Signal::TERM);
    running.wait();
    place.yes(&["verify"]);

    // Stopped, the relay begins another incarnation; what its first one said of the child goes.
    let mut running = place.start(&run);
    let second = running.ask("spawn counter.toml");
    running.signal(Signal::KILL);
    running.wait();
    let start = *starts(&place, "relay").last().unwrap();
    assert!(start > 0);
    pruned(&place, "relay", start - 1);
    place.yes(&["verify"]);
    let mut running = place.start(&run);
    assert_eq!(running.ask(&format!("request {second} inc")), "1");
    running.signal(Signal::TERM);
    running.wait();
    place.yes(&["verify"]);
    place.yes(&["replay", "relay", "--tree"]);
}
