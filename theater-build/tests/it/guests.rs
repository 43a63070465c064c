//! One guest crate: where its component goes, and what a failure says.

use std::fs;
use std::path::{Path, PathBuf};

use theater_build::{BuildError, Options, build_guest};

/// A crate in a workspace of its own, with this library and these further lines of Cargo.toml.
fn guest(dir: &Path, manifest: &str, source: &str) -> PathBuf {
    let root = dir.join("guest");
    fs::create_dir_all(root.join("src")).unwrap();
    let package = "[package]\nname = \"my_guest\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    fs::write(root.join("Cargo.toml"), format!("{package}[workspace]\n{manifest}")).unwrap();
    fs::write(root.join("src/lib.rs"), source).unwrap();
    root
}

const CDYLIB: &str = "[lib]\ncrate-type = [\"cdylib\"]\n";

fn quiet() -> Options {
    Options { quiet: true, ..Options::default() }
}

/// The whole chain of causes.
fn report(error: &BuildError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

#[test]
fn a_guest_is_written_beside_its_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let bare = Path::new(env!("CARGO_MANIFEST_DIR")).join("../actors/bare");
    let wit = fs::canonicalize(bare.join("../../wit")).unwrap();
    let source = fs::read_to_string(bare.join("src/lib.rs")).unwrap();
    let source = source.replace("../../wit", &wit.display().to_string());
    let bindgen = "[dependencies]\nwit-bindgen = { version = \"0.61\", default-features = false, \
                   features = [\"macros\", \"realloc\"] }\n";
    let root = guest(dir.path(), &format!("{CDYLIB}{bindgen}"), &source);
    // The versions that the actors use, so that nothing needs to be looked up.
    fs::copy(bare.join("../Cargo.lock"), root.join("Cargo.lock")).unwrap();

    assert_eq!(build_guest(&root, &quiet()).unwrap(), root.join("my_guest.wasm"));

    fs::write(dir.path().join("my_guest.toml"), "").unwrap();
    assert_eq!(build_guest(&root, &quiet()).unwrap(), dir.path().join("my_guest.wasm"));

    let chosen = dir.path().join("out/of/the/way.wasm");
    let options = Options { component: Some(chosen.clone()), ..quiet() };
    assert_eq!(build_guest(&root, &options).unwrap(), chosen);
    let left = fs::read_dir(chosen.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "nothing but the component is left behind");
}

#[test]
fn a_library_that_is_no_actor_says_what_to_add() {
    let dir = tempfile::tempdir().unwrap();
    let root = guest(dir.path(), CDYLIB, "");
    let error = report(&build_guest(&root, &quiet()).unwrap_err());
    assert!(error.contains("my_guest") && error.contains("theater_actor::export!"), "{error}");
    assert!(!root.join("my_guest.wasm").exists());
}

#[test]
fn a_crate_that_makes_no_module_says_what_to_add() {
    let dir = tempfile::tempdir().unwrap();
    let root = guest(dir.path(), "", "");
    let error = report(&build_guest(&root, &quiet()).unwrap_err());
    assert!(error.contains("crate-type = [\"cdylib\"]"), "{error}");
}

#[test]
fn code_that_does_not_compile_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let root = guest(dir.path(), CDYLIB, "compile_error!(\"this guest is meant not to compile\");");
    assert!(matches!(build_guest(&root, &quiet()), Err(BuildError::Compile { .. })));
}

#[test]
fn a_folder_of_several_guests_asks_for_one() {
    let actors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../actors");
    let error = report(&build_guest(&actors, &quiet()).unwrap_err());
    assert!(error.contains("bare, counter"), "{error}");
}

#[test]
fn a_missing_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = report(&build_guest(&dir.path().join("nowhere"), &quiet()).unwrap_err());
    assert!(error.contains("nowhere"), "{error}");
}
