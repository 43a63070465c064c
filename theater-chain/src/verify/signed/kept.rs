//! A checkpoint that was kept elsewhere, against what is here.

use super::{Halt, Trust, fault};
use crate::note::{Checkpoint, Note};
use crate::verify::report::Sentences;
use crate::{ChainStore, Digest, TheaterId, kept};

/// What the kept note says, and the actor whose chain it is of; none: it is of the log of heads.
fn parsed(note: &Note) -> Result<(Checkpoint, Option<TheaterId>), Halt> {
    let checkpoint: Checkpoint =
        note.text().parse().map_err(|error| Halt::Fault(format!("the kept checkpoint is none: {error}")))?;
    let mut parts = checkpoint.origin.split('/').skip(2);
    let actor = match (parts.next(), parts.next()) {
        (None, _) => None,
        (Some(id), None) => Some(id.parse().map_err(|_| {
            Halt::Fault(format!("the kept checkpoint is of {}, which is no log of a host", checkpoint.origin))
        })?),
        _ => return fault(format!("the kept checkpoint is of {}, which is no log of a host", checkpoint.origin)),
    };
    Ok((checkpoint, actor))
}

/// The kept checkpoint where it is one of the log of heads.
pub(super) fn of_log(trust: Trust<'_>) -> Result<Option<Checkpoint>, Halt> {
    let Some(note) = trust.kept else { return Ok(None) };
    let (checkpoint, actor) = parsed(note)?;
    Ok(actor.is_none().then_some(checkpoint))
}

/// Holds it against what is here: the log's size with its root at the size that was kept, or the
/// chain of the actor.
pub(super) async fn check(
    store: &dyn ChainStore,
    trust: Trust<'_>,
    log: Option<(u64, Option<Digest>)>,
    unchecked: &mut Sentences,
) -> Result<(), Halt> {
    let Some(note) = trust.kept else { return Ok(()) };
    let (kept, actor) = parsed(note)?;
    let key = trust.key.map(|key| actor.map_or_else(|| key.clone(), |actor| key.of_actor(actor)));
    match key {
        Some(key) => {
            let verified = Checkpoint::verified(note, &key);
            verified.map_err(|error| Halt::Fault(format!("the kept checkpoint is not right: {error}")))?;
        }
        None => unchecked.add("the signature of the kept checkpoint: no key was given"),
    }
    let (size, what) = (kept.size, actor.map_or("the log of heads".to_owned(), |id| format!("the chain of {id}")));
    let (found, root) = match actor {
        None => log.unwrap_or_default(),
        Some(actor) => match chain(store, actor, size).await? {
            Some((found, root)) => (found, root),
            None => {
                unchecked.add("the kept checkpoint: older events of that chain were not kept");
                return Ok(());
            }
        },
    };
    match root {
        _ if size > found => {
            fault(format!("the kept checkpoint has {size} entries, and {what} has {found}: its end was cut off"))
        }
        Some(root) if root == kept.root => Ok(()),
        _ => fault(format!("the first {size} entries of {what} are not those of the kept checkpoint")),
    }
}

/// How many events a chain has, up to `size`, and the root over them; `None` where what was dropped of
/// them reaches further, or is not known.
pub(super) async fn chain(
    store: &dyn ChainStore,
    id: TheaterId,
    size: u64,
) -> Result<Option<(u64, Option<Digest>)>, Halt> {
    let tree = kept::frontier(store, id, size).await?;
    Ok(tree.map(|tree| (tree.size(), Some(tree.root()))))
}
