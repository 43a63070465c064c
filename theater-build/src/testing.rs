//! The repository's own actors for tests: built once per process, and guarded so that tests which
//! run at the same time do not disturb each other.
//!
//! Everything here panics where it cannot go on, since a test fails by that.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::cargo::Guest;
use crate::guest::{Options, build_all};

/// The component of the actor `name` of this repository's `actors` workspace, as
/// `<target>/guests/<name>.wasm`. All of them are built at the first call; cargo decides what is
/// fresh.
///
/// # Panics
/// The actors do not build, or none has this name.
#[track_caller]
pub fn component(name: &str) -> PathBuf {
    match actors().get(name) {
        Some(actor) => actor.component.clone(),
        None => panic!("no actor `{name}` in {}: there are {:?}", sources().display(), actors().keys()),
    }
}

/// The component of the guest `name` in this repository's `actors/wasi`, a workspace of its own: its
/// guests need Rust's target `wasm32-wasip2`, the others do not.
///
/// # Panics
/// The guests do not build, or none has this name.
#[track_caller]
pub fn wasi_component(name: &str) -> PathBuf {
    static BUILT: OnceLock<BTreeMap<String, Actor>> = OnceLock::new();
    let guests = BUILT.get_or_init(|| build(&sources().join("wasi"), "wasi-guests"));
    match guests.get(name) {
        Some(guest) => guest.component.clone(),
        None => panic!("no guest `{name}` in {}: there are {:?}", sources().join("wasi").display(), guests.keys()),
    }
}

/// The manifest of the actor `name`, in a copy of its folder under `<target>/guests` with the
/// components in place: `<target>/guests/bank/bank.toml`, for example, whose children's manifests
/// are beside it.
///
/// # Panics
/// The actors do not build, or none has this name, or it has no manifest.
#[track_caller]
pub fn manifest(name: &str) -> PathBuf {
    let manifest = actors().get(name).and_then(|actor| actor.manifest.clone());
    match manifest {
        Some(manifest) => manifest,
        None => panic!("no manifest of an actor `{name}` in {}", sources().display()),
    }
}

/// Copies actors side by side into a folder, each as `<name>.toml` and `<name>.wasm` with its other
/// data files, so that one of them may spawn the others. Returns their manifests.
///
/// # Panics
/// The actors do not build, or one of the names is none of theirs.
#[track_caller]
pub fn stage(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    names
        .iter()
        .map(|name| {
            let manifest = manifest(name);
            copy_data(manifest.parent().unwrap_or(folder), folder);
            copy(&component(name), &folder.join(format!("{name}.wasm")));
            folder.join(format!("{name}.toml"))
        })
        .collect()
}

#[derive(Debug)]
struct Actor {
    component: PathBuf,
    manifest: Option<PathBuf>,
}

fn actors() -> &'static BTreeMap<String, Actor> {
    static BUILT: OnceLock<BTreeMap<String, Actor>> = OnceLock::new();
    BUILT.get_or_init(|| build(&sources(), "guests"))
}

/// Builds the workspace in `sources` into `<target>/<out>`.
fn build(sources: &Path, out: &str) -> BTreeMap<String, Actor> {
    let target = target_dir();
    let out = target.join(out);
    must(fs::create_dir_all(&out), "create", &out);
    // Held until the end of this function: another process waits here, then finds all fresh.
    let lock_file = out.join("lock");
    let lock = must(File::create(&lock_file), "create", &lock_file);
    must(lock.lock(), "lock", &lock_file);
    let options = Options {
        // Not the host's own target folder: the outer cargo may hold its lock.
        target_dir: Some(target.join("guest-build")),
        quiet: true,
        ..Options::default()
    };
    install(sources, &out, &options)
}

fn install(sources: &Path, out: &Path, options: &Options) -> BTreeMap<String, Actor> {
    let place = |guest: &Guest| out.join(format!("{}.wasm", guest.name));
    let built = match build_all(sources, options, place) {
        Ok(built) => built,
        Err(error) => panic!("the actors do not build: {}", causes(&error)),
    };
    built
        .into_iter()
        .map(|(Guest { name, dir, .. }, component)| {
            let place = out.join(dir.strip_prefix(sources).unwrap_or(Path::new("")));
            copy_data(&dir, &place);
            copy(&component, &place.join(format!("{name}.wasm")));
            let manifest = place.join(format!("{name}.toml"));
            let manifest = manifest.is_file().then_some(manifest);
            (name, Actor { component, manifest })
        })
        .collect()
}

/// Copies manifests and data files (not Cargo's) of one folder, without those below it.
fn copy_data(from: &Path, to: &Path) {
    must(fs::create_dir_all(to), "create", to);
    for entry in must(fs::read_dir(from), "list", from).flatten() {
        let path = entry.path();
        let extension = path.extension().and_then(OsStr::to_str);
        let is_data = matches!(extension, Some("toml" | "json" | "jsonl"));
        if is_data && path.is_file() && entry.file_name() != "Cargo.toml" {
            copy(&path, &to.join(entry.file_name()));
        }
    }
}

/// Copies a file by rename, and only where it differs: another test may be reading it.
fn copy(from: &Path, to: &Path) {
    let bytes = must(fs::read(from), "read", from);
    if let Err(error) = crate::guest::replace(to, &bytes) {
        panic!("{}", causes(&error));
    }
}

/// The `actors` workspace of the repository that this crate is part of.
fn sources() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../actors");
    must(fs::canonicalize(&dir), "find", &dir)
}

/// The target folder that the running test was built into: cargo marks it with a file.
fn target_dir() -> PathBuf {
    let test = env::current_exe().unwrap_or_default();
    let marked = test.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    match marked {
        Some(dir) => dir.to_owned(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
    }
}

#[track_caller]
fn must<T>(result: std::io::Result<T>, action: &str, path: &Path) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("cannot {action} {}: {error}", path.display()),
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
