//! Delays before restarts, which OTP lacks: growth, the longest, jitter, and when they begin anew.

use super::{Stage, child, children, tells};

/// The delays of the restarts so far.
async fn delays(stage: &Stage, count: usize) -> Vec<u64> {
    stage.decided(count).await.iter().map(|decision| decision["delay_ms"].as_u64().unwrap()).collect()
}

/// Crashes the child, and lets just the delay that was decided pass.
async fn crash(stage: &Stage, id: &str, delay: u64, incarnation: usize) {
    stage.crash(id).await;
    stage.asleep(delay).await;
    stage.advance(delay);
    stage.lives(id, incarnation).await;
    stage.ask(id, "get").await;
}

#[tokio::test]
async fn delays_grow_by_the_factor_to_the_longest_and_attempts_are_numbered() {
    let policy = "max_restarts = \"infinity\"\nbackoff = { initial = \"100ms\", factor = 3.0, max = \"1s\", jitter = 0.0, reset_after = \"1h\" }\n";
    let stage = Stage::new(&format!("{policy}{}", children(&["a"]))).await;
    for (life, delay) in [100, 300, 900, 1_000, 1_000].into_iter().enumerate() {
        crash(&stage, "a", delay, life + 2).await;
    }
    assert_eq!(delays(&stage, 5).await, [100, 300, 900, 1_000, 1_000]);
    let attempts: Vec<_> =
        stage.decided(5).await.iter().map(|decision| decision["attempt"].as_u64().unwrap()).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5]);
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_was_up_for_long_enough_begins_with_the_first_attempt() {
    let policy = "backoff = { initial = \"1s\", jitter = 0.0, reset_after = \"10s\" }\n";
    let stage = Stage::new(&format!("{policy}{}", children(&["a"]))).await;
    crash(&stage, "a", 1_000, 2).await;
    stage.advance(9_999);
    crash(&stage, "a", 2_000, 3).await;
    stage.advance(10_000); // the delay itself does not count as time up
    crash(&stage, "a", 1_000, 4).await;
    assert_eq!(delays(&stage, 3).await, [1_000, 2_000, 1_000]);
    stage.close().await;
}

#[tokio::test]
async fn jitter_follows_from_the_record_stays_within_its_share_and_is_what_is_waited_for() {
    let policy =
        "max_restarts = \"infinity\"\nbackoff = { initial = \"10s\", factor = 1.0, max = \"60s\", jitter = 0.2 }\n";
    let stage = Stage::new(&format!("{policy}{}", children(&["a", "b"]))).await;
    for round in 0..6 {
        let id = ["a", "b"][round % 2];
        stage.crash(id).await;
        let delay = delays(&stage, round + 1).await[round];
        assert!((8_000..=12_000).contains(&delay), "{delay}");
        stage.asleep(delay).await;
        stage.advance(delay);
        stage.lives(id, round / 2 + 2).await;
        stage.ask(id, "get").await;
    }
    let mut all = delays(&stage, 6).await;
    all.sort_unstable();
    all.dedup();
    assert!(all.len() > 3, "they differ: {all:?}");
    stage.close().await; // verify computes each of them from the decision's parent hash
}

#[tokio::test]
async fn each_child_has_its_own_delay_and_the_supervisor_serves_meanwhile() {
    let policy = "backoff = { initial = \"1s\", jitter = 0.0 }\n";
    let stage = Stage::new(&format!("{policy}{}", children(&["a", "b", "c"]))).await;
    stage.crash("a").await;
    stage.asleep(1_000).await;
    assert!(stage.tell("which").await.contains(r#""status":"Restarting""#));
    assert_eq!(stage.ask("b", "inc").await, "1");
    stage.advance(400);
    stage.crash("b").await;
    stage.advance(600);
    stage.lives("a", 2).await; // a's second is over, b's is not
    assert_eq!(stage.world.of_type(stage.child("b").id(), "actor_started").await.len(), 1);
    stage.advance(400);
    stage.lives("b", 2).await;
    stage.close().await;
}

#[tokio::test]
async fn a_stop_during_the_delay_ends_the_loop() {
    for by_operator in [false, true] {
        let policy = "backoff = { initial = \"1s\", jitter = 0.0 }\n";
        let stage = Stage::new(&format!("{policy}{}", children(&["a", "b"]))).await;
        stage.crash("a").await;
        stage.asleep(1_000).await;
        if by_operator {
            stage.world.runtime.stop_actor(stage.child("a").id()).await.unwrap();
            stage.child("a").ended().await.unwrap();
        } else {
            assert_eq!(stage.tell("terminate a").await, "done");
        }
        stage.advance(2_000);
        stage.crash("b").await;
        stage.asleep(1_000).await;
        stage.advance(1_000);
        stage.lives("b", 2).await;
        tells(&stage.decisions().await, "restart a: permanent\nrestart b: permanent");
        assert_eq!(stage.world.of_type(stage.child("a").id(), "actor_started").await.len(), 1);
        assert_eq!(stage.tell("restart a").await, "restarted");
        stage.close().await;
    }
}

#[tokio::test]
async fn with_backoff_the_budget_is_ten_within_ten_minutes() {
    let policy = "backoff = { initial = \"1s\", factor = 1.0, jitter = 0.0 }\n";
    let stage = Stage::new(&format!("{policy}{}", child("a", ""))).await;
    for life in 2..12 {
        crash(&stage, "a", 1_000, life).await;
    }
    stage.crash("a").await;
    let ended = stage.boss.ended().await.unwrap().to_string();
    assert!(ended.contains("budget of 10 attempts within 600000 ms"), "{ended}");
    stage.close().await;
}
