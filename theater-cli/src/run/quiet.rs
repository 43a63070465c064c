//! Waiting until no message is under way in the tree.

use theater::{StoreError, TheaterRuntime};

/// Completes when every message that was sent has been begun by its receiver. A tree that never
/// stops talking never comes to that: bound it in time.
pub(super) async fn quiet(runtime: &TheaterRuntime) -> Result<(), StoreError> {
    let store = runtime.store();
    loop {
        runtime.flush().await?;
        let Some(pending) = store.pending(None, 1).await?.pop() else {
            return Ok(());
        };
        let receiver = pending.receiver;
        let Some(entry) = store.actor(receiver).await? else {
            return Ok(());
        };
        if store.pending(Some(receiver), 1).await?.is_empty() {
            continue;
        }
        // It was not begun at this head, so what begins it comes after.
        runtime.subscribe(receiver, entry.head.seq + 1).await?.next().await?;
    }
}
