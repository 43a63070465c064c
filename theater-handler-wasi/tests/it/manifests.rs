//! What the manifest must say, and what it may not.

use theater::SpawnError;

use crate::stage::Stage;

#[tokio::test]
async fn a_component_that_imports_wasi_is_refused_without_the_handler() {
    let stage = Stage::new();
    let error = stage.spawn("clerk", "").await.err().unwrap().to_string();
    assert!(error.contains("it imports wasi:") && error.contains("[[handlers]]\ntype = \"wasi\""), "{error}");
}

#[tokio::test]
async fn a_wrong_entry_is_told_with_its_line() {
    let stage = Stage::new();
    for (entry, reason) in [
        ("env = { \"A=B\" = \"1\" }", "is not the name of a variable"),
        ("env = { A = \"1\\u0000\" }", "has a NUL"),
        ("args = [\"x\", \"y\\u0000\"]", "has a NUL"),
        ("inherit_env = true", "unknown key"),
        ("args = \"x\"", "expected"),
    ] {
        let spawned = stage.spawn("clerk", &format!("[[handlers]]\ntype = \"wasi\"\n{entry}\n")).await;
        let error = spawned.err().unwrap();
        let SpawnError::Manifest(error) = error else { panic!("{error}") };
        assert_eq!(error.line, Some(13), "{error}");
        assert!(error.reason.contains(reason), "{error}");
    }
}
