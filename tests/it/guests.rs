//! Guests that were not made by the SDK: other bindings, and bytes that no compiler would write.

use theater::{ErrorType, SpawnError};
use theater_tests::{HANDLERS, World};

#[tokio::test]
async fn guests_without_the_sdk_count_and_are_recorded_under_the_names_that_they_use() {
    let world = World::new(&["bare", "unversioned"]);
    for (name, version) in [("bare", "@0.1.0"), ("unversioned", "")] {
        let actor = world.spawn(name).await;
        world.send(&actor, "inc").await.unwrap();
        assert_eq!(world.ask(&actor, "inc").await, "2");
        assert_eq!(world.ask(&actor, "get").await, "2");
        let refused = world.try_ask(&actor, "nonsense").await.unwrap_err();
        assert_eq!(refused.to_string(), "unknown request: try inc or get");
        let state = world.runtime.get_actor_state(actor.id()).await.unwrap().unwrap();
        assert_eq!(state[..], 2_u64.to_le_bytes());
        world.runtime.restart_actor(actor.id(), theater::RestartFrom::Resume).await.unwrap();
        assert_eq!(world.ask(&actor, "inc").await, "3");

        let named = |events: &[serde_json::Value]| -> Vec<String> {
            let name = |key: &str, event: &serde_json::Value| event[key].as_str().unwrap().to_owned();
            events.iter().map(|event| format!("{}#{}", name("interface", event), name("function", event))).collect()
        };
        let calls = named(&world.of_type(actor.id(), "call").await);
        assert_eq!(calls[0], format!("theater:simple/actor{version}#init"));
        assert_eq!(calls[1], format!("theater:simple/message-server-client{version}#handle-send"));
        assert_eq!(calls[2], format!("theater:simple/message-server-client{version}#handle-request"));
        assert_eq!(calls.len(), 6);
        let host_calls = named(&world.of_type(actor.id(), "host_call").await);
        assert_eq!(host_calls, [format!("theater:simple/runtime{version}#log")]);
    }
    world.close().await;
}

/// An actor whose `init` runs this core code, with `$send`, `$log` and 5 MiB of memory;
/// what the code leaves on the stack is where init's result lies.
fn attacker(init: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
  (import "theater:simple/message-server-host@0.1.0" (instance $host
    (export "send" (func (param "actor-id" string) (param "msg" (list u8)) (result (result (error string)))))))
  (import "theater:simple/runtime@0.1.0" (instance $runtime
    (type $levels (enum "trace" "debug" "info" "warn" "error"))
    (export "log-level" (type $level (eq $levels)))
    (export "log" (func (param "level" $level) (param "msg" string)))))
  (core module $libc
    (memory (export "memory") 80)
    (data (i32.const 64) "\ff\fe")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
  (core instance $libc (instantiate $libc))
  (core func $send (canon lower (func $host "send") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $log (canon lower (func $runtime "log") (memory (core memory $libc "memory"))))
  (core module $main
    (import "host" "send" (func $send (param i32 i32 i32 i32 i32)))
    (import "host" "log" (func $log (param i32 i32 i32)))
    (import "libc" "memory" (memory 80))
    (func (export "init") (param i32 i32 i32 i32 i32) (result i32)
      {init}))
  (core instance $main (instantiate $main
    (with "host" (instance (export "send" (func $send)) (export "log" (func $log))))
    (with "libc" (instance $libc))))
  (func $init (param "state" (option (list u8))) (param "params" (tuple string))
    (result (result (tuple (option (list u8))) (error string)))
    (canon lift (core func $main "init") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (instance $actor (export "init" (func $init)))
  (export "theater:simple/actor@0.1.0" (instance $actor)))"#
    );
    wat::parse_str(text).unwrap()
}

/// The result of an init that went well and has no state: zeros.
const FINE: &str = "(i32.const 4096)";

/// How an actor ends whose init does this, under these limits. Somebody else answers before and
/// after, and the host takes no memory for what is only claimed.
async fn attack(init: &str, limits: &str) -> (ErrorType, String) {
    let world = World::new(&["counter"]);
    world.manifest("attacker", "attacker", &format!("[limits]\n{limits}\n{HANDLERS}"));
    std::fs::write(world.path().join("attacker.wasm"), attacker(init)).unwrap();
    let quiet = world.spawn("counter").await;
    assert_eq!(world.ask(&quiet, "inc").await, "1");
    let before = resident_kib();
    let error = world.try_spawn("attacker").await.unwrap_err();
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 1 << 20, "the host grew by {grown} KiB");
    let SpawnError::Failed { id, error, .. } = error else { panic!("{init}: {error}") };
    let types: Vec<_> = world.events(id).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(types[..2], ["actor_started", "call"], "{init}");
    assert_eq!(types[types.len() - 2..], ["actor_error", "actor_terminated"], "{init}");
    let recorded = world.of_type(id, "actor_error").await;
    assert_eq!(recorded[0]["message"], error.message, "{init}");
    assert_eq!(world.runtime.actors().len(), 1, "only the other one is left");
    assert_eq!(world.ask(&quiet, "inc").await, "2");
    world.close().await;
    (error.kind, error.message)
}

/// The memory of this process, in KiB, as it is now.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What these inits end with, each by an error of the host's reading.
async fn attacks(limits: &str, cases: &[(&str, &str)]) {
    for (init, expected) in cases {
        let init = format!("{init} {FINE}");
        let (kind, message) = attack(&init, limits).await;
        let expected = format!("what it passed to the host or returned cannot be read: {expected}");
        assert_eq!((kind, message), (ErrorType::HostCallFailed, expected), "{init}");
    }
}

#[tokio::test]
async fn arguments_and_results_that_claim_memory_which_is_not_there() {
    let (list, string) =
        ("list pointer/length out of bounds of memory", "string pointer/length out of bounds of memory");
    attacks(
        "",
        &[
            // A message, an id and a log line of 3 GiB.
            ("(call $send (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0xc0000000) (i32.const 512))", list),
            ("(call $send (i32.const 0) (i32.const 0xc0000000) (i32.const 0) (i32.const 0) (i32.const 512))", string),
            ("(call $log (i32.const 2) (i32.const 0) (i32.const 0xc0000000))", string),
            // Behind the end, and so far behind that it wraps around.
            ("(call $log (i32.const 2) (i32.const 0x500000) (i32.const 1))", string),
            ("(call $log (i32.const 2) (i32.const 0xffffffff) (i32.const 2))", string),
            // A place for the answer that is not there.
            (
                "(call $send (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0xfffffff0))",
                "pointer out of bounds",
            ),
            // A state of 3 GiB, and a result that is not there.
            ("(i32.store8 (i32.const 4100) (i32.const 1)) (i32.store (i32.const 4108) (i32.const 0xc0000000))", list),
            ("(return (i32.const 0xfffffff0))", "pointer out of bounds of memory"),
        ],
    )
    .await;
}

#[tokio::test]
async fn arguments_and_results_that_are_no_values_of_their_types() {
    attacks(
        "",
        &[
            (
                "(call $log (i32.const 2) (i32.const 64) (i32.const 2))",
                "invalid utf-8 sequence of 1 bytes from index 0",
            ),
            ("(call $log (i32.const 5) (i32.const 0) (i32.const 0))", "unexpected discriminant: 5"),
            ("(i32.store8 (i32.const 4096) (i32.const 7))", "invalid expected discriminant"),
            ("(return (i32.const 4097))", "return pointer not aligned"),
        ],
    )
    .await;
}

#[tokio::test]
async fn arguments_and_results_that_are_more_than_the_manifest_permits() {
    let fuel = "too much data is being copied between the host and the guest: fuel allocated for hostcalls has been \
                exhausted; the manifest's limit is `host_call_bytes`";
    attacks(
        "host_call_bytes = \"1MiB\"",
        &[
            ("(call $send (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x200000) (i32.const 512))", fuel),
            ("(call $log (i32.const 2) (i32.const 0) (i32.const 0x200000))", fuel),
            ("(i32.store8 (i32.const 4100) (i32.const 1)) (i32.store (i32.const 4108) (i32.const 0x200000))", fuel),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_attacker_itself_is_an_actor() {
    let world = World::new(&[]);
    world.manifest("attacker", "attacker", HANDLERS);
    std::fs::write(world.path().join("attacker.wasm"), attacker(FINE)).unwrap();
    let actor = world.spawn("attacker").await;
    assert_eq!(world.runtime.get_actor_state(actor.id()).await.unwrap(), None);
    world.close().await;
}
