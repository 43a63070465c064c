//! What forks took over: copies of what is in the chains that they were forked from.

use std::collections::HashMap;

use super::PAGE;
use crate::data::{Call, Data, EventData};
use crate::initial::{self, First};
use crate::{ActorEntry, ChainStore, StoreError, TheaterId, newest};

/// How many forks of forks are followed.
const MAX_FORKS: usize = 1_000;

/// The forks of a store.
pub(super) struct Forks {
    /// What each was forked from.
    of: HashMap<TheaterId, TheaterId>,
    taken: HashMap<TheaterId, TakenOver>,
}

/// The host calls of another actor's open call that a fork begins with.
pub(super) struct TakenOver {
    of: TheaterId,
    /// That call.
    call: u64,
    /// How many of its host calls had ended.
    ended: u32,
    /// The one that got another answer.
    pub(super) exchanged: Option<u32>,
}

impl TakenOver {
    /// The id of the message that this host call sent, where it was of the other actor.
    pub(super) fn id(&self, ordinal: u32) -> Option<String> {
        (ordinal < self.ended).then(|| format!("{}/{}/{ordinal}", self.of, self.call))
    }
}

impl Forks {
    pub(super) async fn read(store: &dyn ChainStore, actors: &[ActorEntry]) -> Result<Self, StoreError> {
        let mut forks = Self { of: HashMap::new(), taken: HashMap::new() };
        for entry in actors {
            // What cannot be read is for verification to say.
            let Ok(First::ForkOf(of)) = initial::first(store, entry.id).await else { continue };
            forks.of.insert(entry.id, of);
            let first = store.events(entry.id, 0, 1).await?.pop().filter(|event| event.seq == 0);
            let data = first.and_then(|event| Data::decode(&event.event_type, &event.data).ok().flatten());
            if let Some(Data::ActorForked(forked)) = data
                && let Some(taken) = taken_over(store, of, forked.at, forked.answer).await?
            {
                forks.taken.insert(entry.id, taken);
            }
        }
        Ok(forks)
    }

    /// The actor whose `init` ran first on what that of this one runs on.
    pub(super) fn root(&self, actor: TheaterId) -> TheaterId {
        let mut root = actor;
        for _ in 0..MAX_FORKS {
            match self.of.get(&root) {
                Some(of) => root = *of,
                None => break,
            }
        }
        root
    }

    pub(super) fn taken_over(&self, actor: TheaterId) -> Option<&TakenOver> {
        self.taken.get(&actor)
    }
}

/// What the call of `of` that is open after the event `at` had done by then; `None`: none is, or it is not
/// there any more.
async fn taken_over(
    store: &dyn ChainStore,
    of: TheaterId,
    at: u64,
    answer: Option<u64>,
) -> Result<Option<TakenOver>, StoreError> {
    let from = store.kept_from(of).await?;
    let call =
        newest(store, of, from..at.saturating_add(1), |event| (event.event_type == Call::TYPE).then_some(event.seq));
    let Some(call) = call.await? else { return Ok(None) };
    let (mut taken, mut next) = (TakenOver { of, call, ended: 0, exchanged: None }, call + 1);
    while next <= at {
        let page = store.events(of, next, PAGE).await?;
        let Some(last) = page.last() else { break };
        next = last.seq.saturating_add(1);
        for event in page.iter().filter(|event| event.seq <= at) {
            match Data::decode(&event.event_type, &event.data).ok().flatten() {
                Some(Data::HostCall(data)) => {
                    taken.ended = taken.ended.max(data.ordinal.saturating_add(1));
                    if answer == Some(event.seq) {
                        taken.exchanged = Some(data.ordinal);
                    }
                }
                Some(Data::StateUpdated(_) | Data::CallReturned(_) | Data::ActorErrorData(_)) => return Ok(None),
                _ => {}
            }
        }
    }
    Ok(Some(taken))
}
