//! Compiled components that `theater run` keeps.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::tool::{Place, is_there};

fn entries(cache: &Path) -> Vec<String> {
    let entries = fs::read_dir(cache).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

const LOADED: &str = "is in the compile cache";

#[test]
fn the_second_run_finds_what_the_first_compiled() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\n");
    let run = |data: &str, more: &[&str]| {
        let args = [&["run", "counter.toml", "-vv", "--send", "requests", "--data", data], more].concat();
        let said = place.theater(&args);
        assert_eq!((said.status, said.out.as_str()), (Some(0), "1\n"), "{said:?}");
        said.err.contains(LOADED)
    };
    assert!(!run("a", &["--cache", "cache"]));
    let [entry] = &entries(&place.path().join("cache"))[..] else { panic!("not one entry") };
    assert!(run("b", &["--cache", "cache"]));
    assert!(!run("c", &["--no-cache"]));
    // Damage is said, and made good.
    fs::write(place.path().join("cache").join(entry), "damage").unwrap();
    let args = ["run", "counter.toml", "--send", "requests", "--data", "d", "--cache", "cache"];
    let said = place.theater(&args);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "1\n"), "{said:?}");
    assert!(said.err.contains(entry.as_str()) && said.err.contains("it is compiled again"), "{said:?}");
    assert!(run("e", &["--cache", "cache"]));
    place.yes(&["verify", "--data", "e"]);
}

#[test]
fn processes_share_a_cache() {
    let place = Place::with(&["counter"]);
    let args = |data| ["run", "counter.toml", "--send", "-", "--cache", "cache", "--data", data];
    let mut running: Vec<_> = ["a", "b", "c"].into_iter().map(|data| place.start(&args(data))).collect();
    for process in &mut running {
        process.send("inc");
    }
    for process in &mut running {
        assert_eq!(process.line(), "1");
        drop(process.input.take());
        assert!(process.wait().success(), "{}", process.err());
    }
    let [entry] = &entries(&place.path().join("cache"))[..] else { panic!("not one entry") };
    assert!(entry.ends_with(".code"), "{entry}");
}

#[test]
fn a_folder_that_others_may_write_is_refused() {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\n");
    let open = place.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let said = place.theater(&["run", "counter.toml", "--send", "requests", "--cache", "open"]);
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""), "{said:?}");
    assert!(said.err.contains("others may write") && said.err.contains("--no-cache"), "{said:?}");
    assert_eq!(entries(&open), [] as [String; 0]);
    assert!(!is_there(place.path(), ".theater"), "nothing was begun");
}

#[test]
fn a_users_folder_that_cannot_be_used_is_a_warning() {
    let mut place = Place::with(&["counter"]);
    place.write("requests", "inc\n");
    place.cache = place.write("file", "");
    let said = place.theater(&["run", "counter.toml", "--send", "requests"]);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "1\n"), "{said:?}");
    assert!(said.err.contains("components are compiled at each run"), "{said:?}");
}

#[test]
fn without_a_word_the_users_cache_folder_is_used() {
    let mut place = Place::with(&["counter"]);
    place.write("requests", "inc\n");
    place.cache = place.path().join("user");
    place.yes(&["run", "counter.toml", "--send", "requests", "--no-cache", "--data", "a"]);
    assert!(!is_there(place.path(), "user"));
    place.yes(&["run", "counter.toml", "--send", "requests", "--data", "b"]);
    assert_eq!(entries(&place.path().join("user/theater/compiled")).len(), 1);
}
