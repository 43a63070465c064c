//! What led to an event, as far as it stands in the chain of another actor.

use theater::chain::codec::DecodeError;
use theater::chain::data::{
    ActorStarted, Call, ChildErred, ChildExited, ChildrenAnchored, DeadLetter, EventData as _, SupervisionAction,
};
use theater::chain::{ChainEvent, codec};
use theater::{Digest, TheaterId};

/// An event that comes before another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// This event of this actor.
    At(TheaterId, u64),
    /// The event of this actor with this hash.
    Of(TheaterId, Digest),
    /// The end of the incarnation of this actor that the event with this hash led to, or is.
    EndOf(TheaterId, Digest),
    /// The event of this actor with this hash, in the turn that begins at this seq.
    InTurn(TheaterId, u64, Digest),
    /// The event with this hash, mostly an earlier one of the same actor.
    Somewhere(Digest),
}

/// The causes of an event. Its own chain's earlier events are not among them.
pub(super) fn causes(event: &ChainEvent) -> Result<Vec<Cause>, DecodeError> {
    let data = &event.data;
    Ok(match event.event_type.as_ref() {
        ActorStarted::TYPE => {
            let started: ActorStarted = codec::decode(data)?;
            let above = started.parent.zip(started.parent_event);
            above.map(|(parent, hash)| Cause::Of(parent, hash)).into_iter().collect()
        }
        Call::TYPE => {
            let call: Call = codec::decode(data)?;
            of_message(call.message_id.as_deref(), call.cause)
        }
        DeadLetter::TYPE => {
            let letter: DeadLetter = codec::decode(data)?;
            of_message(Some(&letter.message_id), letter.cause)
        }
        ChildExited::TYPE => {
            let exited: ChildExited = codec::decode(data)?;
            // Zeros: no incarnation began.
            let hash = Some(exited.error_hash).filter(|hash| !hash.is_zero());
            hash.map(|hash| Cause::EndOf(exited.child, hash)).into_iter().collect()
        }
        ChildErred::TYPE => {
            let erred: ChildErred = codec::decode(data)?;
            vec![Cause::Of(erred.child, erred.error_hash)]
        }
        ChildrenAnchored::TYPE => {
            let anchored: ChildrenAnchored = codec::decode(data)?;
            anchored.entries.iter().map(|entry| Cause::At(entry.child, entry.to)).collect()
        }
        SupervisionAction::TYPE => {
            let action: SupervisionAction = codec::decode(data)?;
            let cut = action.cut.into_iter().flatten().map(|(member, seq, _)| Cause::At(member, seq));
            cut.chain(action.error_hash.map(Cause::Somewhere)).collect()
        }
        _ => Vec::new(),
    })
}

fn of_message(message_id: Option<&str>, cause: Option<Digest>) -> Vec<Cause> {
    match (message_id.and_then(sender), message_id, cause) {
        (Some((sender, seq)), _, Some(hash)) => vec![Cause::At(sender, seq), Cause::InTurn(sender, seq, hash)],
        (Some((sender, seq)), _, None) => vec![Cause::At(sender, seq)],
        // From outside: the event that accepted it is in the same chain.
        (None, Some(_), _) => Vec::new(),
        (None, None, cause) => cause.map(Cause::Somewhere).into_iter().collect(),
    }
}

/// The actor and the seq of the call that sent a message, if it came from an actor.
fn sender(message_id: &str) -> Option<(TheaterId, u64)> {
    let mut parts = message_id.split('/');
    let (actor, seq, _ordinal) = (parts.next()?, parts.next()?, parts.next()?);
    Some((actor.parse().ok()?, seq.parse().ok()?)).filter(|_| parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_actors_have_a_sender() {
        let id = TheaterId::from_bytes([7; 16]);
        assert_eq!(sender(&format!("{id}/17/0")), Some((id, 17)));
        for outside in ["cli-1/17", "cli-1/17/0", "", "//"] {
            assert_eq!(sender(outside), None, "{outside}");
        }
    }
}
