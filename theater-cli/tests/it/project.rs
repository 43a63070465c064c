//! From nothing to answers: `new`, `build`, `run`.

use std::fs;

use crate::tool::{Place, is_there};

/// A folder whose projects share what cargo builds, with those of later runs too.
fn place() -> Place {
    let place = Place::empty();
    fs::create_dir(place.path().join(".cargo")).unwrap();
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/projects");
    place.write(".cargo/config.toml", format!("[build]\ntarget-dir = {target:?}\n"));
    place
}

#[test]
fn a_new_project_builds_and_answers() {
    let place = place();
    let said = place.theater(&["new", "hello"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(said.err.contains("theater-actor") && said.err.contains("theater build"), "{said:?}");
    place.yes(&["--quiet", "build", "hello"]);
    place.write("names", "Ada\nBob\nAda\n");
    let answers = place.yes(&["run", "hello/hello.toml", "--send", "names", "--data", "data"]);
    assert_eq!(answers, "Hello, Ada!\nHello, Bob!\nHello again, Ada, for the 2. time!\n");
    place.yes(&["verify", "--data", "data"]);
    place.yes(&["inspect", "hello/hello.wasm"]);

    // The component is written under the name that the manifest says.
    let manifest = place.path().join("hello/hello.toml");
    let text = fs::read_to_string(&manifest).unwrap().replace("hello.wasm", "greeter.wasm");
    fs::write(&manifest, text).unwrap();
    fs::remove_file(place.path().join("hello/hello.wasm")).unwrap();
    place.yes(&["--quiet", "build", "hello"]);
    assert!(is_there(place.path(), "hello/greeter.wasm") && !is_there(place.path(), "hello/hello.wasm"));
}

#[test]
fn a_new_supervisor_restarts_its_worker() {
    let place = place();
    place.yes(&["new", "boss", "--template", "supervisor"]);
    place.yes(&["--quiet", "build", "boss"]);
    place.write("numbers", "1\n2\n13\n3\n");
    let said = place.theater(&["run", "boss/boss.toml", "--send", "numbers", "--data", "data"]);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "1\n3\n\n6\n"), "{said:?}");
    assert!(said.err.contains("line 3: ") && said.err.contains("13 brings bad luck"), "{said:?}");
    let tree = place.json(&["tree", "--json", "--data", "data"]);
    assert_eq!(tree["children"][0]["restarts"], 1);
}

#[test]
fn what_is_there_is_not_overwritten() {
    let place = Place::empty();
    place.write("hello", "mine");
    let said = place.theater(&["new", "hello"]);
    assert_eq!(said.status, Some(2));
    assert!(said.err.contains("is there already"), "{said:?}");
    let said = place.theater(&["new", "fn"]);
    assert!(said.err.contains("cannot be the name of a project"), "{said:?}");
    let said = place.theater(&["new", "hey", "--sdk", "."]);
    assert!(said.err.contains("--sdk"), "{said:?}");
}
