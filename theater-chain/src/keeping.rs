//! Which states of a chain stay in the store once others have followed them.
//!
//! A small state always stays. A large one is *passing*: it is there while it is the newest of its
//! actor, and goes with the commit of the next one, unless the chain says in between that it stays.
//! The states that stay are those with which anything begins: an incarnation, an instance, another
//! component, a restart, a fork. All others can be made again by a replay from there.

use crate::data::{
    ActorErrorData, ActorRolledBack, ActorStarted, ActorTerminated, ActorUpgraded, EventData, InstanceDropped,
    StateUpdated, StatesKept,
};

/// A state of at most this many bytes always stays.
pub const SMALL_STATE: usize = 4 << 10;

/// Says which states must stay, going along the events of one chain: for whoever writes it and for
/// whoever verifies it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keeping {
    /// All of the incarnation stay, from the event that says so on.
    all: bool,
}

/// What an event says of the states of its actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Nothing.
    Nothing,
    /// The state before it stays, and the one that it leaves.
    Stays,
    /// It leaves a state that, if it is large, is there until the next one follows.
    Passes,
}

impl Keeping {
    /// What the next event says, by its type.
    pub fn event(&mut self, event_type: &str) -> Says {
        match event_type {
            StateUpdated::TYPE if !self.all => Says::Passes,
            StateUpdated::TYPE
            | InstanceDropped::TYPE
            | ActorErrorData::TYPE
            | ActorTerminated::TYPE
            | ActorUpgraded::TYPE
            | ActorRolledBack::TYPE => Says::Stays,
            StatesKept::TYPE => {
                self.all = true;
                Says::Stays
            }
            ActorStarted::TYPE => {
                self.all = false;
                Says::Stays
            }
            _ => Says::Nothing,
        }
    }

    /// Whether all states stay until the incarnation ends.
    pub fn all(&self) -> bool {
        self.all
    }
}
