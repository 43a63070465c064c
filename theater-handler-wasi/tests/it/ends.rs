//! How a program ends: `exit`, and what it says before it traps.

use theater::{CallError, ErrorType, ExitReason};

use crate::stage::Stage;

#[tokio::test]
async fn status_zero_is_a_normal_end_that_changes_no_state() {
    let stage = Stage::new();
    let clerk = stage.clerk().await;
    assert_eq!(stage.ask(&clerk, "entries").await, "1");
    let before = stage.runtime.get_actor_state(clerk.id()).await.unwrap();
    let n = 77;
    let outside = theater::Outside { source: "other", n };
    let answer = theater_handler_message_server::request(&clerk, outside, "exit 0").await;
    let said = format!("{answer:?}");
    assert!(said.contains("the actor exited in this call, with status 0"), "{said}");
    assert_eq!(clerk.ended().await.unwrap(), ExitReason::Normal(None));
    assert_eq!(stage.runtime.get_actor_state(clerk.id()).await.unwrap(), before);
    stage.verify(clerk.id()).await;
}

#[tokio::test]
async fn another_status_is_a_failure() {
    let stage = Stage::new();
    let clerk = stage.clerk().await;
    let answer = stage.try_ask(&clerk, "exit 3").await;
    let Err(CallError::Failed { error, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!((error.kind, error.message.as_str()), (ErrorType::GuestError, "it exited with status 1"));
    assert!(matches!(clerk.ended().await.unwrap(), ExitReason::Abnormal(_)));
    stage.verify(clerk.id()).await;
}

#[tokio::test]
async fn what_it_said_last_stands_in_its_error() {
    let stage = Stage::new();
    for (order, said) in [("complain", "something is wrong"), ("panic", "asked to panic")] {
        let clerk = stage.clerk().await;
        let answer = stage.try_ask(&clerk, order).await;
        let Err(CallError::Failed { error, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!(error.kind, ErrorType::Trap);
        assert!(error.message.contains(said) && error.message.contains("unreachable"), "{error}");
        stage.verify(clerk.id()).await;
    }
}
