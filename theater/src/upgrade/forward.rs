//! An upgrade: everything is checked, `migrate` runs on a copy, the actor is held, and then exchanged.

use std::sync::Arc;

use theater_chain::data::ActorUpgraded;
use theater_chain::{Digest, Head, TheaterId};

use super::exchange::Exchange;
use super::subject::Subject;
use super::{Checked, ProposedUpgrade, Upgrade, UpgradeError, Upgraded};
use crate::binary::Binary;
use crate::error::SpawnError;
use crate::hold::{Hold, NotHeld};
use crate::migrate::Migration;
use crate::program::Program;
use crate::runtime::TheaterRuntime;
use crate::shared::Shared;
use crate::sources::within;
use crate::spawn::find_store;

impl TheaterRuntime {
    /// Exchanges the component of an actor between two calls. Its incarnation, its children, its
    /// handlers' states and its messages stay; its state becomes what the optional export `migrate` of
    /// the new component makes of it. An actor that has ended gets it for its next start.
    ///
    /// Before anything is changed the new component is linked to the handlers that the actor's manifest
    /// lists, must export what the old one did, `migrate` runs on a copy of the state, and the
    /// [`UpgradeCheck`](super::UpgradeCheck) of the runtime agrees. Returns when it is durable.
    ///
    /// # Errors
    /// See [`UpgradeError`]: the actor goes on as it was.
    pub async fn upgrade_actor(&self, actor: TheaterId, upgrade: Upgrade) -> Result<Upgraded, UpgradeError> {
        let shared = &self.shared;
        let subject = Subject::find(shared, actor).await?;
        let old = subject.program();
        let new = new_program(shared, &subject, &upgrade).await?;
        let version: Arc<str> = upgrade.version.as_deref().map_or(old.version.clone(), Into::into);
        if new.digest == old.digest && version == old.version {
            return Err(UpgradeError::Unchanged { actor, digest: old.digest });
        }
        let missing = old.exports_missing_in(&new);
        if !missing.is_empty() {
            let reason = format!("it does not export {}, which the old one does", missing.join(", "));
            return Err(UpgradeError::Component { actor, reason });
        }
        let migration = Migration::of(shared, &new, &subject.made().manifest.limits)
            .map_err(|reason| UpgradeError::Component { actor, reason })?;
        // Before the actor is held, so that it need not be where this fails or takes long.
        let mut seen = Seen::default();
        seen.check(shared, &subject, &new, &migration, &upgrade).await?;
        let hold = match &subject {
            Subject::Alive(alive) => {
                Some(Hold::take(alive, upgrade.patience).await.map_err(|why| not_held(actor, &upgrade, why))?)
            }
            Subject::Gone(_) => None,
        };
        if subject.program().since != old.since {
            return Err(UpgradeError::UnderWay(actor));
        }
        let checked = seen.check(shared, &subject, &new, &migration, &upgrade);
        match &hold {
            Some(_) => within(&*shared.sources, upgrade.patience, checked)
                .await
                .unwrap_or(Err(UpgradeError::TooLong { actor, patience: upgrade.patience }))?,
            None => checked.await?,
        }
        let before = subject.committed();
        let state = match &migration {
            None => before.state.clone(),
            Some(migration) => migration
                .run(before.state.clone(), &old.version)
                .await
                .map_err(|reason| UpgradeError::Migrate { actor, reason })?,
        };
        let event = ActorUpgraded {
            actor_id: actor,
            old_component: old.digest,
            new_component: new.digest,
            old_version: old.version.to_string(),
            new_version: version.to_string(),
            old_state_hash: before.hash,
            new_state_hash: Digest::of_state(state.as_deref()),
            migrated: migration.is_some(),
            previous: old.since,
        };
        let exchange = Exchange { event: &event, program: new, version, before, state };
        let appended = exchange.make(shared, &subject, hold).await?;
        Ok(Upgraded {
            actor,
            seq: appended.seq,
            old_component: event.old_component,
            new_component: event.new_component,
            old_version: event.old_version,
            new_version: event.new_version,
            migrated: event.migrated,
            checked: seen.checked,
            undone: None,
        })
    }
}

async fn new_program(shared: &Arc<Shared>, subject: &Subject, upgrade: &Upgrade) -> Result<Program, UpgradeError> {
    let (made, actor) = (subject.made(), subject.recorder().id);
    let binary = Binary::new(upgrade.component.clone());
    let program = Program::prepare(shared, &made.manifest, &made.handlers, binary).await;
    program.map_err(|error| match error {
        SpawnError::File { reason, .. } => UpgradeError::Component { actor, reason },
        SpawnError::Link { reason, .. } => {
            // The reason may say what to add to the manifest.
            let reason = format!("{}; an upgrade keeps the manifest with its handlers", reason.trim_end());
            UpgradeError::Component { actor, reason }
        }
        error => error.into(),
    })
}

pub(super) fn not_held(actor: TheaterId, upgrade: &Upgrade, why: NotHeld) -> UpgradeError {
    match why {
        NotHeld::Held => UpgradeError::UnderWay(actor),
        NotHeld::Busy => UpgradeError::Busy { actor, patience: upgrade.patience },
        NotHeld::Ended => UpgradeError::Ended(actor),
    }
}

/// What was checked.
#[derive(Default)]
struct Seen {
    head: Option<Head>,
    checked: Option<Checked>,
}

impl Seen {
    /// Checks again only where the record has grown since.
    async fn check(
        &mut self,
        shared: &Arc<Shared>,
        subject: &Subject,
        new: &Program,
        migration: &Option<Migration>,
        upgrade: &Upgrade,
    ) -> Result<(), UpgradeError> {
        let Some(check) = &shared.upgrade_check else { return Ok(()) };
        let actor = subject.recorder().id;
        shared.journal.flushed().await?;
        let store = find_store(shared, actor).await?;
        let entry = store.actor(actor).await?.ok_or(UpgradeError::NotFound(actor))?;
        if self.head.replace(entry.head) == Some(entry.head) {
            return Ok(());
        }
        let proposed = ProposedUpgrade {
            actor,
            store: store.clone(),
            head: entry.head,
            component: new.bytes.clone(),
            digest: new.digest,
            allow_divergence: upgrade.allow_divergence,
            old_version: subject.program().version.clone(),
            migration: migration.clone(),
        };
        let checked = check.check(&proposed).await;
        self.checked = Some(checked.map_err(|reason| UpgradeError::Refused { actor, reason })?);
        Ok(())
    }
}
