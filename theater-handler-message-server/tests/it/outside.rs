//! Messages from the program that runs the actors.

use theater::{CallError, Outside};
use theater_handler_message_server::{request, send};

use crate::support::Stage;

fn from(n: u64) -> Outside<'static> {
    Outside { source: "outside", n }
}

#[tokio::test]
async fn a_repeated_request_gets_the_recorded_answer() {
    let stage = Stage::new();
    let counter = stage.counter().await;
    assert_eq!(request(&counter, from(1), "inc").await.unwrap().unwrap(), b"1");
    assert_eq!(request(&counter, from(2), "inc").await.unwrap().unwrap(), b"2");
    assert_eq!(request(&counter, from(1), "inc").await.unwrap().unwrap(), b"1");
    assert_eq!(request(&counter, from(3), "get").await.unwrap().unwrap(), b"2");
    stage.verify(counter.id()).await;
}

#[tokio::test]
async fn the_guest_sees_the_requests_id_and_may_give_no_answer() {
    let stage = Stage::new();
    let courier = stage.courier("a", "").await;
    assert_eq!(request(&courier, from(7), "mute").await.unwrap(), None);
    let call = &stage.documents(courier.id(), "call").await[1];
    assert_eq!(call["message_id"], "outside/7");
    assert_eq!(call["params"][0], "outside/7");
}

#[tokio::test]
async fn a_sent_message_is_processed_once() {
    let stage = Stage::new();
    let courier = stage.courier("a", "").await;
    for n in [1, 2, 1] {
        send(&courier, from(n), format!("message {n}")).await.unwrap();
    }
    assert_eq!(stage.ask(&courier, "got").await, "message 1\nmessage 2");
}

#[tokio::test]
async fn a_guests_err_and_its_crash_are_errors_of_the_request() {
    let stage = Stage::new();
    let counter = stage.counter().await;
    let Err(CallError::Guest(refused)) = request(&counter, from(1), "dance").await else { panic!() };
    assert!(refused.starts_with("unknown request"), "{refused}");
    let Err(CallError::Failed { error, .. }) = request(&counter, from(2), "crash").await else { panic!() };
    assert!(error.message.contains("asked to crash at 0"), "{error}");
    assert!(matches!(request(&counter, from(3), "get").await, Err(CallError::NotFound(_) | CallError::Ended { .. })));
}
