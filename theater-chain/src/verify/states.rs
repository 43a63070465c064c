//! Whether the states that must stay are in the store, and how many others are not.

use crate::keeping::{Keeping, Says};
use crate::{ChainEvent, Digest};

/// Follows the states of one chain.
#[derive(Debug, Default)]
pub(super) struct States {
    keeping: Keeping,
    /// The newest state, where it is not in the store: the seq of its event, and its hash.
    missing: Option<(u64, Digest)>,
    /// States that are not in the store, and need not be.
    thinned: u64,
}

impl States {
    /// Takes the next event, and whether the state that it leaves is `missing` from the store; the
    /// reason if a state is that must be there.
    pub(super) fn event(&mut self, event: &ChainEvent, missing: Option<Digest>) -> Result<(), String> {
        let says = self.keeping.event(&event.event_type);
        if let (Says::Stays, Some(before)) = (says, self.missing) {
            return Err(not_there(before));
        }
        match (says, missing) {
            (Says::Stays | Says::Nothing, Some(hash)) => return Err(format!("the state {hash} is not in the store")),
            (Says::Passes, missing) => {
                self.pass();
                self.missing = missing.map(|hash| (event.seq, hash));
            }
            (Says::Stays | Says::Nothing, None) => {}
        }
        Ok(())
    }

    /// Another state has followed the newest one.
    fn pass(&mut self) {
        self.thinned += u64::from(self.missing.take().is_some());
    }

    /// After the last event: the newest state is there, unless the actor `went_on` since.
    pub(super) fn end(&mut self, went_on: bool) -> Result<(), String> {
        match self.missing {
            Some(missing) if !went_on => Err(not_there(missing)),
            _ => {
                self.pass();
                Ok(())
            }
        }
    }

    /// Whether the newest state is not in the store.
    pub(super) fn is_missing(&self) -> bool {
        self.missing.is_some()
    }

    /// How many states are not in the store, since others followed them.
    pub(super) fn thinned(&self) -> u64 {
        self.thinned
    }
}

fn not_there((seq, hash): (u64, Digest)) -> String {
    format!("the state {hash}, which event {seq} left and which must stay, is not in the store")
}
