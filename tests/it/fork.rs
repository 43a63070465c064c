//! Forks: actors that begin where another one stood, and take another course.

use bytes::Bytes;
use serde_json::{Value, json};
use theater::chain::diff::{Diff, Side, diff};
use theater::{ActorHandle, Fork, ForkAnswer, ForkComponent, ForkError, SpawnError, TheaterId};
use theater_replay::Replayer;
use theater_tests::World;

fn at(of: &ActorHandle, at: u64) -> Fork {
    Fork { of: of.id(), at, answer: None, component: None, state: None }
}

/// The seq of the newest event of a type.
async fn newest(world: &World, actor: &ActorHandle, event_type: &str) -> u64 {
    let events = world.events(actor.id()).await;
    events.iter().rposition(|(found, _)| found == event_type).unwrap() as u64
}

/// The seq of the end of the newest request to another actor.
async fn asked(world: &World, actor: &ActorHandle) -> u64 {
    let is_request = |(event_type, data): &(String, Value)| event_type == "host_call" && data["function"] == "request";
    world.events(actor.id()).await.iter().rposition(is_request).unwrap() as u64
}

async fn state(world: &World, actor: &ActorHandle) -> String {
    let state = world.runtime.get_actor_state(actor.id()).await.unwrap();
    String::from_utf8(state.unwrap_or_default().to_vec()).unwrap()
}

async fn differ(world: &World, a: &ActorHandle, b: &ActorHandle) -> Diff {
    world.runtime.flush().await.unwrap();
    let side = |actor: &ActorHandle| Side { store: &**world.runtime.store(), actor: actor.id() };
    diff(side(a), side(b), &mut |_| {}).await.unwrap()
}

/// An answer as a person writes it, for an event of an actor.
async fn answer(world: &World, of: &ActorHandle, seq: u64, json: Value) -> ForkAnswer {
    let store = world.runtime.store();
    let entry = store.actor(of.id()).await.unwrap().unwrap();
    let start = theater::chain::Standing::read(&**store, of.id(), entry.head.seq).await.unwrap().unwrap();
    let component = store.component(start.component).await.unwrap().unwrap();
    let (_, call) = world.events(of.id()).await.swap_remove(usize::try_from(seq).unwrap());
    let text = |field: &str| call[field].as_str().unwrap().to_owned();
    let replayer = Replayer::new().unwrap();
    let results = replayer.answer_from_json(&component, &text("interface"), &text("function"), &json).unwrap();
    ForkAnswer { seq, results: results.into() }
}

/// An asker that obeys what `told` says, and its chain with one such request.
async fn obeyed(order: &str) -> (World, ActorHandle, ActorHandle) {
    let world = World::new(&["relay"]);
    world.manifest(
        "asker",
        "relay",
        "[[handlers]]\ntype = \"runtime\"\n[[handlers]]\ntype = \"supervisor\"\n\
         [[handlers]]\ntype = \"message-server\"\npermissions = { talk_to = [\"any\"] }\n",
    );
    let (asker, told) = (world.spawn("asker").await, world.spawn("relay").await);
    world.ask(&told, &format!("say {order}")).await;
    let _ = world.try_ask(&asker, &format!("as {}", told.id())).await;
    (world, asker, told)
}

#[tokio::test]
async fn another_answer_leads_another_way() {
    let (world, asker, _told) = obeyed("keep resume").await;
    let before = state(&world, &asker).await;
    let seq = newest(&world, &asker, "host_call").await;
    let events = world.events(asker.id()).await.len();

    let answer = answer(&world, &asker, seq, json!({ "ok": "keep nothing" })).await;
    let fork = world.runtime.fork_actor(Fork { answer: Some(answer), ..at(&asker, seq) }).await.unwrap();
    world.wait_for(fork.id(), "state_updated", 1).await;
    assert_eq!(state(&world, &fork).await, before.replace("resume", "nothing"));
    assert_eq!((state(&world, &asker).await, world.events(asker.id()).await.len()), (before, events));

    let types: Vec<String> = world.events(fork.id()).await.into_iter().map(|(event_type, _)| event_type).collect();
    assert_eq!(types[..5], ["actor_forked", "actor_started", "call", "host_call_begun", "host_call"]);
    let parting = differ(&world, &asker, &fork).await.parting.unwrap();
    assert_eq!((parting.field.as_str(), parting.events[0].as_ref().unwrap().seq), ("result", seq));
    assert_eq!(parting.events[1].as_ref().unwrap().seq, 4);

    // It runs on.
    assert_eq!(world.ask(&fork, "ping").await, "pong");
    world.close().await;
}

#[tokio::test]
async fn a_crash_is_left_out_by_another_answer_and_comes_again_with_the_same() {
    let (world, asker, _told) = obeyed("panic").await;
    asker.ended().await.unwrap();
    let seq = asked(&world, &asker).await;
    let again = world.runtime.fork_actor(at(&asker, seq)).await.unwrap();
    let reason = again.ended().await.unwrap();
    assert!(reason.to_string().contains("told to panic"), "{reason}");

    let answer = answer(&world, &asker, seq, json!({ "ok": "ping" })).await;
    let fork = world.runtime.fork_actor(Fork { answer: Some(answer), ..at(&asker, seq) }).await.unwrap();
    assert_eq!(world.ask(&fork, "ping").await, "pong");

    // The fork of a fork is compared with the first of them.
    let seq = asked(&world, &fork).await;
    let third = world.runtime.fork_actor(at(&fork, seq)).await.unwrap();
    world.wait_for(third.id(), "call_returned", 1).await;
    let parting = differ(&world, &asker, &third).await.parting.unwrap();
    assert_eq!((parting.field.as_str(), parting.events[0].as_ref().unwrap().actor), ("result", asker.id()));
    world.close().await;
}

#[tokio::test]
async fn at_every_event_a_fork_goes_on_as_the_original_did() {
    let (world, asker, told) = obeyed("keep resume").await;
    world.ask(&asker, &format!("request {} ping", told.id())).await;
    world.ask(&asker, &format!("send {} a message", asker.id())).await;
    world.wait_for(asker.id(), "call", 5).await;
    let _ = world.try_ask(&asker, "panic").await;
    asker.ended().await.unwrap();
    world.resume(&asker).await;
    world.ask(&asker, "log").await;

    let events = world.events(asker.id()).await;
    for seq in 0..events.len() as u64 {
        let fork = world.runtime.fork_actor(at(&asker, seq)).await.unwrap();
        let open = is_open(&events[..=usize::try_from(seq).unwrap()]);
        if let Some(ends) = open {
            // The call, or `init`, ends as it had ended.
            let (event_type, data) = &events[usize::try_from(seq).unwrap()..][..]
                .iter()
                .find(|(event_type, _)| {
                    ["state_updated", "call_returned", "actor_error"].contains(&event_type.as_str())
                })
                .unwrap();
            let found = &world.wait_for(fork.id(), event_type, 1).await[0];
            for field in ["result", "new_state_hash", "error"] {
                assert_eq!(found[field], data[field], "{seq}: {ends}");
            }
        }
        let found = differ(&world, &asker, &fork).await;
        let parting = found.parting.map(|parting| parting.field);
        assert!(parting.as_deref().is_none_or(|field| field == "end" || open.is_none()), "{seq}: {parting:?}");
        assert!(found.unchecked.is_empty() && found.common > seq.min(1), "{seq}");
    }
    world.close().await;
}

/// What is open after these events.
fn is_open(events: &[(String, Value)]) -> Option<&str> {
    let decides = ["actor_started", "call", "state_updated", "call_returned", "actor_error", "actor_terminated"];
    let (event_type, data) = events.iter().rev().find(|(event_type, _)| decides.contains(&event_type.as_str()))?;
    match event_type.as_str() {
        "call" => Some("call"),
        "actor_started" if data["restart_state"] == "reset" => Some("init"),
        _ => None,
    }
}

#[tokio::test]
async fn another_component_runs_where_the_first_one_crashed() {
    let world = World::new(&["rogue", "diarist", "bare", "unversioned"]);
    let component = |name: &str| {
        let file = world.path().join(format!("{name}.wasm"));
        let bytes = Bytes::from(std::fs::read(&file).unwrap());
        Some(ForkComponent { file, bytes })
    };
    let error = world.try_spawn_with("rogue", "panic").await.unwrap_err();
    let SpawnError::Failed { id, .. } = error else { panic!("{error}") };
    let rogue = world.runtime.handle(id);
    let call = newest(&world, &rogue, "call").await;
    let again = world.runtime.fork_actor(at(&rogue, call)).await.unwrap_err();
    assert!(matches!(again, ForkError::Spawn(SpawnError::Failed { .. })), "{again}");
    // The diarist cares for no init bytes.
    let fork = Fork { component: component("diarist"), ..at(&rogue, call) };
    let fork = world.runtime.fork_actor(fork).await.unwrap();
    assert_eq!(world.ask(&fork, "log info alive").await, "logged");
    // The panic was logged before the trap: what does not panic takes another course.
    let logged = newest(&world, &rogue, "host_call").await;
    let error = world.runtime.fork_actor(Fork { component: component("diarist"), ..at(&rogue, logged) }).await;
    let ForkError::Spawn(SpawnError::Failed { error, .. }) = error.unwrap_err() else { panic!() };
    assert!(error.message.contains("before all host calls were made"), "{error}");

    // One that imports the interfaces by other versions, in the middle of a call.
    let bare = world.spawn("bare").await;
    let log = newest(&world, &bare, "host_call").await;
    world.ask(&bare, "inc").await;
    let error = world.runtime.fork_actor(Fork { component: component("unversioned"), ..at(&bare, log) }).await;
    let ForkError::Spawn(SpawnError::Failed { error, .. }) = error.unwrap_err() else { panic!() };
    assert!(error.message.contains("the fork took another course than the record"), "{error}");
    let fork = Fork { component: component("unversioned"), ..at(&bare, log + 1) };
    let fork = world.runtime.fork_actor(fork).await.unwrap();
    assert_eq!(world.ask(&fork, "inc").await, "1");
    assert!(differ(&world, &bare, &fork).await.other_component);
    world.close().await;
}

#[tokio::test]
async fn a_fork_has_no_children() {
    let world = World::new(&["relay", "counter"]);
    world.manifest(
        "parent",
        "relay",
        "[[handlers]]\ntype = \"runtime\"\n[[handlers]]\ntype = \"message-server\"\n[[handlers]]\n\
         type = \"supervisor\"\n[[handlers.children]]\nid = \"c\"\nmanifest = \"counter.toml\"\n",
    );
    let parent = world.spawn("parent").await;
    let child = world.ask(&parent, "spawn counter.toml").await;
    let recorded = world.recorded().await.len();
    for seq in [1, newest(&world, &parent, "host_call").await, newest(&world, &parent, "call_returned").await] {
        let fork = world.runtime.fork_actor(at(&parent, seq)).await.unwrap();
        let answer = world.ask(&fork, &format!("state {child}")).await;
        assert!(answer.starts_with("error:"), "{answer}");
        assert!(world.runtime.store().children(fork.id(), 9).await.unwrap().is_empty());
        // It may have some of its own.
        let own = world.ask(&fork, "spawn counter.toml").await;
        assert_eq!(world.ask(&world.handle(&own), "inc").await, "1");
    }
    assert_eq!(world.recorded().await.len(), recorded + 6);
    world.close().await;
}

#[tokio::test]
async fn what_cannot_be_forked_is_said_in_one_sentence() {
    let (world, asker, _told) = obeyed("ping").await;
    let begun = newest(&world, &asker, "host_call_begun").await;
    let refused = async |fork: Fork| world.runtime.fork_actor(fork).await.unwrap_err().to_string();
    let with = |seq: u64, of: &ActorHandle, at_seq: u64| Fork {
        answer: Some(ForkAnswer { seq, results: Bytes::from_static(&[0xc0]) }),
        ..at(of, at_seq)
    };
    let before = world.recorded().await.len();
    let cases = [
        (at(&world.runtime.handle(TheaterId::from_bytes([9; 16])), 0), "there is no actor"),
        (at(&asker, 999), "so there is no event 999"),
        (with(begun, &asker, begun), "it is the beginning of a host call"),
        (with(begun - 1, &asker, begun), "it is `call`, and answers are in"),
        (with(999, &asker, begun), "there is no such event"),
        (with(begun + 1, &asker, begun + 2), "fork the actor at event"),
        (with(begun + 1, &asker, begun), "fork the actor at event"),
    ];
    for (fork, says) in cases {
        let said = refused(fork).await;
        assert!(said.contains(says), "{said} lacks {says}");
    }
    let text = Bytes::from_static(b"no component");
    let component = Some(ForkComponent { file: "fixed.wasm".into(), bytes: text });
    let said = refused(Fork { component, ..at(&asker, begun) }).await;
    assert!(said.contains("fixed.wasm"), "{said}");
    assert_eq!(world.recorded().await.len(), before);
    world.close().await;
}

#[tokio::test]
async fn a_fork_has_the_version_of_the_actor_where_it_was_forked() {
    let world = World::new(&["tally"]);
    let tally = world.spawn("tally").await;
    let next = |version: &str| {
        let bytes = std::fs::read(theater_build::testing::component("tally-next")).unwrap();
        theater::Upgrade::new(bytes).version(version)
    };
    world.ask(&tally, "add 2").await;
    let first = newest(&world, &tally, "state_updated").await;
    world.runtime.upgrade_actor(tally.id(), next("0.2.0")).await.unwrap();
    let second = newest(&world, &tally, "actor_upgraded").await;
    world.runtime.roll_back_actor(tally.id()).await.unwrap();
    let third = newest(&world, &tally, "actor_rolled_back").await;
    for (seq, version) in [(first, "0.1.0"), (second, "0.2.0"), (third, "0.1.0")] {
        let fork = world.runtime.fork_actor(at(&tally, seq)).await.unwrap();
        // A fork of it, after it was restarted from its record.
        world.runtime.stop_actor(fork.id()).await.unwrap();
        let again = world.runtime.fork_actor(at(&fork, 1)).await.unwrap();
        for fork in [fork, again] {
            // It migrates nothing, whichever state there is.
            let bytes = std::fs::read(theater_build::testing::component("tally")).unwrap();
            let upgrade = theater::Upgrade::new([&bytes[..], b"\x00\x05\x04note"].concat()).version("9");
            let upgraded = world.runtime.upgrade_actor(fork.id(), upgrade).await.unwrap();
            assert_eq!(upgraded.old_version, version, "{seq}");
        }
    }
    world.close().await;
}
