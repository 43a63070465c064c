//! Whether the ends and the errs of children that a chain tells are in the children's chains.

use super::anchors::{Children, LEFT_OUT};
use super::child::{Child, End, Halt, decoded, fault};
use super::report::Sentences;
use crate::data::{
    ActorErrorData, ActorStarted, Call, CallReturned, ChildErred, ChildExited, DeadLetter, EventData, HostCall,
    HostCallBegun, ReasonRecord, StateUpdated,
};
use crate::{ChainEvent, ChainStore, Digest, newest};

/// An err lies close to the last anchor, before or after it.
const NEAR: u64 = 512;

const NOT_KEPT: &str = "child_exited: ends of children that were not kept";

/// The error that ended an incarnation.
struct Failure {
    seq: u64,
    hash: Digest,
    data: ActorErrorData,
}

impl Failure {
    fn of(event: &ChainEvent) -> Option<Self> {
        Some(Self { seq: event.seq, hash: event.hash, data: decoded(event)? })
    }
}

impl Children {
    pub(super) async fn exited(
        &mut self,
        store: &dyn ChainStore,
        data: &ChildExited,
        unchecked: &mut Sentences,
    ) -> Result<(), Halt> {
        if data.error_hash.is_zero() {
            return Ok(()); // a restart that failed before there was an incarnation
        }
        let id = data.child;
        let Some(child) = self.there(store, id, unchecked).await? else { return Ok(()) };
        let Some(end) = child.end_of(store, data.incarnation).await? else {
            return if child.is_cut(store).await? {
                unchecked.add(NOT_KEPT);
                Ok(())
            } else {
                fault(format!("incarnation {} of {id} has not ended in its chain", data.incarnation))
            };
        };
        let (told, found) = (data.reason, end.data.reason);
        if told != found {
            return fault(format!("{id} is told to have ended {}, and in its chain {}", words(told), words(found)));
        }
        child.ends_from = end.seq;
        let Some(failure) = failure_of(store, child, &end).await? else {
            unchecked.add(NOT_KEPT);
            return Ok(());
        };
        let hash = failure.as_ref().map_or(end.hash, |failure| failure.hash);
        if data.error_hash != hash {
            let what = if failure.is_some() { "actor_error" } else { "actor_terminated" };
            return fault(format!("its error hash is not that of the {what} of {id}"));
        }
        if data.poison {
            poison(store, child, failure.as_ref(), &end, unchecked).await?;
        }
        Ok(())
    }

    pub(super) async fn erred(
        &mut self,
        store: &dyn ChainStore,
        data: &ChildErred,
        unchecked: &mut Sentences,
    ) -> Result<(), Halt> {
        let id = data.child;
        let Some(child) = self.there(store, id, unchecked).await? else { return Ok(()) };
        let wanted =
            |event: &ChainEvent| (event.hash == data.error_hash).then(|| (event.seq, decoded::<CallReturned>(event)));
        let from = child.errs_from;
        let near = child.anchored.map_or(from, |anchored| anchored.to.saturating_sub(NEAR)).max(from);
        let mut found = child.first(store, near, near.saturating_add(2 * NEAR), wanted).await?;
        if found.is_none() {
            found = child.first(store, from, u64::MAX, wanted).await?;
        }
        let Some((seq, returned)) = found else {
            return if child.is_cut(store).await? {
                unchecked.add("child_erred: errs of children that were not kept");
                Ok(())
            } else {
                fault(format!("the chain of {id} has no event with its error hash"))
            };
        };
        if returned.is_none_or(|returned| returned.ok) {
            return fault(format!("event {seq} of {id}, which it names, is no call that returned err"));
        }
        let incarnation = child.incarnation_at(store, seq).await?;
        if incarnation != data.incarnation {
            return fault(format!("the err of {id} is of incarnation {incarnation}, not {}", data.incarnation));
        }
        child.errs_from = seq;
        Ok(())
    }

    /// The child, unless its chain need not be in the store.
    async fn there(
        &mut self,
        store: &dyn ChainStore,
        id: crate::TheaterId,
        unchecked: &mut Sentences,
    ) -> Result<Option<&mut Child>, Halt> {
        let parent = self.parent;
        let child = self.child(store, id, unchecked).await?;
        match child.stored(store, 0).await? {
            Some(stored) if stored.parent != Some(parent) => fault(format!("{id} is not a child of this actor")),
            Some(_) => Ok(Some(child)),
            None if store.is_left_out(id).await? => {
                unchecked.add(LEFT_OUT);
                Ok(None)
            }
            None if child.anchored.is_some_and(|anchored| !anchored.volatile) => child.missing(),
            None => {
                unchecked.add("child_exited, child_erred: those of children whose chains are not in the store");
                Ok(None)
            }
        }
    }
}

impl Child {
    /// Whether the store has dropped events of it.
    async fn is_cut(&mut self, store: &dyn ChainStore) -> Result<bool, Halt> {
        Ok(self.stored(store, 0).await?.is_some_and(|stored| stored.kept_from > 0))
    }
}

/// The error that ended an incarnation, if one did: after it nothing is called any more. `None`:
/// that was not kept.
async fn failure_of(store: &dyn ChainStore, child: &Child, end: &End) -> Result<Option<Option<Failure>>, Halt> {
    const CALLED: [&str; 6] =
        [ActorStarted::TYPE, Call::TYPE, CallReturned::TYPE, StateUpdated::TYPE, HostCallBegun::TYPE, HostCall::TYPE];
    let found = newest(store, child.id, 0..end.seq, |event| match Failure::of(event) {
        Some(failure) => Some(Some(failure)),
        None => CALLED.contains(&&*event.event_type).then_some(None),
    });
    Ok(found.await?)
}

/// Whether the message that failed it was set aside, and had failed it before in the same way.
async fn poison(
    store: &dyn ChainStore,
    child: &mut Child,
    failure: Option<&Failure>,
    end: &End,
    unchecked: &mut Sentences,
) -> Result<(), Halt> {
    let id = child.id;
    let (Some(failure), Some(message)) = (failure, failure.and_then(|failure| failure.data.message_id.as_deref()))
    else {
        return fault(format!("it is told that a message failed {id}, and its chain names none"));
    };
    let letter = |event: &ChainEvent| decoded::<DeadLetter>(event).filter(|letter| letter.message_id == message);
    if child.first(store, failure.seq + 1, end.seq, letter).await?.is_none() {
        return fault(format!("message {message} failed {id} again, and no dead_letter says that it was set aside"));
    }
    let same = |event: &ChainEvent| {
        let (before, now) = (decoded::<ActorErrorData>(event)?, &failure.data);
        let same = before.trap_code == now.trap_code
            && before.wasm_offset == now.wasm_offset
            && before.state_hash == now.state_hash;
        same.then_some(())
    };
    if newest(store, id, 0..failure.seq, same).await?.is_some() {
        return Ok(());
    }
    if child.is_cut(store).await? {
        unchecked.add("child_exited: earlier failures of children that were not kept");
        return Ok(());
    }
    fault(format!("message {message} is told to have failed {id} before in the same way, and it has not"))
}

/// A reason, for people.
fn words(reason: ReasonRecord) -> String {
    match reason {
        ReasonRecord::Normal => "normal".into(),
        ReasonRecord::Declined => "declined".into(),
        ReasonRecord::Shutdown => "shutdown".into(),
        ReasonRecord::Abnormal(error) => format!("abnormal ({})", name(&error)),
        ReasonRecord::Killed(cause) => format!("killed ({})", name(&cause)),
    }
}

/// The name of a value as it is recorded.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
