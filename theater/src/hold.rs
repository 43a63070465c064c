//! Holding an actor between two calls, so that its component can be exchanged: it begins no call, its
//! messages wait. A stop and a kill go before.

use std::sync::Arc;
use std::time::Duration;

use crate::actor::{Actor, lock};
use crate::inbox::{Inbox, Phase};
use crate::sources::within;

/// An actor that is held; dropped, it goes on.
pub(crate) struct Hold(Arc<Actor>);

/// Why an actor is not held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotHeld {
    /// Somebody else holds it.
    Held,
    /// It was not between two calls in time.
    Busy,
    /// It has ended, or is about to.
    Ended,
}

impl Hold {
    /// Waits until the running call has ended, or the start.
    pub(crate) async fn take(actor: &Arc<Actor>, patience: Duration) -> Result<Self, NotHeld> {
        let held = async {
            let hold = actor.control.until(|| Self::begin(actor)).await?;
            actor.control.until(|| hold.is_at_rest()).await.map(|()| hold)
        };
        let held = async {
            tokio::select! {
                biased;
                held = held => held,
                _ = actor.wait_ended() => Err(NotHeld::Ended),
            }
        };
        within(&*actor.shared.sources, patience, held).await.unwrap_or(Err(NotHeld::Busy))
    }

    /// `None`: it is starting.
    fn begin(actor: &Arc<Actor>) -> Option<Result<Self, NotHeld>> {
        let mut inbox = lock(&actor.inbox);
        match inbox.phase {
            Phase::Starting => None,
            Phase::Running if inbox.held => Some(Err(NotHeld::Held)),
            Phase::Running => {
                inbox.held = true;
                drop(inbox);
                Some(Ok(Self(actor.clone())))
            }
            Phase::Ending | Phase::Held(_) | Phase::Ended(_) => Some(Err(NotHeld::Ended)),
        }
    }

    fn is_at_rest(&self) -> Option<Result<(), NotHeld>> {
        let inbox = lock(&self.0.inbox);
        match inbox.phase {
            Phase::Running => inbox.is_at_rest().then_some(Ok(())),
            _ => Some(Err(NotHeld::Ended)),
        }
    }

    /// Does this to the actor at rest, with its inbox locked, and lets it go. `None`: it is being
    /// stopped, or has ended.
    pub(crate) fn exchange<T>(self, work: impl FnOnce(&Arc<Actor>, &mut Inbox) -> T) -> Option<T> {
        let mut inbox = lock(&self.0.inbox);
        if !inbox.is_at_rest() || self.0.control.is_stopping() {
            return None;
        }
        Some(work(&self.0, &mut inbox))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock(&self.0.inbox).let_go(&self.0);
    }
}
