//! `export` and `import`: a tree that moves.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::tool::Place;

/// A relay that has started two counters below it, with its record.
fn family() -> Place {
    let place = Place::with(&["relay", "counter"]);
    place.write("requests", "spawn counter.toml\n".repeat(2));
    place.yes(&["run", "relay.toml", "--send", "requests"]);
    place
}

#[test]
fn a_tree_is_looked_at_and_verified_elsewhere() {
    let here = family();
    let said = here.json(&["export", "relay", "tree.theater", "--tree", "--json"]);
    assert_eq!(said["actors"], 3);
    let there = Place::empty();
    let bundle = there.write("tree.theater", fs::read(here.path().join("tree.theater")).unwrap());
    let arrived = there.json(&["import", "tree.theater", "--json"]);
    assert_eq!(arrived["actors"][2]["arrival"], "new");
    assert_eq!(arrived["events"], said["events"]);
    // In the folder, and in the file itself.
    for data in [".theater", "tree.theater"] {
        for command in [&["tree", "--json"][..], &["events", "relay", "--json"], &["state", "relay"]] {
            let args = [command, &["--data", data]].concat();
            assert_eq!(there.yes(&args), here.yes(command), "{args:?}");
        }
        // The chains are the same; of what the host signed, the chains' part came along.
        let (mut own, mut moved) =
            (here.json(&["verify", "--json"]), there.json(&["verify", "--json", "--data", data]));
        for actor in [&mut own, &mut moved].into_iter().flat_map(|report| report["actors"].as_array_mut().unwrap()) {
            actor.as_object_mut().unwrap().remove("signed").unwrap();
        }
        assert_eq!((&moved["ok"], &moved["actors"]), (&own["ok"], &own["actors"]));
        assert!(moved["unchecked"].to_string().contains("nobody vouches for it"), "{moved}");
    }
    assert!(there.yes(&["import", "tree.theater"]).contains("here already"));
    there.yes(&["export", "relay", "again.theater", "--tree"]);
    assert!(fs::read(bundle).unwrap() == fs::read(there.path().join("again.theater")).unwrap());
}

#[test]
fn a_bundle_is_held_against_the_key_of_its_host() {
    let here = family();
    let said = here.json(&["export", "relay", "tree.theater", "--tree", "--json"]);
    assert_eq!(said["signed"], 3);
    let key = here.yes(&["checkpoint", "--public-key"]);
    let there = Place::empty();
    there.write("tree.theater", fs::read(here.path().join("tree.theater")).unwrap());
    there.write("host.pub", &key);
    there.yes(&["import", "tree.theater"]);
    for data in [".theater", "tree.theater"] {
        let said = there.yes(&["verify", "--data", data, "--key", "host.pub"]);
        assert!(said.contains("3 chains, as they came from elsewhere") && !said.contains("nobody"), "{said}");
    }
    // Another host's record of such a tree does not pass for it.
    let other = family();
    other.yes(&["export", "relay", "other.theater", "--tree"]);
    let said = other.theater(&["verify", "--data", "other.theater", "--key", key.trim()]);
    assert!(said.status == Some(1) && said.out.contains("no checkpoint of theater/"), "{said:?}");
    // Nor does a record whose signatures were taken out, of all chains or of one.
    let raw = rusqlite::Connection::open(there.path().join(".theater/theater.db")).unwrap();
    for (left, fault) in [(2, "no checkpoint of theater/"), (0, "nothing here is signed")] {
        let sql = "DELETE FROM checkpoints WHERE actor NOT IN (SELECT actor FROM checkpoints LIMIT ?)";
        raw.execute(sql, [left]).unwrap();
        let said = there.theater(&["verify", "--key", key.trim()]);
        assert!(said.status == Some(1) && said.out.contains(fault), "{said:?}");
    }
    there.yes(&["verify"]);
    // What a host without its key gives away is not signed, and that is said.
    fs::remove_file(here.path().join(".theater/host.key")).unwrap();
    let said = here.theater(&["export", "relay", "bare.theater"]);
    assert!(said.status == Some(0) && said.err.contains("so the chains are not signed"), "{said:?}");
    assert!(here.yes(&["verify", "--data", "bare.theater"]).contains("nothing here is signed"));
}

#[test]
fn nothing_is_signed_at_export_that_is_not_what_was_signed_before() {
    let place = family();
    let raw = rusqlite::Connection::open(place.path().join(".theater/theater.db")).unwrap();
    raw.execute("UPDATE head_log SET hash = zeroblob(32) WHERE n = 0", []).unwrap();
    drop(raw);
    let said = place.theater(&["export", "relay", "tree.theater", "--tree"]);
    assert!(said.status == Some(1) && said.err.contains("does not verify"), "{said:?}");
    assert!(!place.path().join("tree.theater").exists());
}

#[test]
fn one_actor_alone_verifies_but_for_its_children() {
    let here = family();
    here.yes(&["export", "relay", "relay.theater"]);
    let report = here.json(&["verify", "--data", "relay.theater", "--json"]);
    assert_eq!(report["ok"], true);
    assert_eq!(report["actors"].as_array().unwrap().len(), 1);
    assert!(report["unchecked"].to_string().contains("left out when this record was exported"), "{report}");
}

#[test]
fn a_running_tree_is_exported_and_not_imported_into() {
    let place = Place::with(&["relay", "counter"]);
    let mut running = place.start(&["run", "relay.toml", "--send", "-", "--keep"]);
    running.ask("spawn counter.toml");
    place.yes(&["export", "relay", "early.theater", "--tree"]);
    running.ask("spawn counter.toml");
    place.yes(&["export", "relay", "late.theater", "--tree"]);
    let refused = place.theater(&["import", "early.theater"]);
    assert_eq!(refused.status, Some(2));
    assert!(refused.err.contains("is in use by another process"), "{refused:?}");
    running.signal(Signal::TERM);
    running.wait();
    place.yes(&["export", "relay", "last.theater", "--tree"]);
    for (file, arrivals) in [
        ("early", json!(["new", "new"])),
        ("last", json!(["continued", "continued", "new"])),
        ("late", json!(["older", "older", "older"])),
    ] {
        let file = format!("{file}.theater");
        let said = place.json(&["import", &file, "--data", "copy", "--json"]);
        let found: Vec<_> = said["actors"].as_array().unwrap().iter().map(|actor| &actor["arrival"]).collect();
        assert_eq!(json!(found), arrivals, "{file}");
        place.yes(&["verify", "--data", "copy"]);
    }
    assert_eq!(place.yes(&["tree", "--json", "--data", "copy"]), place.yes(&["tree", "--json"]));
}

#[test]
fn what_is_refused_says_why_and_leaves_nothing() {
    let place = family();
    place.yes(&["export", "relay", "a.theater"]);
    for (args, status, said) in [
        (&["export", "relay", "a.theater"][..], 2, "is there already"),
        (&["export", "nobody", "b.theater"], 2, "no actor"),
        (&["import", "nothing.theater"], 2, "cannot read"),
        (&["import", "relay.toml", "--data", "new"], 1, "not a whole, unchanged bundle"),
        (&["verify", "--data", "relay.toml"], 1, "not a whole, unchanged bundle"),
        (&["verify", "a.theater"], 2, "`--data a.theater` looks into the bundle"),
    ] {
        let found = place.theater(args);
        assert_eq!(found.status, Some(status), "{args:?}: {found:?}");
        assert!(found.err.contains(said), "{args:?}: {found:?}");
    }
    assert!(!place.path().join("new").exists() && !place.path().join("b.theater").exists());
    // Another history of the same actor cannot be made by hand; a changed file is none.
    let mut bytes = fs::read(place.path().join("a.theater")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    place.write("changed.theater", bytes);
    let found = place.theater(&["import", "changed.theater", "--data", "new"]);
    assert_eq!(found.status, Some(1), "{found:?}");
    assert!(!place.path().join("new").exists());
}
