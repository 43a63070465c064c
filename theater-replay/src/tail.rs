//! What is checked of an upgrade: that the new component does again what the old one did last.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use theater::{Checked, ProposedUpgrade, UpgradeCheck};
use theater_chain::data::{ActorErrorData, EventData as _};
use theater_chain::{ChainStore, Digest};

use crate::error::ReplayError;
use crate::record::Halt;
use crate::replayer::Replayer;
use crate::report::{Divergence, Replay, State};

/// An [`UpgradeCheck`] that replays the newest part of the record, from the last point at which the
/// actor got a fresh instance, with the new component and the state that its `migrate` makes of the one
/// from there. The calls must make the same host calls and end with the same answers; states are not
/// compared, since they are the new component's, nor is what it logs. Where the old component failed
/// the new one need not.
#[derive(Debug, Default)]
pub struct TailCheck(OnceLock<Replayer>);

impl TailCheck {
    /// A check; it makes an engine of its own when it is first asked.
    pub fn new() -> Self {
        Self::default()
    }

    fn replayer(&self) -> Result<&Replayer, ReplayError> {
        if let Some(replayer) = self.0.get() {
            return Ok(replayer);
        }
        let replayer = Replayer::new()?;
        Ok(self.0.get_or_init(|| replayer))
    }
}

#[async_trait]
impl UpgradeCheck for TailCheck {
    async fn check(&self, proposed: &ProposedUpgrade) -> Result<Checked, String> {
        let replayer = self.replayer().map_err(|error| error.to_string())?;
        let replay = replayer.tail(proposed).await.map_err(|stop| match stop {
            Stop::Migrate(reason) => reason,
            Stop::Replay(error) => format!("its last calls cannot be replayed: {error}"),
        })?;
        let Some(divergence) = &replay.diverged else {
            return Ok(Checked { calls: replay.replayed, diverged: None });
        };
        let sentence = said(divergence);
        if divergence.failed {
            return Err(format!("the new component fails where the old one did not: {sentence}"));
        }
        let mended = is_failure(&*proposed.store, proposed, divergence.seq).await.map_err(|error| error.to_string())?;
        if mended || proposed.allow_divergence {
            return Ok(Checked { calls: replay.replayed, diverged: Some(sentence) });
        }
        Err(format!(
            "the new component does something else than the old one did: {sentence}; allow divergence if that is meant"
        ))
    }
}

fn said(divergence: &Divergence) -> String {
    let Divergence { seq, function, expected, actual, backtrace, .. } = divergence;
    let place = backtrace.first().map(|frame| format!(", in {frame}")).unwrap_or_default();
    let function = if function.is_empty() { String::new() } else { format!(" ({function})") };
    format!("event {seq}{function} is {expected}, and now it is {actual}{place}")
}

/// Whether the record has the actor fail at this event.
async fn is_failure(store: &dyn ChainStore, of: &ProposedUpgrade, seq: u64) -> Result<bool, ReplayError> {
    let event = store.events(of.actor, seq, 1).await?.pop();
    Ok(event.is_some_and(|event| event.seq == seq && event.event_type == ActorErrorData::TYPE))
}

/// Why the tail was not replayed.
pub(crate) enum Stop {
    Migrate(String),
    Replay(ReplayError),
}

impl From<ReplayError> for Stop {
    fn from(error: ReplayError) -> Self {
        Self::Replay(error)
    }
}

impl Replayer {
    /// Replays the newest part of the record with the new component.
    async fn tail(&self, proposed: &ProposedUpgrade) -> Result<Replay, Stop> {
        let ProposedUpgrade { actor, store, head, component, digest, .. } = proposed;
        let instead = self.link(*digest, component)?;
        let entered = self.enter(
            store,
            *actor,
            store.kept_from(*actor).await.map_err(ReplayError::from)?,
            head.seq,
            Some(instead),
        );
        let (mut machine, from) = match entered.await {
            Ok(entered) => entered,
            Err(Halt::Failed(error)) => return Err(error.into()),
            Err(Halt::Diverged(divergence)) => return Err(Stop::Migrate(said(&divergence))),
        };
        let mut record = crate::record::Record::new(Arc::clone(store), *actor, from, head.seq + 1, None);
        machine.set_migrated(&mut record);
        if let Some(state) = machine.entered() {
            let made: Option<Bytes> = proposed.migrate(state).await.map_err(Stop::Migrate)?;
            machine.set_state(State { hash: Digest::of_state(made.as_deref()), bytes: made });
        }
        Ok(machine.run(record).await?)
    }
}
