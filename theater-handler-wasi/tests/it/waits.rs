//! Waiting: on the runtime's clock, for the manifest's time at most, until a kill.

use std::time::Duration;

use serde_json::json;
use theater::{CallError, ErrorType, ExitReason, Shutdown};

use crate::stage::{CLERK, Stage};

const NAP: Duration = Duration::from_millis(1_500);

#[tokio::test]
async fn a_sleeping_guest_wakes_when_its_time_has_passed() {
    let stage = Stage::new();
    let clerk = stage.clerk().await;
    let (answer, ()) = tokio::join!(stage.ask(&clerk, "sleep 1500"), async {
        stage.clock.asleep(NAP).await;
        stage.clock.advance(NAP);
    });
    assert_eq!(answer, "1500");
    let timers = stage.host_calls(clerk.id(), "subscribe-duration").await;
    let pollable = timers[0]["result"][0].clone();
    assert_eq!((&timers[0]["params"], &pollable), (&json!([1_500_000_000_u64]), &json!(1)));
    let waited = stage.host_calls(clerk.id(), "[method]pollable.block").await;
    assert_eq!(waited[0]["params"], json!([pollable]), "handles are recorded as numbers");
    stage.verify(clerk.id()).await;
}

#[tokio::test]
async fn a_timer_that_was_dropped_leaves_its_number() {
    let stage = Stage::new();
    let clerk = stage.clerk().await;
    for _ in 0..3 {
        assert_eq!(stage.ask(&clerk, "sleep 0").await, "0");
    }
    for _ in 0..3 {
        let (_, ()) = tokio::join!(stage.ask(&clerk, "sleep 1500"), async {
            stage.clock.asleep(NAP).await;
            stage.clock.advance(NAP);
        });
    }
    let timers = stage.host_calls(clerk.id(), "subscribe-duration").await;
    assert!(timers.len() >= 3 && timers.iter().all(|timer| timer["result"] == json!([1])), "{timers:?}");
}

#[tokio::test]
async fn no_wait_is_longer_than_the_manifest_allows() {
    let stage = Stage::new();
    let more = format!("{CLERK}\n[limits]\nhost_call_timeout = \"2s\"\n");
    let clerk = stage.spawn("clerk", &more).await.unwrap();
    let limit = Duration::from_secs(2);
    let (answer, ()) = tokio::join!(stage.try_ask(&clerk, "sleep 60000"), async {
        stage.clock.asleep(limit).await;
        stage.clock.advance(limit);
    });
    let Err(CallError::Failed { error, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(error.kind, ErrorType::HostCallFailed);
    assert!(error.message.contains("block did not answer within 2s"), "{error}");
    stage.verify(clerk.id()).await;
}

#[tokio::test]
async fn a_kill_interrupts_a_wait() {
    let stage = Stage::new();
    let clerk = stage.clerk().await;
    let (answer, ()) = tokio::join!(stage.try_ask(&clerk, "sleep 1500"), async {
        stage.clock.asleep(NAP).await;
        stage.runtime.stop_actor_within(clerk.id(), Shutdown::BrutalKill).await.unwrap();
    });
    assert!(answer.is_err(), "{answer:?}");
    assert!(matches!(clerk.ended().await.unwrap(), ExitReason::Killed(_)));
    let waited = stage.host_calls(clerk.id(), "[method]pollable.block").await;
    assert_eq!(waited[0]["outcome"], "abandoned");
    stage.verify(clerk.id()).await;
}
