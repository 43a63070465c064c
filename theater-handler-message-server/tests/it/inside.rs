//! Messages between actors.

use theater::CallError;

use crate::support::{ANY, Stage};

#[tokio::test]
async fn an_actor_asks_another_and_both_chains_hold_it() {
    let stage = Stage::new();
    let (a, b) = (stage.courier("a", ANY).await, stage.courier("b", "").await);
    assert_eq!(stage.ask(&a, &format!("request {} hello", b.id())).await, "hello");

    let begun = &stage.documents(a.id(), "host_call_begun").await[0];
    assert_eq!(begun["function"], "request");
    assert_eq!(begun["effect"], "write-idempotent");
    let answered = &stage.documents(b.id(), "call").await[1];
    let message_id = answered["message_id"].as_str().unwrap();
    assert!(message_id.starts_with(&format!("{}/", a.id())) && message_id.ends_with("/0"), "{message_id}");
    assert_eq!(answered["params"][0], message_id, "the request's id is the message's");
    stage.verify(a.id()).await;
    stage.verify(b.id()).await;
}

#[tokio::test]
async fn what_the_other_does_not_answer_is_an_err() {
    let stage = Stage::new();
    let (a, b) = (stage.courier("a", ANY).await, stage.courier("b", "").await);
    let id = b.id();
    assert_eq!(stage.ask(&a, &format!("request {id} err out of stamps")).await, "error: out of stamps");
    assert_eq!(stage.ask(&a, &format!("request {id} mute")).await, format!("error: actor {id} gave no answer"));
    let crashed = stage.ask(&a, &format!("request {id} send-then-panic {id} x")).await;
    assert!(crashed.starts_with(&format!("error: actor {id} failed: ")), "{crashed}");
    assert!(crashed.contains("told to panic after a send"), "{crashed}");
    let gone = stage.ask(&a, &format!("request {id} hello")).await;
    assert_eq!(gone, format!("error: actor {id} is not found"));
}

#[tokio::test]
async fn a_request_waits_for_its_timeout_and_no_longer() {
    let stage = Stage::new();
    let a = stage.courier("a", &format!("request_timeout = \"50ms\"\n{ANY}")).await;
    let b = stage.try_courier("b", "", "[limits]\ncall_timeout = \"200ms\"").await.unwrap();
    let late = stage.ask(&a, &format!("request {} spin", b.id())).await;
    assert_eq!(late, format!("error: actor {} did not answer within 50 ms", b.id()));
}

#[tokio::test]
async fn a_circle_of_requests_fails_at_once_and_is_named() {
    let stage = Stage::new();
    let (a, b) = (stage.courier("a", ANY).await, stage.courier("b", ANY).await);
    let itself = stage.ask(&a, &format!("request {} hello", a.id())).await;
    assert!(itself.contains("close a cycle of actors that wait for each other: a ("), "{itself}");
    let circle = stage.ask(&a, &format!("request {} request {} hello", b.id(), a.id())).await;
    let named = circle.split_once("wait for each other: ").unwrap().1;
    let names: Vec<&str> = named.split(" -> ").map(|actor| actor.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["b", "a", "b"], "{circle}");
}

#[tokio::test]
async fn a_send_leaves_when_its_call_commits() {
    let stage = Stage::new();
    let (a, b) = (stage.courier("a", ANY).await, stage.courier("b", "").await);
    let id = b.id();
    assert_eq!(stage.ask(&a, &format!("send {id} one")).await, "sent");
    let refused = stage.try_ask(&a, &format!("send-then-err {id} two")).await;
    assert!(matches!(refused, Err(CallError::Guest(_))));
    let crashed = stage.try_ask(&a, &format!("send-then-panic {id} three")).await;
    assert!(matches!(crashed, Err(CallError::Failed { .. })));
    assert_eq!(stage.ask(&b, "got").await, "one");
    stage.verify(a.id()).await;
    stage.verify(b.id()).await;
}

#[tokio::test]
async fn a_full_mailbox_is_an_error_to_the_sender() {
    let stage = Stage::new();
    let a = stage.courier("a", ANY).await;
    let b = stage.try_courier("b", "", "[limits]\nmailbox = 2").await.unwrap();
    let sends = stage.ask(&a, &format!("send-many {} 3", b.id())).await;
    let (sent, refused) = sends.rsplit_once('\n').unwrap();
    assert_eq!(sent, "sent\nsent");
    assert!(refused.starts_with("error: ") && refused.contains("mailbox"), "{refused}");
    assert_eq!(stage.ask(&a, &format!("send {} x", a.id())).await, "sent", "an actor may send to itself");
    assert_eq!(stage.ask(&a, "got").await, "x");
}

#[tokio::test]
async fn an_id_that_is_none_and_an_actor_that_is_not_there_are_errs() {
    let stage = Stage::new();
    let a = stage.courier("a", ANY).await;
    for verb in ["send", "request"] {
        assert_eq!(
            stage.ask(&a, &format!("{verb} bob hello")).await,
            "error: \"bob\" is not the id of an actor, which has 32 lower-case hex digits"
        );
        let nobody = "07".repeat(16);
        let unknown = stage.ask(&a, &format!("{verb} {nobody} hello")).await;
        assert_eq!(unknown, format!("error: actor {nobody} is not found"));
    }
    let long = stage.ask(&a, &format!("send {} hello", "x".repeat(10_000))).await;
    assert!(long.len() < 200, "a refusal does not repeat all it was given");
}
