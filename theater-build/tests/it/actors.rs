//! A component exports what its actor asked for and imports what it calls, nothing else.

use std::collections::BTreeSet;
use std::fs;

use theater_build::testing;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldItem, WorldKey};

/// The interfaces of a component that have functions; those with types only need nobody.
struct Interfaces {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

fn interfaces(actor: &str) -> Interfaces {
    let bytes = fs::read(testing::component(actor)).unwrap();
    let DecodedWasm::Component(resolve, world) = wit_component::decode(&bytes).unwrap() else {
        panic!("{actor} is not a component");
    };
    let world = &resolve.worlds[world];
    Interfaces { imports: names(&resolve, world.imports.iter()), exports: names(&resolve, world.exports.iter()) }
}

fn names<'a>(resolve: &Resolve, items: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)>) -> BTreeSet<String> {
    items
        .filter(|(_, item)| match item {
            WorldItem::Interface { id, .. } => !resolve.interfaces[*id].functions.is_empty(),
            WorldItem::Function(_) | WorldItem::Type { .. } => true,
        })
        .map(|(key, _)| resolve.name_world_key(key))
        .collect()
}

#[track_caller]
fn check(actor: &str, imports: &[&str], exports: &[&str]) {
    let set =
        |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| format!("theater:simple/{name}")).collect() };
    let found = interfaces(actor);
    assert_eq!(found.imports, set(imports), "imports of {actor}");
    assert_eq!(found.exports, set(exports), "exports of {actor}");
}

const ACTOR: &str = "actor@0.1.0";
const MESSAGES: &str = "message-server-client@0.1.0";
const CHILDREN: &str = "supervisor-handlers@0.1.0";
const RUNTIME: &str = "runtime@0.1.0";
const SEND: &str = "message-server-host@0.1.0";
const SUPERVISOR: &str = "supervisor@0.1.0";
const SUPERVISION: &str = "supervision@0.1.0";

#[test]
fn an_actor_imports_only_what_it_calls() {
    for actor in ["counter", "ledger", "audit", "worker"] {
        check(actor, &[RUNTIME], &[ACTOR, MESSAGES]);
    }
    check("rogue", &[RUNTIME, SEND, SUPERVISOR, SUPERVISION], &[ACTOR, MESSAGES]);
}

#[test]
fn an_actor_exports_only_what_it_names() {
    let all_imports = [RUNTIME, SEND, SUPERVISOR, SUPERVISION];
    check("bank", &all_imports, &[ACTOR, MESSAGES, CHILDREN]);
    check("relay", &all_imports, &[ACTOR, MESSAGES, CHILDREN]);
    let all_exports =
        [ACTOR, MESSAGES, CHILDREN, "resumed@0.1.0", "supervision-policy@0.1.0", "supervision-events@0.1.0"];
    check("warden", &[RUNTIME, SUPERVISOR], &all_exports);
}

#[test]
fn an_actor_needs_neither_the_sdk_nor_a_version() {
    check("bare", &[RUNTIME], &[ACTOR, MESSAGES]);
    check("unversioned", &["runtime"], &["actor", "message-server-client"]);
}

#[test]
fn a_component_does_not_tell_where_it_was_built() {
    let bytes = fs::read(testing::component("bank")).unwrap();
    let repository = fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap();
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(!holds(repository.as_os_str().as_encoded_bytes()), "the repository's folder is in it");
    assert!(holds(b"bank/src/lib.rs"), "panics name their place");
}

#[test]
fn each_actor_has_its_manifest_beside_its_component() {
    for (actor, folder) in [("counter", "counter"), ("bank", "bank"), ("worker", "bank/worker")] {
        let manifest = testing::manifest(actor);
        assert!(manifest.ends_with(format!("guests/{folder}/{actor}.toml")), "{manifest:?}");
        let component = fs::read(manifest.with_extension("wasm")).unwrap();
        assert_eq!(component, fs::read(testing::component(actor)).unwrap());
    }
    assert!(testing::manifest("bank").with_file_name("bank.json").is_file());
}

#[test]
fn actors_are_staged_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = testing::stage(folder.path(), &["relay", "counter"]);
    assert_eq!(manifests, ["relay.toml", "counter.toml"].map(|file| folder.path().join(file)));
    assert!(folder.path().join("counter.wasm").is_file());
}
