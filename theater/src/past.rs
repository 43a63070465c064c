//! Whether an actor can begin again with a state that it had before.

use theater_chain::data::Data;
use theater_chain::{ChainStore, Digest, Keeping, Says, TheaterId};

use crate::error::SpawnError;

/// Events read at once.
const PAGE: usize = 1_000;

/// Whether the actor can begin again with an earlier state: one that its chain has a transition to.
/// That the store has what it must is not looked at.
///
/// # Errors
/// It never committed such a state, or that was superseded and is not kept.
pub(crate) async fn check(store: &dyn ChainStore, actor: TheaterId, hash: Digest) -> Result<(), SpawnError> {
    let (mut keeping, mut current) = (Keeping::default(), None);
    let (mut committed, mut stays) = (false, false);
    let mut from = 0;
    loop {
        let page = store.events(actor, from, PAGE).await?;
        let Some(last) = page.last() else { break };
        from = last.seq + 1;
        for event in &page {
            let says = keeping.event(&event.event_type);
            if says == Says::Nothing {
                continue;
            }
            let before = current;
            match Data::decode(&event.event_type, &event.data) {
                Ok(Some(Data::StateUpdated(data))) => {
                    committed |= data.new_state_hash == hash;
                    current = Some(data.new_state_hash);
                }
                Ok(Some(Data::ActorStarted(data))) => current = Some(data.state_hash),
                Ok(Some(Data::ActorUpgraded(data))) => current = Some(data.new_state_hash),
                Ok(Some(Data::ActorRolledBack(data))) => current = Some(data.new_state_hash),
                _ => {}
            }
            stays |= says == Says::Stays && (before == Some(hash) || current == Some(hash));
        }
    }
    match committed {
        false => Err(SpawnError::NoSuchState { actor, hash }),
        true if stays || hash.is_zero() || store.state(hash).await?.is_some() => Ok(()),
        // The newest one is there until another one follows.
        true if current == Some(hash) => Ok(()),
        true => Err(SpawnError::StateNotKept { actor, hash }),
    }
}
