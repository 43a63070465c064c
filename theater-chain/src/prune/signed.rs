//! What of a chain has to stay so that what is signed of it still says something.

use super::{Need, PAGE};
use crate::note::HostKey;
use crate::{ActorEntry, ChainStore, StoreError};

/// The first event that has to stay for the sake of signatures; `None`: none has to. With the host's key
/// what stays is signed, so that it needs no other signature of that host.
pub(super) async fn least(
    store: &dyn ChainStore,
    entry: &ActorEntry,
    first: u64,
    key: Option<&HostKey>,
) -> Result<Option<(u64, Need)>, StoreError> {
    let mut least: Option<(u64, Need)> = None;
    let mut stays = |from: u64, need: Need| {
        if from >= first && least.as_ref().is_none_or(|(least, _)| from < *least) {
            least = Some((from, need));
        }
    };
    for kept in store.checkpoints(entry.id).await? {
        if key.is_none_or(|key| key.public().as_bytes() != kept.key.as_bytes()) {
            stays(kept.size, Need::Signature(kept.key.name().to_owned()));
        }
    }
    if key.is_none()
        && let Some(newest) = newest_logged(store, entry).await?
    {
        stays(newest, Need::Signed);
    }
    Ok(least)
}

/// The newest event of the actor whose hash is logged.
async fn newest_logged(store: &dyn ChainStore, entry: &ActorEntry) -> Result<Option<u64>, StoreError> {
    let Some(log) = store.head_log() else { return Ok(None) };
    let (mut newest, mut next) = (None, 0);
    loop {
        let page = log.entries(next, PAGE).await?;
        if page.is_empty() {
            return Ok(newest);
        }
        next += page.len() as u64;
        newest = page.iter().filter(|logged| logged.actor == entry.id).map(|logged| logged.head.seq).max().max(newest);
    }
}
