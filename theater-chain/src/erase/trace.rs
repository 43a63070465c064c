//! Finding a payload, and the copies of the message or the answer that it holds.

use std::collections::{BTreeSet, HashSet};

use super::chain::{Chain, Key};
use super::forks::Forks;
use super::{PAGE, Reference};
use crate::data::Data;
use crate::{ActorEntry, ChainEvent, ChainStore, Digest, PendingMessage, StoreError, TheaterId};

/// An event whose payload is erased.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) actor: TheaterId,
    pub(super) seq: u64,
    pub(super) commit: Digest,
    event_type: String,
    /// The call that it belongs to is not over.
    pub(super) is_open: bool,
    /// The state that this call left, or that was installed, and where the chain says so.
    pub(super) state: Option<(u64, Digest)>,
}

impl Found {
    pub(super) fn reference(&self) -> Reference {
        Reference { actor: self.actor, seq: self.seq, event_type: self.event_type.clone() }
    }
}

/// What is known so far, and what the last pass found of it.
pub(super) struct Trace {
    commits: BTreeSet<Digest>,
    keys: HashSet<Key>,
    pub(super) found: Vec<Found>,
    read: u64,
}

impl Trace {
    pub(super) fn of(payload: Digest) -> Self {
        Self { commits: BTreeSet::from([payload]), keys: HashSet::new(), found: Vec::new(), read: 0 }
    }

    pub(super) fn commits(&self) -> Vec<Digest> {
        self.commits.iter().copied().collect()
    }

    /// Reads every chain; whether it learned what the next pass may find more by.
    pub(super) async fn pass(
        &mut self,
        store: &dyn ChainStore,
        actors: &[ActorEntry],
        forks: &Forks,
        on_progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<bool, StoreError> {
        let before = (self.commits.len(), self.keys.len());
        self.found.clear();
        for message in pending(store).await? {
            self.learn(message.payload_commit, vec![Key::Message(message.message_id)]);
        }
        for entry in actors {
            let mut chain = Chain::new(entry, forks);
            let mut next = 0;
            loop {
                let page = store.events(entry.id, next, PAGE).await?;
                let Some(last) = page.last() else { break };
                next = last.seq.saturating_add(1);
                self.read += page.len() as u64;
                for event in &page {
                    self.event(&mut chain, event);
                }
                on_progress(self.read);
            }
            let is_open = chain.call.is_some() && entry.index.ended.is_none();
            let from = self.found.len() - chain.in_call;
            for found in &mut self.found[from..] {
                found.is_open = is_open;
            }
        }
        Ok(before != (self.commits.len(), self.keys.len()))
    }

    /// Notes that a payload and what it is a copy of belong together, if any of it is known.
    fn learn(&mut self, commit: Digest, keys: Vec<Key>) -> bool {
        let known = self.commits.contains(&commit) || keys.iter().any(|key| self.keys.contains(key));
        if known {
            self.commits.insert(commit);
            self.keys.extend(keys);
        }
        known
    }

    fn event(&mut self, chain: &mut Chain<'_>, event: &ChainEvent) {
        // Data that cannot be read is for verification to say.
        let data = Data::decode(&event.event_type, &event.data).ok().flatten();
        let keys = chain.keys(event, data.as_ref());
        if let Some(commit) = event.payload_commit
            && self.learn(commit, keys)
        {
            let state = match &data {
                Some(Data::ActorStarted(data)) => Some((event.seq, data.state_hash)),
                _ => None,
            };
            let (actor, seq, event_type) = (chain.actor, event.seq, event.event_type.to_string());
            self.found.push(Found { actor, seq, commit, event_type, is_open: false, state });
            chain.in_call += usize::from(chain.call.is_some());
        }
        match data {
            Some(Data::StateUpdated(data)) => {
                let from = self.found.len() - chain.in_call;
                self.found[from..].iter_mut().for_each(|found| found.state = Some((event.seq, data.new_state_hash)));
                chain.end_call();
            }
            Some(Data::CallReturned(_) | Data::ActorErrorData(_)) => chain.end_call(),
            _ => {}
        }
    }

    /// The messages that wait with one of the payloads.
    pub(super) async fn waiting(&self, store: &dyn ChainStore) -> Result<Vec<PendingMessage>, StoreError> {
        let all = pending(store).await?.into_iter();
        Ok(all.filter(|message| self.commits.contains(&message.payload_commit)).collect())
    }
}

/// All messages that wait.
async fn pending(store: &dyn ChainStore) -> Result<Vec<PendingMessage>, StoreError> {
    let mut max = PAGE;
    loop {
        let messages = store.pending(None, max).await?;
        if messages.len() < max {
            return Ok(messages);
        }
        max *= 4;
    }
}
