//! A rollback: component and state from right before the newest upgrade that was not taken back.

use std::sync::Arc;

use theater_chain::data::{ActorRolledBack, ActorUpgraded, Data};
use theater_chain::{ChainStore, TheaterId};

use super::exchange::Exchange;
use super::forward::not_held;
use super::subject::Subject;
use super::{Upgrade, UpgradeError, Upgraded};
use crate::error::SpawnError;
use crate::hold::Hold;
use crate::program::Program;
use crate::recheck;
use crate::runtime::TheaterRuntime;
use crate::spawn::find_store;

impl TheaterRuntime {
    /// Takes the newest upgrade of an actor back that was not taken back: between two calls it gets the
    /// component and the state from right before it. What it processed since stays in its chain, and is
    /// in no state any more. Waits up to 10 s for the running call to end. Returns when it is durable.
    ///
    /// # Errors
    /// See [`UpgradeError`]: the actor goes on as it was.
    pub async fn roll_back_actor(&self, actor: TheaterId) -> Result<Upgraded, UpgradeError> {
        let shared = &self.shared;
        let subject = Subject::find(shared, actor).await?;
        let old = subject.program();
        let newest = old.since.ok_or(UpgradeError::NothingToRollBack(actor))?;
        shared.journal.flushed().await?;
        let store = find_store(shared, actor).await?.clone();
        let (upgrade, undone) = in_force(&*store, actor, newest).await?;
        let forgotten = |what: String| UpgradeError::Forgotten { actor, reason: what };
        let binary = shared.binaries.stored(&*store, undone.old_component).await?;
        let binary = binary.ok_or_else(|| forgotten(format!("component {} is not stored", undone.old_component)))?;
        let made = subject.made();
        let program = Program::prepare(shared, &made.manifest, &made.handlers, binary).await?;
        let state = recheck::state(&*store, actor, undone.old_state_hash).await.map_err(|error| match error {
            SpawnError::Rejected { reason, .. } => forgotten(reason),
            error => error.into(),
        })?;
        let hold = match &subject {
            Subject::Alive(alive) => {
                let defaults = Upgrade::new(program.bytes.clone());
                Some(Hold::take(alive, defaults.patience).await.map_err(|why| not_held(actor, &defaults, why))?)
            }
            Subject::Gone(_) => None,
        };
        if subject.program().since != old.since {
            return Err(UpgradeError::UnderWay(actor));
        }
        let before = subject.committed();
        let event = ActorRolledBack {
            actor_id: actor,
            upgrade,
            old_component: old.digest,
            new_component: undone.old_component,
            old_version: old.version.to_string(),
            new_version: undone.old_version,
            old_state_hash: before.hash,
            new_state_hash: undone.old_state_hash,
            previous: Some(newest),
        };
        let version: Arc<str> = event.new_version.as_str().into();
        let exchange = Exchange { event: &event, program, version, before, state };
        let appended = exchange.make(shared, &subject, hold).await?;
        Ok(Upgraded {
            actor,
            seq: appended.seq,
            old_component: event.old_component,
            new_component: event.new_component,
            old_version: event.old_version,
            new_version: event.new_version,
            migrated: false,
            checked: None,
            undone: Some(upgrade),
        })
    }
}

/// The newest upgrade that was not taken back, from the newest event of either kind backwards.
async fn in_force(store: &dyn ChainStore, actor: TheaterId, newest: u64) -> Result<(u64, ActorUpgraded), UpgradeError> {
    let mut at = newest;
    loop {
        let before = match event(store, actor, at).await? {
            Data::ActorUpgraded(upgrade) => return Ok((at, upgrade)),
            Data::ActorRolledBack(back) => match event(store, actor, back.upgrade).await? {
                Data::ActorUpgraded(undone) => undone.previous,
                _ => None,
            },
            _ => None,
        };
        // Each lies before the one that names it.
        at = before.filter(|before| *before < at).ok_or(UpgradeError::NothingToRollBack(actor))?;
    }
}

async fn event(store: &dyn ChainStore, actor: TheaterId, seq: u64) -> Result<Data, UpgradeError> {
    let found = store.events(actor, seq, 1).await?.pop().filter(|event| event.seq == seq);
    let data = found.and_then(|event| Data::decode(&event.event_type, &event.data).ok().flatten());
    let reason = || format!("event {seq}, which says what was there before, is not kept any more");
    data.ok_or_else(|| UpgradeError::Forgotten { actor, reason: reason() })
}
