//! Signing: one checkpoint over the log of changed heads for each interval in which something
//! changed. It belongs to the journal's writer, and what it signs goes into the same commits.

use std::sync::Arc;
use std::time::Duration;

use theater_chain::note::HostKey;
use theater_chain::{ChainStore, Commit, SignedLog, StoreError};

use crate::sources::Sources;

/// The least time between two signatures.
const INTERVAL: Duration = Duration::from_millis(100);

/// Who signs.
pub(crate) struct Signer {
    pub(crate) key: HostKey,
    /// Also what the key did not sign so far.
    pub(crate) anew: bool,
    pub(crate) sources: Arc<dyn Sources>,
}

/// What changed since the last signature, and the log of what was signed before.
pub(crate) struct TreeHeads {
    signer: Signer,
    log: SignedLog,
    signed_at: Option<Duration>,
}

impl TreeHeads {
    /// Goes on where the store's log ends; `None` where the store keeps none.
    ///
    /// # Errors
    /// The store cannot be read, or what it holds is not what this key signed.
    pub(crate) async fn load(signer: Signer, store: &dyn ChainStore) -> Result<Option<Self>, StoreError> {
        let log = match signer.anew {
            true => SignedLog::open_anew(store).await?,
            false => SignedLog::open(store, signer.key.public()).await?,
        };
        // What a crash left unsigned is signed with what comes next.
        Ok(log.map(|log| Self { signer, log, signed_at: None }))
    }

    /// When the next signature is due; `None` while there is nothing to sign.
    pub(crate) fn due(&self) -> Option<Duration> {
        let since = |at| self.signer.sources.monotonic().saturating_sub(at);
        let left = self.signed_at.map_or(Duration::ZERO, |at| INTERVAL.saturating_sub(since(at)));
        self.log.is_due().then_some(left)
    }

    /// Completes after this time.
    pub(crate) async fn wait(&self, time: Duration) {
        self.signer.sources.sleep(time).await;
    }

    /// Takes note of what a commit changes, and signs with it if that is due or if it must be `now`.
    pub(crate) fn attach(&mut self, commit: &mut Commit, now: bool) {
        commit.events.iter().for_each(|(actor, event)| self.log.changed(*actor, event.head()));
        if (now || self.due().is_some_and(|left| left.is_zero()))
            && let Some(update) = self.log.sign(&self.signer.key)
        {
            commit.tree = Some(update);
            self.signed_at = Some(self.signer.sources.monotonic());
        }
    }
}
