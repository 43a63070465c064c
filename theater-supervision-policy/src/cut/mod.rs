//! Consistent cuts: to which of their states the members of a group can go back together.
//!
//! Actors that send each other messages share a history. When one of them fails and goes back to its
//! last committed state, others may have acted on what it then never did. A *cut* takes from each
//! member the beginning of its incarnation up to some committed call, so that what is left is a
//! history that could have been:
//!
//! - every call in it that a member sent is sent in the sender's part. A send leaves with its call's
//!   commit; a request at once, so that one of a call that trapped was sent by nobody;
//! - every reply that a call in it used was given in the callee's part.
//!
//! The greatest of them is found from the last committed calls backwards: a call whose cause is not in
//! its sender's part is undone, with all that followed in its actor, and with each call that used a
//! reply of an undone one, until nothing changes. That there is one greatest cut, and that this finds
//! it, is the theory of recovery lines: K. M. Chandy and L. Lamport, *Distributed Snapshots* (1985),
//! for what makes a cut consistent and for messages in flight; D. B. Johnson and W. Zwaenepoel,
//! *Recovery in Distributed Systems Using Optimistic Message Logging and Checkpointing* (1990), for
//! the greatest one.
//!
//! Calls can be undone as long as nothing of them has left the group: no effect of a host call, no
//! message to others, no answer to others. Else there is [no cut](NoCut). Messages are those of the
//! message server; a host function of another handler that is registered with an effect counts as
//! having left, one without as not.
//!
//! What is computed depends on the chains alone, so that who verifies them finds the same cut.

use std::collections::BTreeMap;

use theater_chain::{ChainStore, Digest, StoreError, TheaterId};

mod fact;
mod fixpoint;
mod history;
mod load;
mod origin;
mod transition;

/// How many events of a chain are read first.
const WINDOW: u64 = 256;

/// A member of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The actor.
    pub id: TheaterId,
    /// Events of its chain from this seq on are left out; `None`: it counts as a whole. For who looks
    /// at a cut later, and for a member that a cut before has taken back and that has not started
    /// since.
    pub until: Option<u64>,
}

impl From<TheaterId> for Member {
    fn from(id: TheaterId) -> Self {
        Self { id, until: None }
    }
}

/// The greatest consistent cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut {
    /// Of each member, in the order asked for: the seq of the last event of its part, which is the
    /// end of a call or the start of its incarnation, and the hash of the state after it.
    pub members: Vec<(TheaterId, u64, Digest)>,
    /// Of members with such ones: the seqs of the undone calls whose messages are to be delivered
    /// again, in this order, before everything that waits: they were sent in the cut, or by others.
    pub redeliver: BTreeMap<TheaterId, Vec<u64>>,
    /// Of members with such ones: the seqs of the committed calls that are undone. The messages that
    /// they sent never happened, also those that wait in a mailbox.
    pub undone: BTreeMap<TheaterId, Vec<u64>>,
    /// Of members with such a one: the seq of the last call, if it did not commit since the member was
    /// killed in it or the record ends there, and if its message is a send of the cut or of others. It
    /// was not begun in the cut and is not to blame, so that it can be delivered again.
    pub interrupted: BTreeMap<TheaterId, u64>,
}

impl Cut {
    /// Whether a message with this id never happened: an undone call sent it.
    pub fn is_undone(&self, message_id: &str) -> bool {
        match origin::Origin::of(Some(message_id)) {
            origin::Origin::Actor(sent) => self.undone.get(&sent.actor).is_some_and(|calls| calls.contains(&sent.call)),
            origin::Origin::Runtime | origin::Origin::Outside => false,
        }
    }
}

/// There is no consistent cut that can be gone back to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no consistent cut: in the chain of actor {member} {reason}")]
pub struct NoCut {
    /// The member that stands in the way.
    pub member: TheaterId,
    /// The seq of the event in its chain, a `call` in most cases.
    pub seq: u64,
    /// Why.
    pub reason: String,
}

/// The greatest consistent cut of these members, each once, over their newest incarnations (with
/// [`Member::until`]: the newest before it).
///
/// What has not reached the store does not count: whoever asks about actors that just ended waits for
/// their last commit first.
///
/// The chains are read backwards and only as far as needed: when nothing has to be undone, a few
/// pages of each. A message of an undone call that its receiver never began, and that neither waits
/// in the store nor is a dead letter, is looked for in the receiver's whole incarnation.
///
/// # Errors
/// The store failed, or lacks events that it should have.
pub async fn greatest(store: &dyn ChainStore, members: &[Member]) -> Result<Result<Cut, NoCut>, StoreError> {
    load::search(store, members, WINDOW).await
}

/// As [`greatest`], but the first window of each chain has this many events; later ones double. The
/// answer is the same with any.
///
/// # Errors
/// As for [`greatest`].
pub async fn greatest_by_windows(
    store: &dyn ChainStore,
    members: &[Member],
    window: u64,
) -> Result<Result<Cut, NoCut>, StoreError> {
    load::search(store, members, window).await
}
