//! What is checked of an upgrade: that the new component does again what the old one did last.

use std::sync::OnceLock;

use async_trait::async_trait;
use theater::{Checked, ProposedUpgrade, UpgradeCheck};
use theater_chain::ChainStore;
use theater_chain::data::{ActorErrorData, EventData as _};

use crate::error::ReplayError;
use crate::record::{Halt, Record};
use crate::replayer::Replayer;
use crate::report::{Divergence, Replay, Unreplayed};

/// An [`UpgradeCheck`] that replays the newest part of the record, from the last point at which the
/// actor got a fresh instance, with the new component and the state that its `migrate` makes of the one
/// from there. What ran before the newest upgrade or rollback was another component, and is left out. The calls must make the same host calls and end with the same answers; states are not
/// compared, since they are the new component's, nor is what it logs. Where the old component failed
/// the new one need not. Calls that cannot be made again, since a payload was erased or a state is not
/// stored, are passed over, and [`Checked::unchecked`] says so.
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
        let replay = replayer.tail(proposed).await.map_err(|error| match error {
            ReplayError::Migrate { reason, .. } => reason,
            error => format!("its last calls cannot be replayed: {error}"),
        })?;
        let Some(replay) = replay else {
            let unchecked = "of the component until now no state is stored that its last calls could begin with".into();
            return Ok(Checked { unchecked: Some(unchecked), ..Checked::default() });
        };
        let unchecked = replay.unreplayed.first().map(|gap| {
            let Unreplayed { seq, to, reason, .. } = gap;
            format!("the calls of events {seq} to {to} could not be made again: {reason}")
        });
        let checked = Checked { calls: replay.replayed, diverged: None, unchecked };
        let Some(divergence) = &replay.diverged else { return Ok(checked) };
        let sentence = said(divergence);
        if divergence.failed {
            return Err(format!("the new component fails where the old one did not: {sentence}"));
        }
        let mended = is_failure(&*proposed.store, proposed, divergence.seq).await.map_err(|error| error.to_string())?;
        if mended || proposed.allow_divergence {
            return Ok(Checked { diverged: Some(sentence), ..checked });
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

impl Replayer {
    /// Replays the newest part of the record with the new component; `None` where there is no point to
    /// begin at.
    async fn tail(&self, proposed: &ProposedUpgrade) -> Result<Option<Replay>, ReplayError> {
        let instead = self.link(proposed.digest, &proposed.component)?;
        let entered = match self.enter_upgraded(proposed, instead).await {
            Ok(entered) => entered,
            Err(Halt::Failed(error)) => return Err(error),
            Err(Halt::Diverged(divergence)) => return Ok(Some(Replay::stopped(proposed.actor, &divergence))),
        };
        let Some((mut machine, from)) = entered else { return Ok(None) };
        let record = Record::new(proposed.store.clone(), proposed.actor, from, proposed.head, None);
        Ok(Some(machine.run(record).await?))
    }
}
