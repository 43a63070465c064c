//! The events that are measured: calls that change a state of 100 bytes.

use theater::chain::data::{Call, Lane, RestartStateKind, StateUpdated};
use theater::chain::testing::Story;
use theater::chain::{ChainEvent, Commit, Digest, Payload, StateChain, TheaterId, payload};

/// A life that has begun.
pub(super) fn story() -> Story {
    let mut story = Story::new(1);
    story.start(RestartStateKind::Reset, Some(b"{}"));
    story
}

/// The next events of a life, about as many as asked for: a call and its state, again and again.
pub(super) fn commit(story: &mut Story, events: usize) -> Commit {
    let seq = story.head.map_or(0, |head| head.seq);
    for n in 0..events.div_ceil(2) as u64 {
        let id = format!("bench/{}", seq + n);
        story.call(Some(&id));
        story.commit_state(Some(&id), state(seq + n).as_bytes());
    }
    story.commit()
}

fn state(n: u64) -> String {
    format!("{n:0100}")
}

/// Such events alone.
pub(super) fn events(count: usize) -> Vec<ChainEvent> {
    let mut story = story();
    let mut events: Vec<_> = commit(&mut story, count).events.into_iter().map(|(_, event)| event).collect();
    events.truncate(count);
    events
}

/// Appends as many to a chain in memory: encoded, hashed and kept.
pub(super) fn append(count: usize) -> StateChain {
    let mut chain = StateChain::new();
    let params = payload::bin(state(0).as_bytes());
    let id = TheaterId::from_bytes([1; 16]);
    for n in 0..count.div_ceil(2) as u64 {
        let message_id = Some(format!("bench/{n}"));
        let call = Call {
            lane: Lane::Mailbox,
            interface: "theater:simple/message-server-client".into(),
            function: "handle-send".into(),
            message_id: message_id.clone(),
            cause: None,
        };
        let bytes = payload::encode(&[("params", Some(&params))]).unwrap_or_default();
        chain.append(n, &call, Some(Payload::new([7; 16], bytes)));
        let updated = StateUpdated {
            actor_id: id,
            old_state_hash: Digest::ZERO,
            new_state_hash: Digest::ZERO,
            transition_message: message_id,
        };
        let bytes = payload::encode(&[("result", Some(&params))]).unwrap_or_default();
        chain.append(n, &updated, Some(Payload::new([8; 16], bytes)));
    }
    chain
}
