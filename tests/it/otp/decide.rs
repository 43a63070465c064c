//! `decide`: the guest's word before the declared policy's. OTP has nothing like it.

use theater::ExitReason;

use super::{Stage, child, children, tells};

/// A warden over one counter, told what to decide.
async fn told(verdict: &str, more: &str) -> Stage {
    let stage = Stage::of("warden", &format!("{more}{}", children(&["a", "b"]))).await;
    stage.ask("a", "add 7").await;
    stage.tell(&format!("decide {verdict}")).await;
    stage.crash("a").await;
    stage
}

#[tokio::test]
async fn a_restart_with_the_state_that_it_chooses() {
    for (verdict, n) in [("restart", "0"), ("resume", "7"), ("custom {\"n\":40}", "40")] {
        let stage = told(verdict, "").await;
        stage.lives("a", 2).await;
        assert_eq!(stage.ask("a", "get").await, n, "{verdict}");
        tells(&stage.decisions().await, "restart a: decide");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_restart_from_an_earlier_state_by_its_hash() {
    let stage = Stage::of("warden", &children(&["a"])).await;
    stage.ask("a", "add 1").await;
    stage.ask("a", "add 2").await;
    let states = stage.world.of_type(stage.child("a").id(), "state_updated").await;
    let first = states[states.len() - 2]["new_state_hash"].as_str().unwrap().to_owned();
    stage.tell(&format!("decide from {first}")).await;
    stage.crash("a").await;
    stage.lives("a", 2).await;
    assert_eq!(stage.ask("a", "get").await, "1");
    assert_eq!(stage.decided(1).await[0]["new_state_hash"].as_str(), Some(first.as_str()));
    stage.close().await;
}

#[tokio::test]
async fn a_state_that_there_never_was_is_a_failed_attempt() {
    // The next attempt is as declared: nobody is asked about an attempt.
    let stage = Stage::of("warden", &child("a", "")).await;
    stage.tell(&format!("decide from {}", "ab".repeat(32))).await;
    stage.crash("a").await;
    stage.lives("a", 2).await;
    tells(&stage.decisions().await, "restart a: decide\nrestart a: permanent\nwarn a: budget");
    stage.close().await;
}

#[tokio::test]
async fn stop_leaves_it_down_for_good_and_ignore_leaves_it_failed() {
    let stage = told("stop", "strategy = \"one-for-all\"\n").await;
    stage.decided(1).await;
    tells(&stage.decisions().await, "stop a: decide");
    stage.tell("decide policy").await;
    stage.crash("b").await;
    stage.lives("b", 2).await;
    assert_eq!(stage.world.of_type(stage.child("a").id(), "actor_started").await.len(), 1, "stopped on purpose");
    stage.close().await;

    let stage = told("ignore", "strategy = \"one-for-all\"\nmax_restarts = 1\n").await;
    stage.decided(1).await;
    stage.tell("decide policy").await;
    stage.crash("b").await;
    stage.lives("b", 2).await; // not counted: one was left
    stage.lives("a", 2).await; // failed ones come back with their group
    assert!(stage.decisions().await.starts_with("ignore a: decide\nrestart b: permanent"));
    stage.close().await;
}

#[tokio::test]
async fn escalate_ends_the_supervisor_with_the_childs_cause() {
    let stage = told("escalate", "").await;
    let ExitReason::Abnormal(error) = stage.boss.ended().await.unwrap() else { panic!("a normal end") };
    assert!(error.message.contains("child `a`") && error.message.contains("asked to crash at 7"), "{error}");
    assert!(stage.moves().await.ends_with("a ends: abnormal trap\nb ends: shutdown\nboss ends: abnormal trap"));
    stage.close().await;
}

#[tokio::test]
async fn policy_and_err_leave_it_to_what_is_declared_and_a_trap_ends_the_supervisor() {
    for verdict in ["policy", "err"] {
        let stage = told(verdict, "").await;
        stage.lives("a", 2).await;
        tells(&stage.decisions().await, "restart a: permanent");
        let errors = stage.world.of_type(stage.boss.id(), "handler_error").await;
        assert_eq!(errors.len(), usize::from(verdict == "err"));
        stage.close().await;
    }
    let stage = told("panic", "").await;
    assert!(stage.boss.ended().await.unwrap().to_string().contains("told to panic"));
    assert_eq!(stage.decisions().await, "");
    stage.close().await;
}

#[tokio::test]
async fn it_hears_the_spec_id_the_incarnation_the_class_and_the_attempts_so_far() {
    let stage = Stage::of("warden", &format!("max_restarts = 9\n{}", children(&["a"]))).await;
    stage.crash_times("a", 3).await;
    stage.lives("a", 4).await;
    let log = stage.tell("log").await;
    let asked: Vec<&str> = log.lines().filter(|line| line.starts_with("decide")).collect();
    assert_eq!(asked, ["decide a 1 temporary 0", "decide a 2 temporary 1", "decide a 3 temporary 2"]);
    stage.close().await;
}

#[tokio::test]
async fn it_is_asked_about_failures_alone_before_the_callback_and_not_where_a_rule_decided() {
    let rule = "[[handlers.errors]]\nmatch = { error = \"*trap*\", children = [\"b\"] }\nclass = \"expected\"\n";
    let rule = rule.replace("*trap*", "*");
    let stage =
        Stage::of("warden", &(child("a", "") + &child("b", "") + &child("c", "manifest = \"relay.toml\"") + &rule))
            .await;
    stage.crash("b").await;
    stage.ask("c", "shutdown").await;
    stage.lives("c", 2).await;
    stage.crash("a").await;
    stage.lives("a", 2).await;
    stage.world.runtime.stop_actor(stage.child("c").id()).await.unwrap();
    let log = stage.tell("log").await;
    let a = stage.child("a").id().to_string();
    let lines: Vec<&str> = log.lines().collect();
    let decide = lines.iter().position(|line| line.starts_with("decide a")).unwrap();
    let told = lines.iter().position(|line| line.starts_with(&format!("child-error {a}"))).unwrap();
    assert!(decide < told && log.matches("decide ").count() == 1, "{log}");
    tells(&stage.decisions().await, "ignore b: errors[0]\nrestart c: permanent\nrestart a: permanent\nwarn a: budget");
    stage.close().await;
}

/// A warden in a call that lasts until the child that it spawns there is killed; that child.
async fn busy(stage: &Stage) -> theater::ActorHandle {
    let begun = loop {
        stage.world.wait_for(stage.boss.id(), "host_call_begun", 1).await;
        let events = stage.world.runtime.get_actor_events(stage.boss.id(), 0, usize::MAX).await.unwrap();
        if let Some(begun) = events.iter().find(|event| event.event_type == "host_call_begun") {
            break begun.hash;
        }
    };
    let spawned = theater::TheaterId::of_spawn(&begun);
    stage.world.wait_for(spawned, "actor_started", 1).await;
    stage.world.runtime.handle(spawned)
}

#[tokio::test]
async fn it_is_asked_before_the_messages_that_wait_and_its_cause_is_the_exit() {
    let stage = Stage::of("warden", &children(&["a"])).await;
    let meanwhile = async {
        let spawned = busy(&stage).await;
        stage.world.send(&stage.boss, "I was here before").await.unwrap();
        stage.crash("a").await;
        stage.world.runtime.stop_actor_within(spawned.id(), theater::Shutdown::BrutalKill).await.unwrap();
    };
    let (answer, ()) = tokio::join!(stage.world.try_ask(&stage.boss, "spawn init-loop.toml"), meanwhile);
    assert!(answer.is_err());
    stage.lives("a", 2).await;
    stage.tell("log").await;
    let calls = stage.world.of_type(stage.boss.id(), "call").await;
    let at = |function: &str| calls.iter().position(|call| call["function"] == function).unwrap();
    assert!(at("decide") < at("handle-send"), "{calls:?}");
    let events = stage.world.runtime.get_actor_events(stage.boss.id(), 0, usize::MAX).await.unwrap();
    let fact = events.iter().find(|event| event.event_type == "child_exited").unwrap();
    assert_eq!(calls[at("decide")]["cause"].as_str().unwrap(), fact.hash.to_string());
    stage.close().await;
}

#[tokio::test]
async fn an_operators_restart_overtakes_the_question() {
    for verdict in ["stop", "restart", "escalate"] {
        let stage = Stage::of("warden", &children(&["a"])).await;
        stage.tell(&format!("decide {verdict}")).await;
        let meanwhile = async {
            let spawned = busy(&stage).await;
            stage.crash("a").await; // the question waits for the warden
            stage.world.resume(&stage.child("a")).await;
            assert_eq!(stage.ask("a", "add 4").await, "4");
            let kill = theater::Shutdown::BrutalKill;
            stage.world.runtime.stop_actor_within(spawned.id(), kill).await.unwrap();
        };
        let (answer, ()) = tokio::join!(stage.world.try_ask(&stage.boss, "spawn init-loop.toml"), meanwhile);
        assert!(answer.is_err());
        assert!(stage.tell("log").await.contains("decide a 1"));
        assert_eq!(stage.ask("a", "get").await, "4", "{verdict}");
        assert_eq!(stage.decisions().await, "", "{verdict}");
        stage.tell("decide policy").await;
        stage.crash("a").await;
        stage.lives("a", 3).await;
        tells(&stage.decisions().await, "restart a: permanent");
        stage.close().await;
    }
}

#[tokio::test]
async fn it_may_restart_a_temporary_child_whose_spec_then_lives_on() {
    let stage = Stage::of("warden", &child("a", "restart = \"temporary\"")).await;
    stage.tell("decide restart").await;
    stage.crash("a").await;
    stage.lives("a", 2).await;
    stage.tell("decide policy").await;
    stage.crash("a").await;
    stage.decided(2).await;
    tells(&stage.decisions().await, "restart a: decide\nstop a: temporary");
    stage.close().await;
}
