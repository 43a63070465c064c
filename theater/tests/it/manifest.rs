//! Manifests that cannot be used: one sentence with file, line and key, and what to do.

use std::path::Path;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use theater::{
    Call, Denied, Effect, Handler, HostLinker, ManifestConfig, ManifestError, Result, SpawnError, Start, TheaterRuntime,
};

use crate::support::{ask, manifest, runtime, verify_all};

/// The first lines of each manifest here.
const HEAD: &str = "name = \"a\"\ncomponent = \"a.wasm\"\n";

fn read(source: impl AsRef<[u8]>) -> std::result::Result<ManifestConfig, ManifestError> {
    ManifestConfig::from_source("folder/a.toml", source.as_ref().to_vec())
}

/// The whole error of a manifest, without the file's name in front.
fn refused(source: impl AsRef<[u8]>) -> String {
    let source = source.as_ref();
    let error = match read(source) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{} is read", String::from_utf8_lossy(source)),
    };
    error.strip_prefix("folder/a.toml:").unwrap_or_else(|| panic!("{error}")).trim().to_owned()
}

#[test]
fn a_misspelt_key_is_named_with_its_line_and_the_one_that_was_meant() {
    for (more, expected) in [
        ("durabilty = \"sync\"", "3: unknown key `durabilty`; did you mean `durability`?"),
        ("\n# limits\n\n[limit]\n", "6: unknown key `limit`; did you mean `limits`?"),
        ("[limits]\nstate = \"1MiB\"\nmemry = \"1MiB\"", "5: unknown key `memry`; did you mean `memory`?"),
        ("limits.malbox = 3", "3: unknown key `malbox`; did you mean `mailbox`?"),
        ("limits = { log = \"1MiB/s\", rsult = \"1MiB\" }", "3: unknown key `rsult`; did you mean `result`?"),
        ("[[handler]]\ntype = \"runtime\"", "3: unknown key `handler`; did you mean `handlers`?"),
        ("[grant.runtime]", "3: unknown key `grant`; did you mean `grants`?"),
        (
            "x = 1",
            "3: unknown key `x`; known here: name, version, component, init_state, durability, pinned, limits, handlers, grants",
        ),
    ] {
        assert_eq!(refused(format!("{HEAD}{more}")), expected, "{more}");
    }
}

#[test]
fn a_missing_key_is_named_with_an_example() {
    for (text, expected) in [
        ("name = \"a\"\n\n", "key `component` is missing; add it such as component = \"counter.wasm\""),
        ("component = \"a.wasm\"", "key `name` is missing; add it such as name = \"counter\""),
        ("", "key `name` is missing; add it such as name = \"counter\""),
        ("# nothing but this\n", "key `name` is missing; add it such as name = \"counter\""),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_named_by_its_key() {
    for (more, expected) in [
        ("version = 1", "3: `version`: invalid type: integer `1`, expected a string"),
        ("init_state = true", "3: `init_state`: invalid type: boolean `true`, expected path string"),
        (
            "durability = \"batch\"",
            "3: `durability`: unknown variant `batch`, expected one of `sync`, `batched`, `ephemeral`",
        ),
        ("limits = 3", "3: `limits`: invalid type: integer `3`, expected a table of limits"),
        (
            "[limits]\n\nmemory = 64",
            "5: `limits.memory`: invalid type: integer `64`, expected a size such as \"64MiB\"",
        ),
        (
            "[limits]\ncall_timeout = 5",
            "4: `limits.call_timeout`: invalid type: integer `5`, expected a time such as \"5s\"",
        ),
        ("[limits]\nlog = true", "4: `limits.log`: invalid type: boolean `true`, expected a rate such as \"1MiB/s\""),
        (
            "[limits]\nmailbox = \"many\"",
            "4: `limits.mailbox`: invalid type: string \"many\", expected a number from 1 to 4294967295",
        ),
        ("handlers = 3", "3: handlers are listed one by one, each as a [[handlers]] table with a `type`"),
        ("handlers = [\"runtime\"]", "3: handlers are listed one by one, each as a [[handlers]] table with a `type`"),
        (
            "[handlers]\ntype = \"runtime\"",
            "3: handlers are listed one by one, each as a [[handlers]] table with a `type`",
        ),
        ("[[handlers]]\ntype = 5", "4: `type` is the name of a handler, a string"),
        (
            "[[handlers]]\ntype = \"dial\"\npermissions = true",
            "5: `permissions` is a table of permissions, such as { max_children = 10 }",
        ),
        ("grants = 1", "3: grants are tables: [grants.<handler>]"),
        ("grants.dial = 1", "3: `grants.dial` is a table of permissions, such as { max_children = 10 }"),
    ] {
        assert_eq!(refused(format!("{HEAD}{more}")), expected, "{more}");
    }
    let text = "component = \"a.wasm\"\nname = 3\n";
    assert_eq!(refused(text), "2: `name`: invalid type: integer `3`, expected a string");
}

#[test]
fn names_and_files_that_cannot_be() {
    let name = "1: `name` is a part of a path in the tree: not empty, without `/` and without control characters";
    for text in ["name = \"\"", "name = \"a/b\"", "name = \"a\\nb\"", "name = \"\\u001b[2J\""] {
        assert_eq!(refused(format!("{text}\ncomponent = \"a.wasm\"")), name, "{text}");
    }
    for path in ["", "a\\nb.wasm", "a\\u0000.wasm"] {
        let text = format!("name = \"a\"\n\ncomponent = \"{path}\"");
        assert_eq!(refused(text), "3: `component` is not the name of a file; name one in the manifest's folder");
        let text = format!("{HEAD}init_state = \"{path}\"");
        assert_eq!(refused(text), "3: `init_state` is not the name of a file; name one in the manifest's folder");
    }
}

#[test]
fn nothing_and_less_is_no_size_time_rate_or_count() {
    for (key, value, wanted) in [
        ("memory", "\"0\"", "\"0\" is not a size above zero; write one such as \"64MiB\" or \"512KiB\""),
        ("state", "\"0MiB\"", "\"0MiB\" is not a size above zero; write one such as \"64MiB\" or \"512KiB\""),
        ("result", "\"-5MiB\"", "\"-5MiB\" is not a size above zero; write one such as \"64MiB\" or \"512KiB\""),
        ("host_call_bytes", "\"much\"", "\"much\" is not a size above zero; write one such as \"64MiB\" or \"512KiB\""),
        ("memory", "\"\"", "\"\" is not a size above zero; write one such as \"64MiB\" or \"512KiB\""),
        ("log", "\"0MiB/s\"", "\"0MiB/s\" is not a rate above zero; write one such as \"1MiB/s\""),
        ("log", "\"1MiB\"", "\"1MiB\" is not a rate above zero; write one such as \"1MiB/s\""),
        ("call_timeout", "\"0s\"", "\"0s\" is not a time above zero; write one such as \"500ms\", \"5s\" or \"2m\""),
        ("init_timeout", "\"-1s\"", "\"-1s\" is not a time above zero; write one such as \"500ms\", \"5s\" or \"2m\""),
        ("host_call_timeout", "\"5\"", "\"5\" is not a time above zero; write one such as \"500ms\", \"5s\" or \"2m\""),
        (
            "call_timeout",
            "\"99999999999999999999y\"",
            "\"99999999999999999999y\" is not a time above zero; write one such as \"500ms\", \"5s\" or \"2m\"",
        ),
        ("mailbox", "0", "invalid value: integer `0`, expected a number from 1 to 4294967295"),
        ("mailbox", "-1", "invalid value: integer `-1`, expected a number from 1 to 4294967295"),
        ("mailbox", "4294967296", "invalid value: integer `4294967296`, expected a number from 1 to 4294967295"),
    ] {
        assert_eq!(refused(format!("{HEAD}[limits]\n{key} = {value}")), format!("4: `limits.{key}`: {wanted}"));
    }
}

#[tokio::test]
async fn an_actor_lives_under_absurd_limits() {
    let most = "[limits]\nmemory = \"17EiB\"\nstate = \"99999EiB\"\nresult = \"17EiB\"\nhost_call_bytes = \"17EiB\"\n\
                log = \"17EiB/s\"\nmailbox = 4294967295\ncall_timeout = \"500000000000y\"\n\
                init_timeout = \"500000000000y\"\nhost_call_timeout = \"500000000000y\"\n";
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let counter = runtime.spawn_actor(manifest(folder.path(), "counter", most)).await.unwrap();
    assert_eq!(ask(&counter, 1, "inc").await.unwrap(), "1");
    assert_eq!(
        ask(&counter, 2, "wait 1").await.unwrap_err().to_string(),
        ask(&counter, 3, "wait 1").await.unwrap_err().to_string()
    );
    runtime.shutdown().await.unwrap();
    verify_all(&**runtime.store()).await;
}

#[tokio::test]
async fn an_actor_that_its_limits_leave_no_room_ends_and_says_which() {
    for (limit, named) in [
        ("memory = \"1B\"", "limit `memory`"),
        ("state = \"1B\"", "limit `state`"),
        ("result = \"1B\"", "limit `result`"),
        ("host_call_bytes = \"1B\"", "too much data is being copied between the host and the guest"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let runtime = runtime();
        let manifest = manifest(folder.path(), "bare", &format!("[limits]\n{limit}\n"));
        let refused = match runtime.spawn_actor(manifest).await {
            Err(error) => error.to_string(),
            Ok(actor) => ask(&actor, 1, "inc").await.unwrap_err().to_string(),
        };
        assert!(refused.contains(named), "{limit}: {refused}");
        runtime.shutdown().await.unwrap();
        assert!(runtime.actors().is_empty());
        verify_all(&**runtime.store()).await;
    }
}

#[test]
fn a_file_that_is_no_manifest() {
    for (source, expected) in [
        (&b"name = \"a\"\nname = \"b\""[..], "2: key `name` is given twice; keep one"),
        (b"\n\nthis is not TOML", "3: the manifest cannot be read as TOML: key with no value, expected `=`"),
        (b"{\"name\": \"a\"}", "1: the manifest cannot be read as TOML: invalid key-value pair, expected key"),
        (b"\0asm\x0d\0\x01\0", "1: the manifest cannot be read as TOML: key with no value, expected `=`"),
        (b"name = \"a\"\n# \xff", "2: the manifest is not UTF-8 text; save it as UTF-8"),
        (b"\xff\xfen\0a\0", "1: the manifest is not UTF-8 text; save it as UTF-8"),
    ] {
        assert_eq!(refused(source), expected, "{}", String::from_utf8_lossy(source));
    }
}

#[test]
fn nesting_without_end_is_refused() {
    const DEEP: usize = 300_000;
    for text in [
        format!("a = {}", "[".repeat(DEEP)),
        format!("a = {}", "{a=".repeat(DEEP)),
        format!("{} = 1", vec!["a"; DEEP].join(".")),
        format!("[{}]", vec!["a"; DEEP].join(".")),
    ] {
        let error = refused(&text);
        assert!(error.contains("the manifest cannot be read as TOML") && error.contains("recurs"), "{error}");
    }
}

#[test]
fn a_file_that_is_none_or_far_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.toml");
    std::fs::write(&large, format!("{HEAD}# {}", "x".repeat(10 << 20))).unwrap();
    for (path, expected) in [
        (large.as_path(), "the manifest is larger than 1048576 bytes; is this a manifest?"),
        (&folder.path().join("none.toml"), "the manifest cannot be read: No such file or directory (os error 2)"),
        (folder.path(), "the manifest cannot be read: Is a directory (os error 21)"),
        (Path::new("/dev/zero"), "the manifest is larger than 1048576 bytes; is this a manifest?"),
    ] {
        let error = ManifestConfig::from_file(path).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: {expected}", path.display()));
    }
}

#[test]
fn an_error_is_one_line_whatever_it_quotes() {
    for key in ["\"a\\nb\"", "\"\\u001b[31m\"", "\"\\u0000\"", &format!("\"{}\"", "x".repeat(100_000))] {
        let error = refused(format!("{HEAD}{key} = 1"));
        assert!(error.starts_with("3: unknown key `") && !error.contains(char::is_control), "{error:?}");
        assert!(error.len() < 2_000);
    }
}

/// A handler with a configuration and permissions; it refuses unknown keys only where the core does.
struct Dial;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    speed: u32,
    line: Option<Line>,
}

#[derive(Debug, Default, Deserialize)]
struct Line {
    #[serde(default, with = "theater::duration")]
    wait: std::time::Duration,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Permissions {
    calls: u32,
    hosts: Vec<String>,
}

impl Handler for Dial {
    const NAME: &'static str = "dial";
    const VERSION: &'static str = "1.0.0";
    type Config = Config;
    type Permissions = Permissions;
    type State = Config;

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        host.interface("test:dial/dial@1.0.0")?.func("speed", Effect::Read, |mut call: Call<'_, Self>, ()| {
            let config = call.state();
            Ok((config.speed + u32::from(config.line.as_ref().is_some_and(|line| line.wait.is_zero())),))
        })?;
        Ok(())
    }

    async fn start(&self, _: Start<'_>, config: Config, _: Permissions) -> Result<Config> {
        Ok(config)
    }

    fn narrow(held: &Permissions, asked: Permissions) -> std::result::Result<Permissions, Denied> {
        if asked.calls > held.calls || asked.hosts.iter().any(|host| !held.hosts.contains(host)) {
            return Err(Denied::new("less is held"));
        }
        Ok(asked)
    }
}

/// The error of a spawn in a runtime with [`Dial`], of a manifest without a component: what is
/// wrong is found before that is missed.
async fn not_spawned(more: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, format!("{HEAD}{more}")).unwrap();
    let runtime = TheaterRuntime::builder().handler(Dial).build().unwrap();
    let error = match ManifestConfig::from_file(&path) {
        Ok(manifest) => runtime.spawn_actor(manifest).await.err().unwrap(),
        Err(error) => error.into(),
    };
    assert!(runtime.actors().is_empty());
    assert!(runtime.store().actors(None, 1).await.unwrap().is_empty(), "nothing is recorded");
    let error = match error {
        SpawnError::Manifest(error) => error.to_string(),
        SpawnError::File { ref reason, .. } => reason.clone(),
        error => panic!("{error}"),
    };
    error.replace(&format!("{}", path.display()), "a.toml").replace(&format!("{}", folder.path().display()), "folder")
}

#[tokio::test]
async fn a_handlers_own_keys_are_checked_with_their_lines() {
    let entry = "[[handlers]]\ntype = \"dial\"\n";
    for (more, expected) in [
        ("sped = 1", "a.toml:5: unknown key `sped`; did you mean `speed`?"),
        ("\n\nsped = 1", "a.toml:7: unknown key `sped`; did you mean `speed`?"),
        ("speed = \"fast\"", "a.toml:5: `handlers.speed`: invalid type: string \"fast\", expected u32"),
        ("speed = -1", "a.toml:5: `handlers.speed`: invalid value: integer `-1`, expected u32"),
        ("volume = 11", "a.toml:5: unknown key `volume`; known here: speed, line"),
        ("line = { wait = \"1s\", wiat = 1 }", "a.toml:5: unknown key `line.wiat`; remove it"),
        ("[handlers.line]\nwait = \"1s\"\n\nx.y = 3", "a.toml:8: unknown key `line.x`; remove it"),
        (
            "[handlers.line]\nwait = \"soon\"",
            "a.toml:6: `handlers.line.wait`: \"soon\" is not a time above zero; write one such as \"500ms\", \"5s\" or \"2m\"",
        ),
        ("permissions = { clals = 3 }", "a.toml:5: unknown key `clals`; remove it"),
        (
            "[handlers.permissions]\ncalls = 1\nhosts = 3",
            "a.toml:7: `handlers.permissions.hosts`: invalid type: integer `3`, expected a sequence",
        ),
        ("[handlers.permissions]\ncalls = 1\nhots = []", "a.toml:7: unknown key `hots`; remove it"),
    ] {
        assert_eq!(not_spawned(&format!("{entry}{more}")).await, expected, "{more}");
    }
    // The one that is wrong, not the first of the handlers.
    let two = "[[handlers]]\ntype = \"dial\"\nspeed = 1\n[[handlers]]\ntype = \"dial\"\n";
    assert_eq!(not_spawned(two).await, "a.toml:6: handler `dial` is listed twice; keep one [[handlers]] entry for it");
}

#[tokio::test]
async fn a_handler_that_there_is_not_is_named_with_the_one_that_was_meant() {
    for (more, expected) in [
        (
            "[[handlers]]\ntype = \"dail\"",
            "a.toml:3: this [[handlers]] entry names handler `dail`, which this runtime does not have; did you mean `dial`?",
        ),
        (
            "[[handlers]]\ntype = \"dial\"\n[[handlers]]\ntype = \"teleport\"",
            "a.toml:5: this [[handlers]] entry names handler `teleport`, which this runtime does not have; it was composed with: dial",
        ),
        (
            "[[handlers]]\nspeed = 3",
            "a.toml:3: this [[handlers]] entry has no `type`; add one such as type = \"runtime\"",
        ),
        (
            "\n[grants.dail]\ncalls = 1",
            "a.toml:4: [grants.dail] names handler `dail`, which this runtime does not have; did you mean `dial`?",
        ),
        ("[grants.dial]\ncalls = \"all\"", "a.toml:4: `grants.dial.calls`: invalid type: string \"all\", expected u32"),
        ("[grants.dial]\n\ncals = 1", "a.toml:5: unknown key `cals`; remove it"),
        (
            "[[handlers]]\ntype = \"dial\"\n[grants.dial]\ncalls = 1",
            "a.toml:5: handler `dial` is listed and granted; what is listed is held for children too, so remove [grants.dial]",
        ),
        // Nothing wrong but that there is no component.
        (
            "[[handlers]]\ntype = \"dial\"\nspeed = 3\npermissions = { calls = 1 }",
            "there is no such file in folder; build it with `theater build`",
        ),
    ] {
        assert_eq!(not_spawned(more).await, expected, "{more}");
    }
}

#[tokio::test]
async fn a_runtime_without_handlers_says_so() {
    let runtime = TheaterRuntime::builder().build().unwrap();
    let manifest = read(format!("{HEAD}[[handlers]]\ntype = \"runtime\"")).unwrap();
    let error = runtime.spawn_actor(manifest).await.err().unwrap().to_string();
    assert_eq!(
        error,
        "folder/a.toml:3: this [[handlers]] entry names handler `runtime`, which this runtime does not have; it was \
         composed without handlers"
    );
}

/// A manifest with everything in it.
const FULL: &str = r#"name = "bank"
version = "0.1.0"
component = "bank.wasm"
init_state = "state.json"
durability = "batched"

[limits]
memory = "64MiB"
state = "16MiB"
init_timeout = "30s"
call_timeout = "5s"
mailbox = 1024
host_call_timeout = "30s"
host_call_bytes = "128MiB"
result = "16MiB"
log = "1MiB/s"

[[handlers]]
type = "dial"
speed = 3
line = { wait = "1s" }
permissions = { calls = 3, hosts = ["a", "b"] }

[grants.other]
some = [1, 2, { three = 3 }]
"#;

/// What is done to a manifest's bytes.
#[derive(Debug, Clone)]
enum Edit {
    Put(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Copy(usize, usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = 0..FULL.len();
    let token = prop_oneof![
        Just("[".to_owned()),
        Just("]]".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("\"".to_owned()),
        Just("\n".to_owned()),
        Just(" = ".to_owned()),
        Just(".".to_owned()),
        Just("9999999999999999999".to_owned()),
        Just("nan".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        Just("[[handlers]]\n".to_owned()),
        "\\PC{0,4}",
    ];
    prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Edit::Put(at, byte)),
        (at.clone(), token).prop_map(|(at, token)| Edit::Insert(at, token.into_bytes())),
        (at.clone(), 0..40_usize).prop_map(|(at, len)| Edit::Remove(at, len)),
        (at.clone(), 0..60_usize, at).prop_map(|(from, len, to)| Edit::Copy(from, len, to)),
    ]
}

fn edited(edits: &[Edit]) -> Vec<u8> {
    let mut bytes = FULL.as_bytes().to_vec();
    for edit in edits {
        let (len, clamp) = (bytes.len(), |at: &usize| (*at).min(bytes.len()));
        match edit {
            Edit::Put(at, byte) if *at < len => bytes[*at] = *byte,
            Edit::Put(..) => {}
            Edit::Insert(at, token) => {
                let at = clamp(at);
                bytes.splice(at..at, token.iter().copied());
            }
            Edit::Remove(at, count) => drop(bytes.drain(clamp(at)..clamp(&(at + count)))),
            Edit::Copy(from, count, to) => {
                let copied = bytes[clamp(from)..clamp(&(from + count))].to_vec();
                let to = clamp(to);
                bytes.splice(to..to, copied);
            }
        }
    }
    bytes
}

/// Reads it, and asks the runtime for an actor of it: either is an actor's one clear error.
fn never_panics(source: &[u8]) {
    let error = match read(source) {
        Err(error) => error,
        Ok(manifest) => {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _in = tokio.enter();
            match tokio.block_on(dial().spawn_actor(manifest)).err().unwrap() {
                SpawnError::Manifest(error) => error,
                _ => return,
            }
        }
    };
    assert!(!error.to_string().contains(char::is_control) && error.reason.len() > 10, "{error}");
    let lines = source.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{error}");
}

/// One runtime for all: an engine costs more than a manifest.
fn dial() -> &'static TheaterRuntime {
    static RUNTIME: std::sync::OnceLock<(tokio::runtime::Runtime, TheaterRuntime)> = std::sync::OnceLock::new();
    let (_, runtime) = RUNTIME.get_or_init(|| {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let runtime = tokio.block_on(async { TheaterRuntime::builder().handler(Dial).build().unwrap() });
        (tokio, runtime)
    });
    runtime
}

proptest! {
    #[test]
    fn random_bytes_are_an_error(source in prop::collection::vec(any::<u8>(), 0..200)) {
        never_panics(&source);
    }

    #[test]
    fn random_text_is_an_error(source in "\\PC{0,20}(=|\n|\\[|\\]|\"|\\PC){0,40}") {
        never_panics(source.as_bytes());
    }

    #[test]
    fn a_mutated_manifest_is_read_or_an_error(edits in prop::collection::vec(edit(), 0..6)) {
        never_panics(&edited(&edits));
    }
}
