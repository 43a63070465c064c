//! What the crate promises of itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

/// A chain is replayed by who has none of the handlers that wrote it.
#[test]
fn no_handler_is_among_the_dependencies() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "-p", "theater-replay", "-e", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.lines().any(|line| line.starts_with("theater-chain ")), "{tree}");
    let unwanted: Vec<_> =
        tree.lines().filter(|line| line.starts_with("theater-handler-") || line.starts_with("wasmtime-wasi")).collect();
    assert!(unwanted.is_empty(), "{unwanted:?}");
}
