//! Mistakes: each is one clear sentence that says what to do, and the status 2.

use crate::tool::Place;

/// Runs the program on `counter.toml` after `break_it`, and finds `parts` in what it says.
#[track_caller]
fn refused(break_it: impl FnOnce(&Place), parts: &[&str]) {
    let place = Place::with(&["counter"]);
    break_it(&place);
    says(&place, &["run", "counter.toml"], parts);
}

#[track_caller]
fn says(place: &Place, args: &[&str], parts: &[&str]) {
    let said = place.theater(args);
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
    assert!(said.err.starts_with("error: ") && !said.err.contains("panicked"), "{args:?}: {said:?}");
    for part in parts {
        assert!(said.err.contains(part), "{args:?}: no {part:?} in {}", said.err);
    }
}

fn manifest(place: &Place, text: &str) {
    place.write("counter.toml", text);
}

#[test]
fn a_typo_in_the_manifest_is_shown_with_line_and_suggestion() {
    refused(
        |place| manifest(place, "name = \"counter\"\ncomponemt = \"counter.wasm\"\n"),
        &["counter.toml:2", "componemt", "component"],
    );
    refused(
        |place| manifest(place, "name = \"c\"\ncomponent = \"counter.wasm\"\n[[handlers]]\ntype = \"runtim\"\n"),
        &["counter.toml:3", "did you mean `runtime`"],
    );
    refused(
        |place| manifest(place, "name = \"c\"\ncomponent = \"counter.wasm\"\n[limits]\nmemory = \"64 Mob\"\n"),
        &["counter.toml:4"],
    );
}

#[test]
fn what_is_not_a_component_is_told_apart() {
    refused(
        |place| std::fs::remove_file(place.path().join("counter.wasm")).unwrap(),
        &["counter.wasm", "theater build"],
    );
    refused(|place| drop(place.write("counter.wasm", "not wasm at all")), &["not a WebAssembly file", "theater build"]);
    refused(
        |place| drop(place.write("counter.wasm", b"\0asm\x01\0\0\0")),
        &["core WebAssembly module", "theater build"],
    );
    refused(|place| drop(place.write("counter.wasm", b"\0asm\x0d\0\x01\0\xff")), &["cannot be compiled"]);
    refused(|place| drop(place.write("counter.wasm", b"\0asm\x0d\0\x01\0")), &["theater:simple/actor"]);
}

#[test]
fn a_handler_that_is_not_listed_is_shown_with_the_lines_to_add() {
    refused(
        |place| manifest(place, "name = \"counter\"\ncomponent = \"counter.wasm\"\n"),
        &["theater:simple/runtime", "[[handlers]]\ntype = \"runtime\""],
    );
}

#[test]
fn files_that_are_not_there_are_named() {
    let place = Place::with(&["counter"]);
    says(&place, &["run", "nobody.toml"], &["nobody.toml"]);
    says(&place, &["run", "counter.toml", "--send", "nothing"], &["nothing"]);
    says(&place, &["run", "counter.toml", "--send", "."], &["is a folder"]);
    says(&place, &["inspect", "nobody.wasm"], &["nobody.wasm"]);
    says(&place, &["build", "nowhere"], &["nowhere", "theater new"]);
    for command in [&["tree"][..], &["events", "a"], &["state", "a"], &["verify"]] {
        let looked_in = place.path().join(".theater");
        says(&place, command, &["no record in", looked_in.to_str().unwrap(), "--data"]);
    }
}

#[test]
fn inspect_tells_what_is_not_a_component() {
    let place = Place::empty();
    place.write("text", "hello");
    place.write("core.wasm", b"\0asm\x01\0\0\0");
    place.write("empty.wasm", b"\0asm\x0d\0\x01\0");
    says(&place, &["inspect", "text"], &["not a WebAssembly file"]);
    says(&place, &["inspect", "core.wasm"], &["core WebAssembly module", "theater build"]);
    let said = place.theater(&["inspect", "empty.wasm"]);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(said.out.contains("not an actor"), "{said:?}");
}

#[test]
fn an_actor_that_takes_no_messages_says_what_to_do_for_each_line() {
    let place = Place::with(&["counter"]);
    manifest(&place, "name = \"counter\"\ncomponent = \"counter.wasm\"\n[[handlers]]\ntype = \"runtime\"\n");
    place.write("requests", "inc\ninc\n");
    let said = place.theater(&["run", "counter.toml", "--send", "requests"]);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "\n\n"), "{said:?}");
    for part in ["line 1: ", "line 2: ", "handle-request", "handler `message-server`"] {
        assert!(said.err.contains(part), "{said:?}");
    }
}

#[test]
fn a_damaged_database_is_a_sentence() {
    let place = Place::with(&["counter"]);
    std::fs::create_dir(place.path().join(".theater")).unwrap();
    place.write(".theater/theater.db", "this is not a database, but a text that is long enough to be one");
    says(&place, &["run", "counter.toml"], &["error: "]);
    says(&place, &["tree"], &["error: "]);
}
