//! Id, chain and end.

use theater::chain::document;
use theater::{CallError, ErrorType, ExitReason, SpawnError};

use crate::support::Stage;

#[tokio::test]
async fn an_entry_with_an_unknown_key_is_rejected_with_file_and_line() {
    let stage = Stage::new();
    let text =
        |entry: &str| format!("name = \"x\"\ncomponent = \"bare.wasm\"\n\n[[handlers]]\ntype = \"runtime\"\n{entry}\n");
    for entry in ["colour = \"red\"", "permissions = { everything = true }"] {
        let path = stage.manifest("bare").path.with_file_name("x.toml");
        let manifest = theater::ManifestConfig::from_source(&path, text(entry)).unwrap();
        let error = stage.runtime.spawn_actor(manifest).await.err().unwrap();
        let SpawnError::Manifest(error) = error else { panic!("{error}") };
        assert_eq!((error.file.as_str(), error.line), (path.to_str().unwrap(), Some(6)), "{error}");
        assert!(error.reason.contains("unknown key"), "{error}");
    }
}

#[tokio::test]
async fn an_actor_knows_its_id_and_the_head_of_its_chain() {
    let stage = Stage::new();
    let (one, two) = (stage.diarist("").await, stage.diarist("").await);
    assert_eq!(stage.ask(&one, "id").await, one.id().to_string());
    assert_eq!(stage.ask(&two, "id").await, two.id().to_string());
    let head = stage.ask(&one, "head").await;
    let events = stage.events(one.id()).await;
    let asked =
        events.iter().position(|event| event.event_type == "host_call" && event.parent_hash.to_string() == head);
    assert!(asked.is_some(), "the call of chain-head follows the event whose hash it gave");
}

#[tokio::test]
async fn an_actor_reads_its_chain_as_it_is_stored() {
    let stage = Stage::new();
    let actor = stage.diarist("").await;
    stage.ask(&actor, "id").await;
    let chain = stage.ask(&actor, "chain").await;
    let events = stage.events(actor.id()).await;
    let lines: Vec<&str> = chain.lines().collect();
    assert!(lines.len() >= 7, "start, init's call and end, a request: {chain}");
    for (line, event) in lines.iter().zip(&events) {
        let json = document::to_json(&document::merged(event).unwrap()).unwrap();
        let parent = if event.seq == 0 { "none".to_owned() } else { event.parent_hash.to_string() };
        assert_eq!(*line, format!("{} {parent} {} {} {json}", event.hash, event.event_type, event.timestamp));
    }
    assert_eq!(events[lines.len()].event_type, "host_call", "it is the chain as it was when it was asked for");

    let range = stage.ask(&actor, "chain 2 3").await;
    assert_eq!(range.lines().collect::<Vec<_>>(), lines[2..5]);
    assert_eq!(stage.ask(&actor, "chain 100000 3").await, "");

    // The chain does not hold itself: of a range it holds where it is.
    let recorded = &stage.host_calls(actor.id(), "get-chain-range").await[0]["result"];
    assert_eq!(recorded["from"], 2);
    assert_eq!(recorded["to"], 5);
    assert_eq!(recorded["actor_id"], actor.id().to_string());
    stage.verify(actor.id()).await;
}

#[tokio::test]
async fn a_chain_larger_than_the_limit_is_read_in_ranges() {
    let stage = Stage::new();
    let actor = stage.diarist("result = \"4KiB\"").await;
    for _ in 0..4 {
        stage.ask(&actor, &format!("log info {}", "x".repeat(1_000))).await;
    }
    let refused = stage.try_ask(&actor, "chain").await.unwrap_err();
    let CallError::Guest(refused) = refused else { panic!("{refused}") };
    assert!(refused.contains("4096") && refused.contains("read it in ranges"), "{refused}");
    assert_eq!(stage.ask(&actor, "chain 0 2").await.lines().count(), 2);
}

#[tokio::test]
async fn bytes_that_are_no_event_are_an_err() {
    let stage = Stage::new();
    let actor = stage.diarist("").await;
    // A digit is a MessagePack integer, so these are two values.
    let CallError::Guest(refused) = stage.try_ask(&actor, "json 12").await.unwrap_err() else { panic!() };
    assert!(refused.starts_with("this is not the data of an event: "), "{refused}");
    assert_eq!(stage.ask(&actor, "json 1").await, "49");
}

#[tokio::test]
async fn shutdown_ends_the_actor_when_the_call_has_committed() {
    let stage = Stage::new();
    let actor = stage.diarist("").await;
    assert_eq!(stage.ask(&actor, "shutdown all done").await, "shutting down");
    assert_eq!(actor.ended().await.unwrap(), ExitReason::Normal(Some(b"all done".to_vec())));
    let state = stage.runtime.get_actor_state(actor.id()).await.unwrap().unwrap();
    assert_eq!(&state[..], br#"{"requests":1}"#);
    let end = &stage.documents(actor.id(), "actor_terminated").await[0];
    assert_eq!(end["reason"], "normal");
    stage.verify(actor.id()).await;

    let quiet = stage.diarist("").await;
    stage.ask(&quiet, "shutdown").await;
    assert_eq!(quiet.ended().await.unwrap(), ExitReason::Normal(None));
}

#[tokio::test]
async fn a_start_can_be_declined_in_init_alone() {
    let stage = Stage::new();
    let declined = stage.runtime.spawn_actor_with(stage.manifest("diarist"), "decline").await;
    let Err(SpawnError::Ended { id, reason: ExitReason::Declined, .. }) = declined else {
        panic!("a root that declines ends");
    };
    assert_eq!(stage.documents(id, "actor_terminated").await[0]["reason"], "declined");

    let actor = stage.diarist("").await;
    let CallError::Failed { error, .. } = stage.try_ask(&actor, "decline").await.unwrap_err() else { panic!() };
    assert_eq!(error.kind, ErrorType::HostCallFailed);
    assert!(error.message.contains("only in init"), "{error}");
}

#[tokio::test]
async fn components_import_the_interface_with_and_without_its_version() {
    let stage = Stage::new();
    for (name, interface) in [("bare", "theater:simple/runtime@0.1.0"), ("unversioned", "theater:simple/runtime")] {
        let actor = stage.spawn(name).await.unwrap();
        let calls = stage.documents(actor.id(), "host_call").await;
        let logged = calls.iter().find(|call| call["function"] == "log");
        let recorded = logged.map(|call| call["interface"].clone());
        assert_eq!(recorded, Some(interface.into()), "{name} logs in init: {calls:?}");
    }
}
