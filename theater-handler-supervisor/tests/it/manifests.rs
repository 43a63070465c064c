//! Which manifests an actor may start.

use std::os::unix::fs::symlink;

use serde_json::json;

use crate::support::Stage;

/// The end of a denial by the pattern that the parents here hold.
const HELD: &str =
    "this actor may start manifests = [\"workers/*.toml\"] (its manifest's supervisor entry, `permissions`)";
const WORKERS: &str = "permissions = { manifests = [\"workers/*.toml\"] }";

#[tokio::test]
async fn a_path_that_leads_out_of_the_folder_is_denied() {
    let stage = Stage::new();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.toml");
    std::fs::write(&secret, "name = \"secret\"").unwrap();
    symlink(&secret, stage.path().join("workers/link.toml")).unwrap();
    symlink(outside.path(), stage.path().join("workers/outside")).unwrap();
    symlink("../../..", stage.path().join("workers/up")).unwrap();
    for entry in ["", "permissions = { manifests = [\"**\"] }"] {
        let parent = stage.parent(entry).await;
        let held = if entry.is_empty() { "**/*.toml" } else { "**" };
        let relative = "a path is relative to the folder of the actor's manifest and stays below it";
        let leads_out = "it leads out of the folder of the actor's manifest";
        let absolute = secret.to_str().unwrap();
        for (path, reason) in [
            ("../secret.toml", relative),
            ("workers/../../secret.toml", relative),
            ("workers/../counter.toml", relative),
            (absolute, relative),
            ("/etc/hostname", relative),
            ("workers/link.toml", leads_out),
            ("workers/outside/secret.toml", leads_out),
        ] {
            let refused = stage.denied(&parent, &format!("spawn {path}"), "manifests").await;
            let expected = format!(
                "manifest {path} is not permitted: {reason}; this actor may start manifests = [\"{held}\"] (its \
                 manifest's supervisor entry, `permissions`)"
            );
            assert_eq!(refused, expected);
            assert_eq!(stage.denied(&parent, &format!("resume {path}"), "manifests").await, expected);
        }
    }
    stage.close().await;
}

#[tokio::test]
async fn a_path_that_no_pattern_covers_is_denied_whether_or_not_it_exists() {
    let stage = Stage::new();
    std::fs::create_dir(stage.path().join("workers/deep")).unwrap();
    std::fs::copy(stage.path().join("counter.toml"), stage.path().join("workers/deep/counter.toml")).unwrap();
    let parent = stage.parent(WORKERS).await;
    for path in [
        "counter.toml",
        "./counter.toml",
        "nothing.toml",
        "workers/deep/counter.toml",
        "workers/counter.wasm",
        "workers",
        "",
    ] {
        let refused = stage.denied(&parent, &format!("spawn {path}"), "manifests").await;
        assert_eq!(refused, format!("manifest {path} is not permitted: no pattern covers it; {HELD}"));
    }
    for path in ["workers/counter.toml", "./workers/counter.toml", "workers//counter.toml", "workers/./counter.toml"] {
        stage.child(&parent, path).await;
    }
    stage.close().await;
}

#[tokio::test]
async fn a_link_inside_the_folder_is_what_it_leads_to() {
    let stage = Stage::new();
    symlink("../counter.toml", stage.path().join("workers/uncovered.toml")).unwrap();
    symlink("counter.toml", stage.path().join("workers/covered.toml")).unwrap();
    symlink("workers/counter.toml", stage.path().join("elsewhere.toml")).unwrap();
    symlink("loop.toml", stage.path().join("workers/loop.toml")).unwrap();
    symlink("nothing.toml", stage.path().join("workers/dangling.toml")).unwrap();
    let parent = stage.parent(WORKERS).await;
    for (path, reason) in [
        ("workers/uncovered.toml", "it is a link to one that no pattern covers"),
        ("elsewhere.toml", "no pattern covers it"),
    ] {
        let refused = stage.denied(&parent, &format!("spawn {path}"), "manifests").await;
        assert_eq!(refused, format!("manifest {path} is not permitted: {reason}; {HELD}"));
    }
    for (path, reason) in [
        ("workers/loop.toml", "it cannot be read: Too many levels of symbolic links (os error 40)"),
        ("workers/dangling.toml", "there is no such file in the folder"),
    ] {
        let refused = stage.refused(&parent, &format!("spawn {path}"), json!("ok")).await;
        assert_eq!(refused, format!("manifest {path}: {reason}"));
    }
    stage.child(&parent, "workers/covered.toml").await;
    stage.close().await;
}

#[tokio::test]
async fn a_manifest_that_cannot_be_used_is_told_to_the_guest_in_its_own_words() {
    let stage = Stage::new();
    let parent = stage.parent("").await;
    std::fs::create_dir(stage.path().join("folder.toml")).unwrap();
    std::fs::write(stage.path().join("large.toml"), vec![b'#'; 2 << 20]).unwrap();
    std::fs::write(stage.path().join("text.wasm"), "no component").unwrap();
    for (path, text, expected) in [
        ("nothing.toml", None, "manifest nothing.toml: there is no such file in the folder"),
        ("workers/nothing.toml", None, "manifest workers/nothing.toml: there is no such file in the folder"),
        ("folder.toml", None, "manifest folder.toml: it is not a file"),
        ("large.toml", None, "manifest large.toml: it is larger than 1048576 bytes"),
        ("a.toml", Some("[limits]\nmemry = 3"), "a.toml:3: unknown key `memry`; did you mean `memory`?"),
        ("a.toml", Some(""), "a.toml: key `component` is missing; add it such as component = \"counter.wasm\""),
        ("a.toml", Some("\0"), "a.toml:2: the manifest cannot be read as TOML: key with no value, expected `=`"),
        (
            "a.toml",
            Some("component = \"none.wasm\""),
            "a.toml: `component` names none.wasm: there is no such file in the folder; build it with `theater build`",
        ),
        (
            "a.toml",
            Some("component = \"text.wasm\""),
            "a.toml: `component` names text.wasm: it is not a WebAssembly file; name the component that `theater build` wrote",
        ),
        (
            "a.toml",
            Some("component = \"counter.wasm\"\n[[handlers]]\ntype = \"message-server\""),
            "a.toml: component counter.wasm: it imports theater:simple/runtime@0.1.0, which handler `runtime` provides; \
             add to a.toml:\n\n[[handlers]]\ntype = \"runtime\"\n",
        ),
        (
            "a.toml",
            Some("component = \"counter.wasm\"\n[[handlers]]\ntype = \"runtme\""),
            "a.toml:3: this [[handlers]] entry names handler `runtme`, which this runtime does not have; did you mean `runtime`?",
        ),
    ] {
        if let Some(text) = text {
            stage.manifest(path, text);
        }
        assert_eq!(stage.refused(&parent, &format!("spawn {path}"), json!("ok")).await, expected);
    }
    // Not even with a byte that no path has, or one that is too long for a path.
    for path in ["a\0b.toml", &format!("{}.toml", "x".repeat(300)), &format!("{}.toml", "x/".repeat(3_000))] {
        let refused = stage.refused(&parent, &format!("spawn {path}"), json!("ok")).await;
        assert!(refused.contains(": it cannot be read: "), "{refused}");
    }
    stage.close().await;
}

#[tokio::test]
async fn what_an_entry_says_wrong_is_an_error_with_file_and_line() {
    let stage = Stage::new();
    for (entry, expected) in [
        ("strategi = 1", "parent.toml:10: `strategi`: unknown key `strategi`; did you mean `strategy`?"),
        (
            "permissions = { max_childen = 1 }",
            "parent.toml:10: unknown key `max_childen`; did you mean `max_children`?",
        ),
        (
            "permissions = { max_depth = -1 }",
            "parent.toml:10: `handlers.permissions.max_depth`: invalid value: integer `-1`, expected u32",
        ),
        (
            "permissions = { manifests = \"*\" }",
            "parent.toml:10: `handlers.permissions.manifests`: invalid type: string \"*\", expected a sequence",
        ),
        (
            "[handlers.permissions]\nmax_depth = 1\nmanifests = [\"[a\"]",
            "parent.toml:12: `handlers.permissions.manifests`: error parsing glob '[a': unclosed character class; missing ']'",
        ),
        (
            "permissions = { manifests = [\"a/../../*.toml\"] }",
            "parent.toml:10: `handlers.permissions.manifests`: pattern \"a/../../*.toml\" leads out of the folder; \
             patterns are relative to the manifest's folder, such as \"workers/*.toml\"",
        ),
        (
            "permissions = { manifests = [\"/etc/*\"] }",
            "parent.toml:10: `handlers.permissions.manifests`: pattern \"/etc/*\" leads out of the folder; \
             patterns are relative to the manifest's folder, such as \"workers/*.toml\"",
        ),
    ] {
        stage.relay("parent.toml", entry);
        let error = stage.try_spawn("parent.toml").await.err().unwrap();
        assert_eq!(stage.bare(&error.to_string()), expected);
    }
    stage.close().await;
}
