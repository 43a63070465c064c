//! A log of heads that its host goes on signing: whoever signs says that the chains are those that
//! were recorded, so they are held against what was signed before.

use std::collections::{BTreeMap, HashMap};

use crate::data::{ActorStarted, EventData};
use crate::linked::{Broken, LinkedPages};
use crate::merkle::Frontier;
use crate::note::{Checkpoint, HostKey, Note, PublicKey};
use crate::{ChainStore, Head, HeadLog, LogEnd, LoggedHead, StoreError, TheaterId, TreeUpdate, Verifier};

/// How many of the newest entries of the log the chains are held against, so that the time does not
/// grow with the history. Verification holds them against all.
const NEWEST: u64 = 1 << 16;
/// How many entries or events are read at once.
const PAGE: usize = 4096;

/// The log of a store, as far as it is signed, and what changed since.
#[derive(Debug, Clone)]
pub struct SignedLog {
    tree: Frontier,
    changed: BTreeMap<TheaterId, Head>,
}

impl SignedLog {
    /// Goes on where the log ends. That is where this key must have signed it, the chains must end
    /// with the heads that were logged last, and what came after these (what a crash left unlogged)
    /// must follow from them. `None`: the store keeps no log.
    ///
    /// # Errors
    /// [`StoreError::NotSigned`] where it is not so, or the store cannot be read.
    pub async fn open(store: &dyn ChainStore, key: &PublicKey) -> Result<Option<Self>, StoreError> {
        let Some(log) = store.head_log() else { return Ok(None) };
        let end = log.end().await?;
        is_signed(&end, key)?;
        let newest = newest(log, end.tree.size()).await?;
        let own = (end.tree.size() == 0).then_some(key);
        let changed = unlogged(store, log, &newest, own).await?;
        for (actor, head) in &newest {
            let stored = store.actor(*actor).await?.map(|entry| entry.head);
            if !changed.contains_key(actor) && stored != Some(*head) {
                return not_signed(format!("the chain of {actor} does not end with its event {}, as signed", head.seq));
            }
        }
        Ok(Some(Self { tree: end.tree, changed }))
    }

    /// As [`SignedLog::open`], whoever signed the log so far: the caller answers for it.
    ///
    /// # Errors
    /// A chain that changed is none, or the store cannot be read.
    pub async fn open_anew(store: &dyn ChainStore) -> Result<Option<Self>, StoreError> {
        let Some(log) = store.head_log() else { return Ok(None) };
        let changed = unlogged(store, log, &HashMap::new(), None).await?;
        Ok(Some(Self { tree: log.end().await?.tree, changed }))
    }

    /// Takes note of a new head.
    pub fn changed(&mut self, actor: TheaterId, head: Head) {
        self.changed.insert(actor, head);
    }

    /// Whether something changed since the last signature.
    pub fn is_due(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Signs whatever changed, for the next commit; `None`: nothing did.
    pub fn sign(&mut self, key: &HostKey) -> Option<TreeUpdate> {
        let changed = std::mem::take(&mut self.changed);
        if changed.is_empty() {
            return None;
        }
        let entries: Vec<_> = changed.into_iter().map(|(actor, head)| LoggedHead { actor, head }).collect();
        let update = TreeUpdate::signed(key, std::mem::take(&mut self.tree), entries);
        self.tree = update.tree.clone();
        Some(update)
    }
}

fn not_signed<T>(reason: String) -> Result<T, StoreError> {
    Err(StoreError::NotSigned(reason))
}

/// Whether this key signed all of the log.
fn is_signed(end: &LogEnd, key: &PublicKey) -> Result<(), StoreError> {
    let (size, name) = (end.tree.size(), key.name());
    if size == 0 {
        return match end.heads.first() {
            None => Ok(()),
            Some(head) => not_signed(format!("{} signed {} heads of chains, and none is here", head.origin, head.size)),
        };
    }
    let Some(mine) = end.heads.iter().find(|head| head.origin == name) else {
        return not_signed(format!("no checkpoint of {name} is here, and {size} heads of chains are logged"));
    };
    if mine.size != size {
        return not_signed(format!("{name} signed {} heads of chains, and {size} are logged", mine.size));
    }
    let signed = mine.note.parse::<Note>().and_then(|note| Checkpoint::verified(&note, key));
    if signed.ok() != Some(Checkpoint::of(key, &end.tree)) {
        return not_signed(format!("the end of the log of heads is not the one that {name} signed"));
    }
    Ok(())
}

/// The newest head of each actor among the newest entries.
async fn newest(log: &dyn HeadLog, size: u64) -> Result<HashMap<TheaterId, Head>, StoreError> {
    let (mut newest, mut next) = (HashMap::new(), size.saturating_sub(NEWEST));
    while next < size {
        let page = log.entries(next, PAGE).await?;
        if page.is_empty() {
            return not_signed(format!("entry {next} of the log of heads is missing"));
        }
        next += page.len() as u64;
        newest.extend(page.into_iter().map(|entry| (entry.actor, entry.head)));
    }
    Ok(newest)
}

/// What changed since the newest entries. Its links are checked from there on, or from the first event
/// that is there. `own`: nothing is logged, so that no chain may be recorded under this key.
async fn unlogged(
    store: &dyn ChainStore,
    log: &dyn HeadLog,
    newest: &HashMap<TheaterId, Head>,
    own: Option<&PublicKey>,
) -> Result<BTreeMap<TheaterId, Head>, StoreError> {
    let mut changed = BTreeMap::new();
    for LoggedHead { actor, head } in log.unlogged().await? {
        let kept_from = store.kept_from(actor).await?;
        let links = match newest.get(&actor) {
            // Events that a store forgets by itself are not missed.
            Some(logged) if kept_from <= logged.seq + 1 || !store.forgets(actor).await? => Verifier::after(*logged),
            _ => Verifier::starting_at(kept_from),
        };
        let mut pages = LinkedPages::new(store, actor, links, head, PAGE);
        let mut is_own = false;
        loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(Broken::Fault(fault)) => {
                    return not_signed(format!(
                        "the chain of {actor} does not go on from what is signed of it: {fault}"
                    ));
                }
                Err(Broken::Store(error)) => return Err(error),
            };
            let starts = page.iter().filter(|event| event.event_type == ActorStarted::TYPE);
            let mut keys = starts.filter_map(|event| ActorStarted::decode(&event.data).ok()?.host_key);
            is_own |= own.is_some_and(|own| keys.any(|key| key == own.hex()));
        }
        if let Some(own) = own.filter(|_| is_own)
            && !store.checkpoints(actor).await?.iter().any(|kept| kept.key.as_bytes() == own.as_bytes())
        {
            return not_signed(format!("{actor} was recorded under {}, and nothing here is signed", own.name()));
        }
        changed.insert(actor, head);
    }
    Ok(changed)
}
