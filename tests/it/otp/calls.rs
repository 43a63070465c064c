//! `start_child`, `terminate_child`, `restart_child` and `delete_child` in each standing of a child.

use super::{Stage, child, children, tells};

/// What each call answers; those that would change something come last.
async fn answers(stage: &Stage, id: &str, expected: [(&str, &str); 5]) {
    for (order, wanted) in expected {
        let answer = match order {
            "start" => stage.tell(&format!("start {id} counter.toml")).await,
            "restart-with" => stage.tell(&format!("restart-with {id} reset")).await,
            order => stage.tell(&format!("{order} {id}")).await,
        };
        assert!(answer.contains(wanted), "{order} {id}: {answer}");
    }
}

#[tokio::test]
async fn of_a_child_that_runs() {
    let stage = Stage::new(&children(&["a"])).await;
    let already = format!("error: the child runs already, as actor {}", stage.child("a").id());
    answers(
        &stage,
        "a",
        [
            ("start", &already),
            ("restart-with", "error: the child is running"),
            ("delete", "error: the child is running"),
            ("restart", "restarted"), // OTP says `running`; here it is stopped and started again
            ("terminate", "done"),
        ],
    )
    .await;
    tells(
        stage.story().await.split_once("a starts\n").unwrap().1,
        "a ends: shutdown
        exit of a, asked by parent
        a starts again: reset
        a ends: shutdown
        exit of a, asked by parent",
    );
    stage.close().await;
}

#[tokio::test]
async fn of_a_child_that_was_stopped_failed_or_declined() {
    // Twice: with `restart-with` and with `restart`, which both start it.
    for again in ["restart", "restart-with"] {
        let rule = "[[handlers.errors]]\nmatch = { error = \"*\" }\nclass = \"expected\"\n";
        let policy = children(&["a", "b"]) + &child("c", "manifest = \"init-decline.toml\"") + rule;
        let stage = Stage::new(&policy).await;
        assert_eq!(stage.tell("terminate a").await, "done");
        stage.crash("b").await;
        for id in ["a", "b", "c"] {
            let started = match (again, id) {
                ("restart", "c") => "declined to start",
                ("restart", _) => "restarted",
                (_, "c") => "declined",
                (..) => &stage.child(id).id().to_string(),
            };
            answers(
                &stage,
                id,
                [
                    ("start", "error: a child with this id is down"),
                    ("terminate", "done"),
                    (again, started),
                    ("terminate", "done"),
                    ("delete", "done"),
                ],
            )
            .await;
            assert!(stage.tell(&format!("spec {id}")).await.contains("not found"));
        }
        stage.close().await;
    }
}

#[tokio::test]
async fn of_a_child_that_is_being_restarted() {
    let stage = Stage::new(&format!("backoff = {{ initial = \"1s\", jitter = 0.0 }}\n{}", children(&["a"]))).await;
    stage.crash("a").await;
    stage.asleep(1_000).await;
    answers(
        &stage,
        "a",
        [
            ("start", "error: a child with this id is down"), // already-present
            ("restart", "is being restarted"),
            ("restart-with", "error: the child is being restarted"),
            ("delete", "error: the child is being restarted"),
            ("terminate", "done"), // and the loop has ended
        ],
    )
    .await;
    stage.advance(1_000);
    assert_eq!(stage.tell("delete a").await, "done");
    tells(&stage.moves().await, "boss starts\na starts\na ends: abnormal trap");
    stage.close().await;
}

#[tokio::test]
async fn of_an_unknown_or_foreign_child() {
    let stage = Stage::new("").await;
    let other = stage.world.spawn("relay").await;
    let foreign = stage.world.ask(&other, "spawn counter.toml").await;
    for id in ["nobody", "00112233445566778899aabbccddeeff", foreign.as_str(), stage.boss.id().to_string().as_str()] {
        for order in ["terminate", "stop", "restart", "delete", "spec", "state", "events"] {
            let answer = stage.tell(&format!("{order} {id}")).await;
            assert!(answer.starts_with("error: ") && answer.contains("not found"), "{order} {id}: {answer}");
        }
        assert!(stage.tell(&format!("restart-with {id} reset")).await.contains("not found"));
    }
    assert_eq!(stage.start("nobody", "counter.toml").await, "started");
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_fails_to_start_is_not_kept() {
    let stage = Stage::new("").await;
    let refused = stage.start("x", "rogue.toml init=panic").await;
    assert!(refused.contains("start failed") && refused.contains("told to panic in init"), "{refused}");
    let refused = stage.start("x", "rogue.toml init=err").await;
    assert!(refused.contains("init-failed") && refused.contains("told to fail in init"), "{refused}");
    assert!(stage.start("x", "none.toml").await.starts_with("error: "));
    assert!(stage.tell("spec x").await.contains("not found"));
    assert_eq!(stage.decisions().await, "", "it is not restarted either");
    assert_eq!(stage.start("x", "rogue.toml init=ok").await, "started");
    stage.close().await;
}

#[tokio::test]
async fn a_child_that_declines_is_kept_without_an_instance_unless_it_is_temporary() {
    let stage = Stage::new("").await;
    assert_eq!(stage.start("x", "rogue.toml init=decline").await, "declined");
    assert_eq!(stage.start("y", "rogue.toml init=decline temporary").await, "declined");
    assert!(stage.tell("spec x").await.contains("rogue.toml"));
    assert!(stage.tell("spec y").await.contains("not found"));
    assert_eq!(stage.tell("restart-with x reset").await, "declined");
    assert!(stage.tell("restart x").await.contains("declined"));
    assert_eq!(stage.tell("delete x").await, "done");
    stage.close().await;
}

#[tokio::test]
async fn a_failed_restart_by_hand_keeps_the_spec_and_costs_nothing() {
    let stage = Stage::new("max_restarts = 0\n").await;
    let gate = stage.spawn("gate", "relay.toml").await;
    assert_eq!(stage.start("x", &format!("relay.toml init=as+{}", gate.id())).await, "started");
    assert_eq!(stage.tell("terminate x").await, "done");
    stage.ask("gate", "say fail").await;
    for order in ["restart-with x reset", "restart x"] {
        assert!(stage.tell(order).await.contains("told to fail"));
    }
    stage.ask("gate", "say ping").await;
    assert_eq!(stage.tell("restart-with x reset").await, stage.child("x").id().to_string());
    assert_eq!(stage.decisions().await, "");
    stage.close().await;
}

#[tokio::test]
async fn a_child_restarted_by_hand_keeps_id_and_chain_and_gets_the_state_asked_for() {
    let stage = Stage::new("").await;
    assert_eq!(stage.start("x", "counter.toml init={\"n\":5}").await, "started");
    assert_eq!(stage.ask("x", "add 2").await, "7");
    for (order, n) in
        [("restart-with x resume", "7"), ("restart-with x reset", "5"), ("restart-with x custom {\"n\":9}", "9")]
    {
        assert_eq!(stage.tell("terminate x").await, "done");
        assert_eq!(stage.tell(order).await, stage.child("x").id().to_string());
        assert_eq!(stage.ask("x", "get").await, n, "{order}");
    }
    assert_eq!(stage.tell("restart x").await, "restarted");
    assert_eq!(stage.ask("x", "get").await, "5", "init bytes are those of the first start");
    assert!(stage.tell("restart-with x custom").await.starts_with("error: "));
    assert!(stage.tell("restart-with x resume").await.contains("running"));
    stage.close().await;
}

#[tokio::test]
async fn init_bytes_win_over_the_manifests_init_state() {
    let stage = Stage::new("").await;
    assert!(stage.start("x", "init-panic.toml").await.contains("told to panic in init"));
    assert_eq!(stage.start("x", "init-panic.toml init=ok").await, "started");
    stage.fails("x", "panic").await;
    stage.lives("x", 2).await; // a restart with `reset` has them, too
    assert_eq!(stage.ask("x", "calls").await, "0");
    stage.close().await;
}

#[tokio::test]
async fn terminating_or_stopping_a_temporary_child_removes_its_spec() {
    let stage = Stage::new("").await;
    for order in ["terminate", "stop"] {
        assert_eq!(stage.start("x", "counter.toml temporary").await, "started");
        assert!(["done", "stopped"].contains(&stage.tell(&format!("{order} x")).await.as_str()));
        assert!(stage.tell("delete x").await.contains("not found"));
        assert!(stage.tell("spec x").await.contains("not found"));
    }
    stage.close().await;
}

#[tokio::test]
async fn children_are_named_by_spec_id_or_actor_id() {
    let stage = Stage::new(&children(&["a"])).await;
    let id = stage.child("a").id();
    assert_eq!(stage.tell(&format!("spec {id}")).await, stage.tell("spec a").await);
    assert_eq!(stage.tell(&format!("terminate {id}")).await, "done");
    assert_eq!(stage.tell(&format!("restart-with {id} reset")).await, id.to_string());
    assert_eq!(stage.tell("state a").await, "{\"n\":0}");
    assert_eq!(stage.tell("list").await, id.to_string());
    assert_eq!(stage.tell("stop a").await, "stopped");
    assert_eq!(stage.tell(&format!("delete {id}")).await, "done");
    stage.close().await;
}

#[tokio::test]
async fn an_added_child_is_supervised_as_a_declared_one() {
    let stage = Stage::new(&children(&["a"])).await;
    assert_eq!(stage.start("x", "counter.toml").await, "started");
    stage.crash("x").await;
    stage.lives("x", 2).await;
    stage.world.runtime.stop_actor(stage.boss.id()).await.unwrap();
    tells(
        &stage.moves().await,
        "boss starts
        a starts
        x starts
        x ends: abnormal trap
        x starts again: reset
        x ends: shutdown
        a ends: shutdown
        boss ends: shutdown",
    );
    tells(&stage.decisions().await, "restart x: permanent");
    stage.close().await;
}

#[tokio::test]
async fn the_id_of_a_deleted_child_is_free_and_what_takes_it_is_the_youngest() {
    let stage = Stage::new(&format!("strategy = \"rest-for-one\"\n{}", children(&["a", "b"]))).await;
    assert_eq!(stage.tell("terminate a").await, "done");
    assert_eq!(stage.tell("delete a").await, "done");
    let again = stage.tell("start a counter.toml init={\"n\":3}").await;
    let again = stage.world.handle(&again);
    stage.name("new a", again.id());
    stage.crash("b").await;
    stage.lives("new a", 2).await;
    assert!(
        stage
            .moves()
            .await
            .ends_with("b ends: abnormal trap\nnew a ends: shutdown\nb starts again: reset\nnew a starts again: reset")
    );
    assert_eq!(stage.world.ask(&again, "get").await, "3");
    stage.close().await;
}
