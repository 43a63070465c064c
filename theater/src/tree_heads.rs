//! Signing: one checkpoint over the log of changed heads for each interval in which something
//! changed. It belongs to the journal's writer, and what it signs goes into the same commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use theater_chain::merkle::Frontier;
use theater_chain::note::{Checkpoint, HostKey, Note};
use theater_chain::{ChainStore, Commit, Head, LoggedHead, StoreError, TheaterId, TreeUpdate};

use crate::sources::Sources;

/// The least time between two signatures.
const INTERVAL: Duration = Duration::from_millis(100);

/// What changed since the last signature, and the tree of what was signed before.
pub(crate) struct TreeHeads {
    key: HostKey,
    sources: Arc<dyn Sources>,
    tree: Frontier,
    changed: BTreeMap<TheaterId, Head>,
    signed_at: Option<Duration>,
}

impl TreeHeads {
    /// Goes on where the store's log ends; `None` where the store keeps none.
    ///
    /// # Errors
    /// The store cannot be read, or the end of its log is not the one that this key signed.
    pub(crate) async fn load(
        key: HostKey,
        sources: Arc<dyn Sources>,
        store: &dyn ChainStore,
    ) -> Result<Option<Self>, StoreError> {
        let Some(log) = store.head_log() else { return Ok(None) };
        let end = log.end().await?;
        let mine = end.heads.iter().find(|head| head.origin == key.public().name());
        if let Some(mine) = mine.filter(|head| head.size == end.tree.size()) {
            let signed = mine.note.parse::<Note>().and_then(|note| Checkpoint::verified(&note, key.public()));
            if signed.ok() != Some(Checkpoint::of(key.public(), &end.tree)) {
                let reason = "the end of the log of heads is not the one that was signed; `theater verify` says more";
                return Err(StoreError::Damaged(reason.into()));
            }
        }
        // What a crash left unsigned is signed with what comes next.
        let changed = log.unlogged().await?.into_iter().map(|entry| (entry.actor, entry.head)).collect();
        Ok(Some(Self { key, sources, tree: end.tree, changed, signed_at: None }))
    }

    /// When the next signature is due; `None` while there is nothing to sign.
    pub(crate) fn due(&self) -> Option<Duration> {
        let since = |at| self.sources.monotonic().saturating_sub(at);
        let left = self.signed_at.map_or(Duration::ZERO, |at| INTERVAL.saturating_sub(since(at)));
        (!self.changed.is_empty()).then_some(left)
    }

    /// Completes after this time.
    pub(crate) async fn wait(&self, time: Duration) {
        self.sources.sleep(time).await;
    }

    /// Takes note of what a commit changes, and signs with it if that is due or if it must be `now`.
    pub(crate) fn attach(&mut self, commit: &mut Commit, now: bool) {
        self.changed.extend(commit.events.iter().map(|(actor, event)| (*actor, event.head())));
        if now || self.due().is_some_and(|left| left.is_zero()) {
            self.sign(commit);
        }
    }

    /// Signs with this commit whatever changed.
    fn sign(&mut self, commit: &mut Commit) {
        let changed = std::mem::take(&mut self.changed);
        if changed.is_empty() {
            return;
        }
        let entries: Vec<_> = changed.into_iter().map(|(actor, head)| LoggedHead { actor, head }).collect();
        let update = TreeUpdate::signed(&self.key, std::mem::take(&mut self.tree), entries);
        self.tree = update.tree.clone();
        commit.tree = Some(update);
        self.signed_at = Some(self.sources.monotonic());
    }
}
