//! Whether a child began with the state that the decision to restart it names.

use theater_chain::data::RestartStateKind;
use theater_chain::{ChainEvent, ChainStore, Digest, StoreError, TheaterId, Verdict};

use super::Seen;
use super::life::Life;
use super::linked::next_start;
use crate::decision::Decision;
use crate::policy::StateChoice;

impl Life {
    pub(super) async fn restarted(
        &mut self,
        store: &dyn ChainStore,
        event: &ChainEvent,
        state: Option<Digest>,
        due: &Decision,
    ) -> Result<Seen, StoreError> {
        let cut = due.cut.as_deref().unwrap_or_default();
        let mut seen = self.began(store, event, due.actor, &due.state, state).await?;
        for (member, _, state) in cut {
            if let Seen::Verdict(Verdict::Right) = seen {
                seen = self.began(store, event, *member, &StateChoice::Resume, Some(*state)).await?;
            }
        }
        Ok(seen)
    }

    /// The start that this decision led to, if there was one.
    async fn began(
        &mut self,
        store: &dyn ChainStore,
        event: &ChainEvent,
        child: TheaterId,
        choice: &StateChoice,
        state: Option<Digest>,
    ) -> Result<Seen, StoreError> {
        let Some(to) = self.of(child).anchored else {
            let sentence = "supervision_action: the states that children began with that are not anchored";
            return Ok(Seen::Verdict(Verdict::Unchecked(sentence.to_owned())));
        };
        let begun = next_start(store, child, to).await?.map(|begun| begun.data);
        let Some(begun) = begun.filter(|begun| begun.parent_event == Some(event.hash)) else {
            return Ok(Seen::RIGHT); // it did not come to that, or somebody was faster
        };
        if (begun.restart_state == RestartStateKind::Reset) != (*choice == StateChoice::Reset) {
            return Ok(Seen::wrong(format!("{child} began with another kind of state than was decided")));
        }
        if let Some(state) = state.filter(|state| *state != begun.state_hash) {
            return Ok(Seen::wrong(format!(
                "{child} is to begin with the state {state}, and began with {}",
                begun.state_hash
            )));
        }
        Ok(Seen::RIGHT)
    }
}
