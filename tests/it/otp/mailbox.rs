//! What becomes of messages when their receiver fails: OTP loses them with the process.

use super::{Stage, child, children, tells};

const SLOWLY: &str = "backoff = { initial = \"1s\", factor = 1.0, jitter = 0.0 }\n";

#[tokio::test]
async fn messages_that_were_not_begun_go_to_the_next_incarnation() {
    let stage = Stage::new(&format!("{SLOWLY}{}", children(&["a"]))).await;
    stage.crash("a").await;
    stage.asleep(1_000).await;
    let later = async {
        // A request in the tree, and one from outside: both wait.
        let boss = stage.tell(&format!("send {} lost on a counter", stage.child("a").id())).await;
        assert_eq!(boss, "sent");
        stage.advance(1_000);
    };
    let (first, second, ()) = tokio::join!(stage.ask("a", "inc"), stage.ask("a", "inc"), later);
    let mut answers = [first, second];
    answers.sort();
    assert_eq!(answers, ["1", "2"]);
    stage.close().await;
}

#[tokio::test]
async fn the_message_that_failed_it_is_not_delivered_again_and_its_sender_is_told() {
    let stage = Stage::new(&children(&["a"])).await;
    let error = stage.fails("a", "crash").await;
    assert!(error.contains("asked to crash"), "{error}");
    stage.lives("a", 2).await;
    stage.ask("a", "get").await;
    let calls = stage.world.of_type(stage.child("a").id(), "call").await;
    assert_eq!(calls.iter().filter(|call| call["function"] == "handle-request").count(), 2);
    stage.close().await;
}

#[tokio::test]
async fn when_it_ends_for_good_what_waits_is_answered_with_an_error_and_a_dead_letter() {
    let stage = Stage::new(&format!("{SLOWLY}{}", children(&["a"]))).await;
    let a = stage.child("a");
    stage.crash("a").await;
    stage.asleep(1_000).await;
    stage.world.send(&a, "one").await.unwrap();
    stage.world.send(&a, "two").await.unwrap();
    assert_eq!(stage.tell("terminate a").await, "done");
    let letters = stage.world.wait_for(a.id(), "dead_letter", 2).await;
    assert_eq!(letters.len(), 2);
    assert!(stage.fails("a", "get").await.contains("not"), "nobody is there any more");
    stage.close().await;
}

#[tokio::test]
async fn a_supervisor_that_escalates_leaves_dead_letters_too() {
    let stage = Stage::new(&format!("max_restarts = 1\n{SLOWLY}{}", children(&["a", "b"]))).await;
    stage.crash("a").await;
    stage.asleep(1_000).await;
    stage.world.send(&stage.child("a"), "one").await.unwrap();
    stage.crash("b").await;
    stage.boss.ended().await.unwrap();
    assert_eq!(stage.world.wait_for(stage.child("a").id(), "dead_letter", 1).await.len(), 1);
    assert!(stage.world.runtime.actors().is_empty());
    stage.close().await;
}

#[tokio::test]
async fn with_redeliver_the_message_that_failed_it_is_delivered_again_and_answered() {
    let policy = format!("{SLOWLY}[handlers.spawned]\nrestart = \"permanent\"\nredeliver = true\n");
    let stage = Stage::new(&policy).await;
    let gate = stage.spawn("gate", "relay.toml").await;
    stage.spawn("x", "relay.toml").await;
    stage.ask("gate", "say panic").await;
    let order = format!("as {}", gate.id());
    let meanwhile = async {
        stage.asleep(1_000).await;
        stage.ask("gate", "say ping").await;
        stage.advance(1_000);
    };
    let (answer, ()) = tokio::join!(stage.ask("x", &order), meanwhile);
    assert_eq!(answer, "pong");
    tells(&stage.decisions().await, "restart x: spawned-permanent");
    let calls = stage.world.of_type(stage.child("x").id(), "call").await;
    let ids: Vec<_> =
        calls.iter().filter(|call| call["function"] == "handle-request").map(|call| &call["message_id"]).collect();
    assert_eq!((ids.len(), ids[0]), (2, ids[1]));
    stage.close().await;
}

#[tokio::test]
async fn poison_the_same_message_fails_in_the_same_way_again_is_quarantined_and_costs_nothing() {
    let stage =
        Stage::new(&format!("max_restarts = 1\n{}", child("a", "redeliver = true; restart_state = \"resume\""))).await;
    stage.ask("a", "add 3").await;
    let error = stage.fails("a", "crash").await; // answered when it failed for the second time
    assert!(error.contains("asked to crash at 3"), "{error}");
    stage.lives("a", 3).await;
    assert_eq!(stage.ask("a", "get").await, "3");
    tells(
        &stage.decisions().await,
        "restart a: permanent
        warn a: budget
        warn a: poison
        restart a: poison",
    );
    let decisions = stage.decided(4).await;
    assert_eq!((decisions[0]["window"].as_u64(), decisions[3]["window"].as_u64()), (Some(1), Some(1)));
    let exits = stage.world.of_type(stage.boss.id(), "child_exited").await;
    assert_eq!(exits.iter().map(|exit| exit["poison"].as_bool().unwrap()).collect::<Vec<_>>(), [false, true]);
    let letters = stage.world.of_type(stage.child("a").id(), "dead_letter").await;
    assert_eq!(letters.len(), 1);
    stage.close().await;
}

#[tokio::test]
async fn what_waits_behind_a_message_that_fails_it_is_served_after_the_restart_in_its_order() {
    let stage = Stage::new(&format!("{SLOWLY}{}", child("a", "redeliver = true; restart_state = \"resume\""))).await;
    let waiting = async {
        stage.asleep(1_000).await;
        stage.world.send(&stage.child("a"), "one way").await.unwrap();
        stage.advance(1_000);
        stage.asleep(1_000).await;
        stage.advance(1_000);
    };
    let (error, ()) = tokio::join!(stage.fails("a", "crash"), waiting);
    assert!(error.contains("asked to crash"), "{error}");
    stage.ask("a", "inc").await;
    let calls = stage.world.of_type(stage.child("a").id(), "call").await;
    let functions: Vec<&str> = calls.iter().map(|call| call["function"].as_str().unwrap()).collect();
    assert_eq!(functions, ["init", "handle-request", "handle-request", "handle-send", "handle-request"]);
    stage.close().await;
}

#[tokio::test]
async fn messages_wait_over_failed_attempts_and_are_delivered_once() {
    let stage = Stage::new(SLOWLY).await;
    let gate = stage.spawn("gate", "relay.toml").await;
    assert_eq!(stage.start("x", &format!("relay.toml init=as+{}", gate.id())).await, "started");
    stage.ask("gate", "say fail").await;
    stage.fails("x", "panic").await;
    stage.asleep(1_000).await;
    stage.world.send(&stage.child("x"), "hello").await.unwrap();
    stage.advance(1_000);
    stage.decided(2).await;
    stage.ask("gate", "say ping").await;
    stage.asleep(1_000).await;
    stage.advance(1_000);
    let log = stage.ask("x", "log").await;
    assert_eq!(log.matches("send hello").count(), 1, "{log}");
    stage.close().await;
}
