//! What the engine is told of what happened: exits, and what an operator did.

use theater::chain::data::AskedBy;
use theater::{ChildExit, StoppedBy, TheaterId};
use theater_supervision_policy::Exit;

use crate::supervision::{State, Supervision};

impl Supervision {
    /// Children that an operator ended and that live again are up: nobody says so when they begin.
    pub(crate) fn revive(&self, state: &mut State) {
        if state.stopped.is_empty() {
            return;
        }
        let Some(tree) = self.tree() else { return };
        let State { stopped, engine, .. } = state;
        stopped.retain(|child, ended| {
            let lives = tree.incarnation(*child).is_some_and(|incarnation| incarnation > *ended);
            if lives {
                engine.up(*child);
            }
            !lives
        });
    }
}

impl State {
    /// An operator ended this incarnation of a child that a policy speaks of.
    pub(crate) fn note_stopped(&mut self, child: TheaterId, incarnation: u32) {
        if self.engine.spec(child).is_some() || self.engine.policy().spawned.is_some() {
            self.stopped.insert(child, incarnation);
        }
    }
}

/// What the engine is told of an exit.
pub(crate) fn fact(exit: &ChildExit) -> Exit {
    let message = match &exit.reason {
        theater::ExitReason::Abnormal(error) => error.message.clone(),
        _ => String::new(),
    };
    Exit {
        child: exit.child,
        name: exit.name.clone(),
        incarnation: exit.incarnation,
        reason: exit.reason.record(),
        asked_by: match exit.stopped_by {
            StoppedBy::Itself => AskedBy::Itself,
            StoppedBy::Operator => AskedBy::Operator,
            _ => AskedBy::Parent,
        },
        poison: exit.poison,
        message,
        error_hash: exit.error_hash,
    }
}
