//! What hosts signed of single chains, where that came with the chains.

use serde::Serialize;

use super::{Halt, KeyFrom, Trust, kept};
use crate::note::PublicKey;
use crate::verify::report::Sentences;
use crate::verify::{ActorReport, Fault, StoreReport};
use crate::{ActorCheckpoint, ChainStore, TheaterId};

/// A checkpoint of an actor's chain that was found right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChainCheckpoint {
    /// The actor.
    pub actor: TheaterId,
    /// The name of the host's key.
    pub origin: String,
    /// How many events it covers.
    pub size: u64,
    /// With what its signature was checked: the key is given, or came with the checkpoint.
    pub key: KeyFrom,
}

/// Holds each chain against what came with it. What is wrong under the key that was given becomes the
/// fault of the actor, if it has none yet.
pub(super) async fn check(
    store: &dyn ChainStore,
    trust: Trust<'_>,
    report: &mut StoreReport,
    unchecked: &mut Sentences,
) -> Result<Vec<ChainCheckpoint>, Halt> {
    let mut found = Vec::new();
    for actor in &mut report.actors {
        for checkpoint in store.checkpoints(actor.id).await? {
            match held(store, actor.id, &checkpoint).await? {
                Held::Yes => {}
                Held::Unknown => {
                    unchecked.add("what came signed with chains of which the first events were not kept");
                    continue;
                }
                Held::No(fault) if is_given(trust, &checkpoint.key) => {
                    actor.fault.get_or_insert(fault);
                    continue;
                }
                // Anybody can make a key and sign anything with it.
                Held::No(_) => {
                    let origin = checkpoint.key.name();
                    unchecked.add(format!("{origin} signed other chains than these: nobody vouches for that key"));
                    continue;
                }
            }
            let origin = checkpoint.key.name().to_owned();
            let key = if is_given(trust, &checkpoint.key) { KeyFrom::Given } else { KeyFrom::Chains };
            if key == KeyFrom::Given || trust.key.is_none() {
                actor.signed = actor.signed.max(checkpoint.size.checked_sub(1));
            }
            if key != KeyFrom::Given {
                unchecked.add(format!("whose key it is that signed chains as {origin}: nobody vouches for it"));
            }
            found.push(ChainCheckpoint { actor: actor.id, origin, size: checkpoint.size, key });
        }
    }
    Ok(found)
}

/// The key was given, and the log of heads is not signed with it: then each chain must be, or be empty of
/// any claim. Whoever wrote a chain anew could else leave its signature out.
pub(super) fn demand(found: &[ChainCheckpoint], key: &PublicKey, actors: &mut [ActorReport]) {
    for actor in actors {
        if !found.iter().any(|one| one.actor == actor.id && one.key == KeyFrom::Given) {
            let reason = format!("no checkpoint of {} came with this chain", key.name());
            actor.fault.get_or_insert(Fault { seq: 0, reason });
        }
    }
}

/// Under whatever name it was given.
fn is_given(trust: Trust<'_>, key: &PublicKey) -> bool {
    trust.key.is_some_and(|given| given.as_bytes() == key.as_bytes())
}

/// Whether a chain is the one that is signed.
enum Held {
    Yes,
    No(Fault),
    Unknown,
}

async fn held(store: &dyn ChainStore, id: TheaterId, kept: &ActorCheckpoint) -> Result<Held, Halt> {
    let no = |seq: u64, reason: String| Ok(Held::No(Fault { seq, reason }));
    let name = kept.key.name();
    let signed = match kept.checkpoint(id) {
        Ok(signed) => signed,
        Err(error) => return no(0, format!("what {name} signed of this chain is not right: {error}")),
    };
    let Some((size, root)) = kept::chain(store, id, signed.size).await? else { return Ok(Held::Unknown) };
    if size < signed.size {
        return no(size, format!("it is missing: {name} signed {} events of this chain", signed.size));
    }
    if root != Some(signed.root) {
        let reason = format!("the chain up to here is not the one that {name} signed");
        return no(signed.size.saturating_sub(1), reason);
    }
    Ok(Held::Yes)
}
