//! What must hold at the end: nothing that was acknowledged is missing, the sums agree, every chain verifies.

use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use theater::chain::{ChainStore, Level, Verification};
use theater_supervision_policy::DecisionAudit;

use super::Forest;
use super::load::Acknowledged;
use crate::clock::now;

/// Events after which the verification tells how far it is.
const TELL: u64 = 1_000_000;

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    /// Messages that were acknowledged; each is in a chain.
    pub(crate) acknowledged: u64,
    /// Increments whose answer was an error, and that happened all the same.
    pub(crate) unsure: u64,
    /// The sum of all counters, which is that of the two.
    pub(crate) sum: u64,
    /// Chains that were verified in full, all of them without a fault.
    pub(crate) chains: usize,
    /// Their events.
    pub(crate) events: u64,
    /// How long the verification took, in seconds.
    pub(crate) verified_in: f64,
}

#[derive(Deserialize)]
struct Count {
    n: u64,
}

impl Forest {
    /// Checks all of it.
    pub(crate) async fn check(&self, acknowledged: &[Acknowledged]) -> Result<Checked> {
        self.world.runtime.flush().await?;
        let store = self.world.runtime.store().clone();
        for (source, numbers) in acknowledged {
            for n in numbers {
                let id = format!("{source}/{n}");
                let found = store.answered(&id).await?;
                ensure!(found.is_some(), "message {id} was acknowledged and is in no chain");
            }
        }
        eprintln!("each acknowledged message is in a chain");
        let (sum, acknowledged, unsure) = self.sums().await?;
        eprintln!("{sum} is the sum of all counters: {acknowledged} acknowledged, {unsure} whose answer was an error");
        let begin = now();
        let (chains, events) = verified(&*store).await?;
        Ok(Checked { acknowledged, unsure, sum, chains, events, verified_in: begin.elapsed().as_secs_f64() })
    }

    /// The sum of the counters, and how it came about.
    async fn sums(&self) -> Result<(u64, u64, u64)> {
        let (mut sum, mut acknowledged, mut unsure) = (0, 0, 0);
        for counter in &self.counters {
            let Some(id) = counter.id.get() else { continue };
            let state = self.world.runtime.get_actor_state(*id).await?;
            let Count { n } = match &state {
                Some(state) => serde_json::from_slice(state).with_context(|| format!("the state of {id}"))?,
                None => Count { n: 0 },
            };
            let sure = u64::from(counter.acknowledged.load(Ordering::Relaxed));
            let most = sure + u64::from(counter.unsure.load(Ordering::Relaxed));
            ensure!((sure..=most).contains(&n), "counter {id} is at {n}, and {sure} to {most} increments happened");
            (sum, acknowledged, unsure) = (sum + n, acknowledged + sure, unsure + (n - sure));
        }
        Ok((sum, acknowledged, unsure))
    }
}

/// Every chain in full, with the decisions of the supervisors; how many, and their events.
async fn verified(store: &dyn ChainStore) -> Result<(usize, u64)> {
    let (mut events, mut told) = (0, 0);
    let mut progress = |now| {
        events = now;
        if events >= told + TELL {
            told = events;
            eprintln!("{events} events verified");
        }
    };
    let report = Verification::new(Level::Full).audited(&DecisionAudit).store(store, &mut progress).await?;
    if let Some(fault) = report.actors.iter().find_map(|actor| actor.fault.as_ref()) {
        bail!("a chain does not verify: {fault:?}");
    }
    ensure!(report.ok, "a chain does not verify");
    Ok((report.actors.len(), events))
}
