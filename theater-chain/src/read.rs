//! Reading a stored chain backwards. Forwards, [`ChainStore::events`] is enough.

use std::ops::Range;

use crate::{ChainEvent, ChainStore, StoreError, TheaterId};

/// How many events are looked at before those in front of them.
const WINDOW: u64 = 64;

/// What `pick` makes of the newest event of which it makes something, among those with a seq in
/// `range`.
///
/// # Errors
/// The store failed.
pub async fn newest<T: Send>(
    store: &dyn ChainStore,
    actor: TheaterId,
    range: Range<u64>,
    mut pick: impl FnMut(&ChainEvent) -> Option<T> + Send,
) -> Result<Option<T>, StoreError> {
    let mut end = range.end;
    while end > range.start {
        let start = end.saturating_sub(WINDOW).max(range.start);
        let (mut next, mut found) = (start, None);
        while next < end {
            let page = store.events(actor, next, usize::try_from(end - next).unwrap_or(usize::MAX)).await?;
            let Some(last) = page.last() else { break };
            next = last.seq.saturating_add(1);
            // A store that dropped events begins with the first one that it kept.
            found = page.iter().rev().filter(|event| event.seq < end).find_map(&mut pick).or(found);
        }
        if found.is_some() {
            return Ok(found);
        }
        end = start;
    }
    Ok(None)
}
