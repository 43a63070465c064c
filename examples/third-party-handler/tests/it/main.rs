//! The clock with a real actor.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use acme_clock::Clock;
use serde_json::Value;
use theater::chain::{Level, document, verify_actor};
use theater::{ManifestConfig, SpawnError, TheaterRuntime};
use theater_build::{Options, build_guest};
use theater_handler_runtime::RuntimeHandler;

#[test]
fn the_handler_fits_its_wit() {
    theater::testing::assert_links(Clock, concat!(env!("CARGO_MANIFEST_DIR"), "/wit"));
}

/// Builds the guest into a folder of the test's and puts its manifest beside it.
fn sleeper(folder: &Path) -> PathBuf {
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
    let options = Options {
        target_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest-build")),
        component: Some(folder.join("sleeper.wasm")),
        quiet: true,
    };
    build_guest(&guest, &options).unwrap();
    let manifest = folder.join("sleeper.toml");
    std::fs::copy(guest.join("sleeper.toml"), &manifest).unwrap();
    manifest
}

/// `docs/writing-a-handler.md` shows the files of this example as they are.
#[test]
fn the_guide_shows_these_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("../../docs/writing-a-handler.md")).unwrap();
    for file in ["wit/clock.wit", "src/lib.rs", "guest/src/lib.rs", "guest/sleeper.toml"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        assert!(guide.contains(&format!("\n{text}```\n")), "the guide does not show {file} as it is");
    }
}

#[tokio::test]
async fn what_the_clock_said_is_in_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = ManifestConfig::from_file(sleeper(folder.path())).unwrap();

    let runtime = TheaterRuntime::builder().handler(RuntimeHandler::new()).handler(Clock).build().unwrap();
    let actor = runtime.spawn_actor(manifest.clone()).await.unwrap();

    let events = runtime.get_actor_events(actor.id(), 0, usize::MAX).await.unwrap();
    let calls = events.iter().filter(|event| event.event_type == "host_call");
    let calls: Vec<Value> = calls.map(|event| document::to_json(&document::merged(event).unwrap()).unwrap()).collect();
    let functions: Vec<&str> = calls.iter().map(|call| call["function"].as_str().unwrap()).collect();
    assert_eq!(functions, ["now", "sleep", "now"]);
    assert_eq!(calls[0]["interface"], "acme:clock/clock@1.0.0");
    assert_eq!(calls[1]["params"][0], 20);

    let (before, after) = (calls[0]["result"][0].as_u64().unwrap(), calls[2]["result"][0].as_u64().unwrap());
    let state = runtime.get_actor_state(actor.id()).await.unwrap().unwrap();
    assert_eq!(state, format!("{{\"slept_ms\":{}}}", after - before));

    runtime.shutdown().await.unwrap();
    let entry = runtime.store().actor(actor.id()).await.unwrap().unwrap();
    let report = verify_actor(&**runtime.store(), &entry, Level::Full).await.unwrap();
    assert_eq!(report.fault, None);

    // A runtime that was composed without the clock says so.
    let bare = TheaterRuntime::builder().handler(RuntimeHandler::new()).build().unwrap();
    let refused: SpawnError = bare.spawn_actor(manifest).await.err().unwrap();
    assert!(refused.to_string().contains("acme-clock"), "{refused}");
}
