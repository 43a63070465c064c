//! Verification of a whole store.

use super::actor::{Verification, verify_with};
use super::facts::Facts;
use super::report::Sentences;
use super::{ActorReport, Level, StoreReport, missing, signed};
use crate::{ActorEntry, ChainStore, StoreError};

/// How many actors are listed at once.
const PAGE: usize = 256;

/// Verifies every actor of a store. `on_progress` is told the number of events so far, page by
/// page.
///
/// A fault in what is stored is in the report. An error means that the store could not be read.
pub async fn verify_store(
    store: &dyn ChainStore,
    level: Level,
    on_progress: &mut (dyn FnMut(u64) + Send),
) -> Result<StoreReport, StoreError> {
    Verification::new(level).store(store, on_progress).await
}

impl Verification<'_> {
    /// As [`verify_store`].
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn store(
        self,
        store: &dyn ChainStore,
        on_progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<StoreReport, StoreError> {
        let mut facts = Facts::default();
        let mut unchecked = Sentences::default();
        let mut actors = Vec::new();
        let mut events = 0;
        let mut after = None;
        loop {
            let page = store.actors(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for entry in &page {
                let mut count = |more| {
                    events += more;
                    on_progress(events);
                };
                let report = verify_with(store, entry, self, &mut facts, &mut count).await?;
                for sentence in &report.unchecked {
                    unchecked.add(sentence);
                }
                actors.push(report);
            }
        }
        self.report(store, actors, unchecked, true).await
    }

    /// As [`Verification::store`], of these actors alone.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn actors(self, store: &dyn ChainStore, entries: &[ActorEntry]) -> Result<StoreReport, StoreError> {
        let (mut facts, mut unchecked, mut actors) = (Facts::default(), Sentences::default(), Vec::new());
        for entry in entries {
            let report = verify_with(store, entry, self, &mut facts, &mut |_| ()).await?;
            report.unchecked.iter().for_each(|sentence| unchecked.add(sentence));
            actors.push(report);
        }
        self.report(store, actors, unchecked, false).await
    }

    /// With what the signatures say, where they are checked.
    async fn report(
        self,
        store: &dyn ChainStore,
        mut actors: Vec<ActorReport>,
        mut unchecked: Sentences,
        whole: bool,
    ) -> Result<StoreReport, StoreError> {
        missing::tell(store, &mut actors).await?;
        let ok = actors.iter().all(ActorReport::is_ok);
        let mut report = StoreReport { ok, actors, unchecked: Vec::new(), log: None };
        if let Some(trust) = self.trust {
            signed::check(store, trust, whole, &mut report, &mut unchecked).await?;
        }
        report.unchecked = unchecked.into_vec();
        Ok(report)
    }
}
