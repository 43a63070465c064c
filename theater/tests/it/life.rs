//! An actor's life: spawn, call, trap, restart.

use theater::{ActorStatus, CallError, ErrorType, ExitReason, RestartFrom};

use crate::support::{ask, manifest, runtime, types, verify_all};

#[tokio::test]
async fn a_counter_counts_crashes_and_goes_on_with_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let counter = runtime.spawn_actor(manifest(folder.path(), "counter", "")).await.unwrap();
    assert_eq!(ask(&counter, 1, "inc").await.unwrap(), "1");
    assert_eq!(ask(&counter, 2, "add 41").await.unwrap(), "42");
    assert_eq!(ask(&counter, 3, "get").await.unwrap(), "42");
    let refused = ask(&counter, 4, "nonsense").await.unwrap_err();
    assert!(matches!(refused, CallError::Guest(_)), "{refused}");
    let failed = ask(&counter, 5, "crash").await.unwrap_err();
    let CallError::Failed { error, .. } = &failed else { panic!("{failed}") };
    assert_eq!(error.kind, ErrorType::Trap);
    assert!(error.message.contains("asked to crash at 42"), "{error}");
    assert_eq!(error.trap_code.as_deref(), Some("unreachable-code-reached"));
    let reason = counter.ended().await.unwrap();
    assert!(matches!(reason, ExitReason::Abnormal(_)), "{reason}");
    assert!(runtime.actor(counter.id()).is_none());
    runtime.restart_actor(counter.id(), RestartFrom::Resume).await.unwrap();
    let process = runtime.actor(counter.id()).unwrap();
    assert_eq!((process.incarnation, process.status), (2, ActorStatus::Running));
    assert_eq!(ask(&counter, 6, "get").await.unwrap(), "42");
    // A repeated id is answered from the record.
    assert_eq!(ask(&counter, 2, "add 41").await.unwrap(), "42");
    assert!(matches!(ask(&counter, 5, "crash").await.unwrap_err(), CallError::Failed { .. }));
    runtime.shutdown().await.unwrap();
    verify_all(&**runtime.store()).await;
    let types = types(&runtime, counter.id()).await;
    let expected = [
        "actor_started",
        "call", // init
        "state_updated",
        "message_accepted",
        "call",
        "state_updated",
        "message_accepted",
        "call",
        "state_updated",
        "message_accepted",
        "call",
        "call_returned", // get
        "message_accepted",
        "call",
        "call_returned", // err
        "message_accepted",
        "call",
        "host_call", // the panic's message
        "actor_error",
        "actor_terminated",
        "actor_started",
        "message_accepted",
        "call",
        "call_returned",
        "actor_terminated",
    ];
    assert_eq!(types, expected);
}
