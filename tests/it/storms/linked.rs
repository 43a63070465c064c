//! Groups that restart from one consistent cut.

use std::sync::{Arc, Mutex, OnceLock};

use theater::{ActorHandle, ExitReason, TheaterRuntime};
use theater_tests::{HANDLERS, World, builder};

use super::{child, decisions, rogue, soon, supervisor, text};

/// A group of `a` (a rogue), `b` and `c` (relays); `d` is no member.
async fn group(on_no_cut: &str) -> (World, ActorHandle, [ActorHandle; 4]) {
    group_in(World::new(&["relay", "rogue"]), on_no_cut).await
}

async fn group_in(world: World, on_no_cut: &str) -> (World, ActorHandle, [ActorHandle; 4]) {
    rogue(&world, "caller", "[limits]\ncall_timeout = \"500ms\"");
    world.manifest("peer", "relay", &format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n"));
    let member = "group = \"g\"";
    let children = child("d", "peer", "")
        + &child("a", "caller", member)
        + &child("b", "peer", member)
        + &child("c", "peer", member);
    let policy = format!(
        "{children}\n[handlers.groups.g]\nstrategy = \"one-for-all\"\nrestart_state = \"resume\"\non_no_cut = \"{on_no_cut}\"\n"
    );
    supervisor(&world, "boss", &policy);
    let boss = world.spawn("boss").await;
    let of = ["a", "b", "c", "d"].map(|id| world.declared(&boss, id));
    (world, boss, of)
}

#[tokio::test]
async fn a_request_in_flight_when_its_requester_traps_is_undone_in_the_callee() {
    let (world, boss, [a, b, c, _]) = group("escalate").await;
    world.send(&b, "kept").await.unwrap();
    assert_eq!(world.ask(&b, "log").await, "init\nsend kept");
    let state = world.runtime.get_actor_state(b.id()).await.unwrap();
    let order = format!("request-then-panic {} keep nothing", b.id());
    assert!(world.try_ask(&a, &order).await.is_err());
    soon("the restart", world.wait_for(c.id(), "actor_started", 2)).await;
    assert_eq!(world.runtime.get_actor_state(b.id()).await.unwrap(), state, "rolled back");
    assert_eq!(world.ask(&b, "log").await, "init\nsend kept");
    let decision = world.of_type(boss.id(), "supervision_action").await.remove(0);
    let cut = decision["cut"].as_array().unwrap();
    assert_eq!(cut.len(), 3, "{decision}");
    // `close` verifies, and that computes the cut again.
    world.close().await;
}

#[tokio::test]
async fn a_send_in_the_cut_whose_receipt_is_not_is_delivered_again_and_once() {
    let (world, _, members) = group("escalate").await;
    received_again(world, members, 2).await;
}

/// The first attempt ends as soon as `b`'s next life has begun.
#[tokio::test]
async fn it_is_delivered_once_also_over_an_attempt_that_fails() {
    for name in ["start.recorded", "start.handlers", "start.instantiated"] {
        let (target, runtime) = (Arc::new(Mutex::new(None)), Arc::new(OnceLock::<TheaterRuntime>::new()));
        let (aim, held) = (target.clone(), runtime.clone());
        let builder = builder().at_steps(move |step| {
            let hit = step.name == name && aim.lock().unwrap().take_if(|b| *b == step.actor).is_some();
            if hit {
                held.get().unwrap().crash(step.actor);
            }
            async {}
        });
        let world = World::with(&["relay", "rogue"], builder);
        assert!(runtime.set(world.runtime.clone()).is_ok());
        let (world, _, members) = group_in(world, "escalate").await;
        *target.lock().unwrap() = Some(members[1].id());
        received_again(world, members, 3).await;
    }
}

/// `b` receives what `c` sent after it answered `a`, which then fails.
async fn received_again(world: World, [a, b, c, _]: [ActorHandle; 4], lives: usize) {
    let order = format!("request-then-loop {} keep nothing", b.id());
    world.send(&a, &order).await.unwrap();
    // `b` has answered, and `a` has not committed yet.
    soon("the request", world.wait_for(b.id(), "state_updated", 2)).await;
    assert_eq!(world.ask(&c, &format!("send {} hello", b.id())).await, "sent");
    soon("the receipt", world.wait_for(b.id(), "state_updated", 3)).await;
    soon("the restart", world.wait_for(b.id(), "actor_started", lives)).await;
    soon("the second receipt", world.wait_for(b.id(), "state_updated", 4)).await;
    assert_eq!(world.ask(&b, "log").await, "init\nsend hello");
    let calls = world.of_type(b.id(), "call").await;
    let hello = calls.iter().filter(|call| text(call, "function") == "handle-send").count();
    assert_eq!(hello, 2, "undone, and once more");
    world.close().await;
}

#[tokio::test]
async fn without_a_cut_the_group_escalates_or_begins_anew() {
    for on_no_cut in ["escalate", "reset"] {
        let (world, boss, [a, b, c, d]) = group(on_no_cut).await;
        world.send(&b, "before").await.unwrap();
        // What `b` does for a call that never committed leaves the group.
        let order = format!("request-then-panic {} send {} gone", b.id(), d.id());
        assert!(world.try_ask(&a, &order).await.is_err());
        if on_no_cut == "escalate" {
            let ended = soon("the escalation", boss.ended()).await.unwrap();
            assert!(matches!(&ended, ExitReason::Abnormal(error) if error.message.contains("no consistent cut")));
        } else {
            soon("the restart", world.wait_for(c.id(), "actor_started", 2)).await;
            assert_eq!(world.ask(&b, "log").await, "init");
            assert_eq!(world.ask(&d, "log").await, "init\nsend gone");
        }
        let all = decisions(&world, boss.id()).await;
        let action = if on_no_cut == "escalate" { "escalate" } else { "restart" };
        assert!(all.contains(&(action.to_owned(), "no-cut".to_owned())), "{all:?}");
        world.close().await;
    }
}

#[tokio::test]
async fn members_start_again_when_the_one_that_failed_is_terminated_before_there_is_a_cut() {
    let stopped = Arc::new(tokio::sync::Notify::new());
    let go = Arc::new(tokio::sync::Notify::new());
    let target = Arc::new(Mutex::new(None));
    let (aim, tell, wait) = (target.clone(), stopped.clone(), go.clone());
    let builder = builder().at_steps(move |step| {
        let hit = step.name == "restart.stopped" && aim.lock().unwrap().take_if(|b| *b == step.actor).is_some();
        let (tell, wait) = (tell.clone(), wait.clone());
        async move {
            if hit {
                tell.notify_one();
                wait.notified().await;
            }
        }
    });
    let (world, boss, [a, b, c, _]) = group_in(World::with(&["relay", "rogue"], builder), "escalate").await;
    *target.lock().unwrap() = Some(b.id());
    assert!(world.try_ask(&a, "panic").await.is_err());
    soon("the stop of b", stopped.notified()).await;
    assert_eq!(soon("the answer", world.ask(&boss, "terminate a")).await, "done");
    go.notify_one();
    for member in [&b, &c] {
        soon("the start", world.wait_for(member.id(), "actor_started", 2)).await;
    }
    assert_eq!(world.ask(&b, "log").await, "init");
    assert_eq!(world.of_type(a.id(), "actor_started").await.len(), 1);
    assert!(world.ask(&boss, "log").await.contains(&format!("child-error {}", a.id())));
    world.close().await;
}
