//! To whom an actor may talk, and what a manifest may say of it.

use std::collections::BTreeSet;

use theater::{ActorHandle, SpawnError};
use theater_handler_message_server::{MessageServerHandler, MessageServerPermissions, Peer};

use crate::support::{ANY, Stage};

/// What came of a send and of a request: sent, or the rule that forbade it.
async fn talk(stage: &Stage, from: &ActorHandle, to: &ActorHandle) -> String {
    let asked = stage.ask(from, &format!("request {} hello", to.id())).await;
    let sent = stage.ask(from, &format!("send {} hello", to.id())).await;
    match (asked.as_str(), sent.as_str()) {
        ("hello", "sent") => "permitted".to_owned(),
        (asked, sent) => {
            assert_eq!(asked, sent, "both are denied by the same rule");
            let rule = asked.split_once("which needs ").unwrap().1.split_once(';').unwrap().0;
            for function in ["request", "send"] {
                let outcomes = stage.outcomes(from.id(), function).await;
                assert_eq!(outcomes.last().unwrap()["denied"], rule, "the denial is recorded");
            }
            rule.to_owned()
        }
    }
}

#[tokio::test]
async fn relatives_may_talk_by_default_and_others_may_not() {
    let stage = Stage::new();
    let parent = stage.courier("parent", "").await;
    stage.courier_manifest("child", "", "");
    let (one, two) = (stage.child(&parent, "child").await, stage.child(&parent, "child").await);
    let stranger = stage.courier("stranger", "").await;
    for (from, to) in [(&parent, &one), (&one, &parent), (&one, &two), (&two, &one)] {
        assert_eq!(talk(&stage, from, to).await, "permitted");
    }
    for (from, to) in [(&parent, &stranger), (&stranger, &parent), (&one, &stranger)] {
        assert_eq!(talk(&stage, from, to).await, "talk_to = [\"any\"]");
    }
    assert_eq!(stage.ask(&stranger, "got").await, "", "what is denied does not arrive");
    stage.verify(parent.id()).await;
    stage.verify(one.id()).await;

    let other = stage.courier("other", ANY).await;
    assert_eq!(talk(&stage, &other, &one).await, "permitted");
}

#[tokio::test]
async fn a_denial_says_what_to_write() {
    let stage = Stage::new();
    let (a, b) = (stage.courier("a", "").await, stage.courier("b", "").await);
    assert_eq!(
        stage.ask(&a, &format!("send {} hello", b.id())).await,
        format!(
            "error: actor a may not talk to actor {}, which needs talk_to = [\"any\"]; it holds talk_to = \
             [\"parent\", \"children\", \"siblings\"]; add it to `permissions` of the handler `message-server` in \
             its manifest",
            b.id()
        )
    );
}

#[tokio::test]
async fn each_peer_is_permitted_by_itself() {
    let stage = Stage::new();
    let parent = stage.courier("parent", ANY).await;
    for (permitted, expected) in [
        ("\"parent\"", ["permitted", "talk_to = [\"siblings\"]", "talk_to = [\"children\"]"]),
        ("\"siblings\"", ["talk_to = [\"parent\"]", "permitted", "talk_to = [\"children\"]"]),
        ("\"children\"", ["talk_to = [\"parent\"]", "talk_to = [\"siblings\"]", "permitted"]),
        ("", ["talk_to = [\"parent\"]", "talk_to = [\"siblings\"]", "talk_to = [\"children\"]"]),
    ] {
        let permissions = format!("permissions = {{ talk_to = [{permitted}] }}");
        stage.courier_manifest("child", &permissions, "");
        let (child, sibling) = (stage.child(&parent, "child").await, stage.child(&parent, "child").await);
        let grandchild = stage.child(&child, "child").await;
        for (to, expected) in [&parent, &sibling, &grandchild].into_iter().zip(expected) {
            assert_eq!(talk(&stage, &child, to).await, expected, "{permissions}");
        }
    }
}

#[tokio::test]
async fn a_child_gets_no_more_than_its_parent_holds() {
    let stage = Stage::new();
    let parent = stage.courier("parent", "permissions = { talk_to = [\"children\"] }").await;
    stage.courier_manifest("child", ANY, "");
    let refused = stage.ask(&parent, "spawn child.toml").await;
    assert!(refused.starts_with("error: "), "{refused}");
    for part in ["child.toml", "handler `message-server`", "the parent `parent`", "talk_to = [\"children\"] is held"] {
        assert!(refused.contains(part), "{part} is in: {refused}");
    }
    // An entry without permissions asks for the default, which is more as well.
    stage.courier_manifest("child", "", "");
    assert!(stage.ask(&parent, "spawn child.toml").await.contains("asks for \"parent\""));
    stage.courier_manifest("child", "permissions = { talk_to = [\"children\"] }", "");
    stage.child(&parent, "child").await;
}

#[tokio::test]
async fn no_actor_gets_more_than_the_composers_ceiling() {
    let ceiling = MessageServerPermissions { talk_to: BTreeSet::from([Peer::Parent, Peer::Children]) };
    let stage = Stage::with(MessageServerHandler::new().with_ceiling(ceiling));
    let refused = stage.try_courier("a", ANY, "").await.err().unwrap();
    assert!(matches!(refused, SpawnError::Permission { .. }));
    assert!(refused.to_string().contains("this runtime permits less than is asked for"), "{refused}");
    stage.try_courier("a", "permissions = { talk_to = [\"children\"] }", "").await.unwrap();
}

#[tokio::test]
async fn what_a_manifest_says_wrong_is_an_error_with_file_and_line() {
    let stage = Stage::new();
    for (entry, reason) in [
        ("request_timeout = \"soon\"", "\"soon\" is not a time above zero"),
        ("request_timeout = \"0s\"", "\"0s\" is not a time above zero"),
        ("timeout = \"5s\"", "unknown key `timeout`"),
        ("permissions = { talk_to = [\"everyone\"] }", "unknown variant `everyone`"),
        ("permissions = { talk_with = [] }", "unknown key `talk_with`; did you mean `talk_to`"),
    ] {
        let refused = stage.try_courier("a", entry, "").await.err().unwrap();
        let SpawnError::Manifest(error) = refused else { panic!("{refused}") };
        assert!(error.file.ends_with("/a.toml") && error.line == Some(9), "{error}");
        assert!(error.reason.contains(reason), "{error}");
    }
}
