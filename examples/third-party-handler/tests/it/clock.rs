//! The clock with a real actor.

use std::path::{Path, PathBuf};

use acme_clock::Clock;
use serde_json::Value;
use theater::chain::{Level, document, verify_actor};
use theater::{ManifestConfig, TheaterRuntime};
use theater_build::{Options, build_guest};
use theater_handler_runtime::RuntimeHandler;

#[test]
fn the_handler_fits_its_wit() {
    theater::testing::assert_links(Clock, concat!(env!("CARGO_MANIFEST_DIR"), "/wit"));
}

/// Builds the guest into `folder` and puts its manifest beside it.
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

#[tokio::test]
async fn what_the_clock_said_is_in_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = ManifestConfig::from_file(sleeper(folder.path())).unwrap();

    let runtime = TheaterRuntime::builder().handler(RuntimeHandler::new()).handler(Clock).build().unwrap();
    let actor = runtime.spawn_actor(manifest).await.unwrap();

    // The host calls, as the chain holds them.
    let events = runtime.get_actor_events(actor.id(), 0, usize::MAX).await.unwrap();
    let calls = events.iter().filter(|event| event.event_type == "host_call");
    let calls: Vec<Value> = calls.map(|event| document::to_json(&document::merged(event).unwrap()).unwrap()).collect();
    let functions: Vec<&str> = calls.iter().map(|call| call["function"].as_str().unwrap()).collect();
    assert_eq!(functions, ["now", "sleep", "now"]);
    assert_eq!(calls[1]["params"][0], 20);

    // The actor's state follows from them.
    let (before, after) = (calls[0]["result"][0].as_u64().unwrap(), calls[2]["result"][0].as_u64().unwrap());
    let state = runtime.get_actor_state(actor.id()).await.unwrap().unwrap();
    assert_eq!(state, format!("{{\"slept_ms\":{}}}", after - before));

    // Nothing in the chain was changed since it was written.
    runtime.shutdown().await.unwrap();
    let entry = runtime.store().actor(actor.id()).await.unwrap().unwrap();
    let report = verify_actor(&**runtime.store(), &entry, Level::Full).await.unwrap();
    assert_eq!(report.fault, None);
}
