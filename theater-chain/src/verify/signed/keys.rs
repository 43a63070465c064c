//! With which keys signatures are checked.

use super::{Halt, KeyFrom, fault};
use crate::data::Data;
use crate::note::{Checkpoint, Note, NoteError, PublicKey};
use crate::verify::StoreReport;
use crate::{ChainStore, StoreError, TreeHead};

/// The key that was given, and those that the chains name, which are looked for when one is needed.
pub(super) struct Keys<'a> {
    given: Option<&'a PublicKey>,
    named: Option<Vec<PublicKey>>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(given: Option<&'a PublicKey>) -> Self {
        Self { given, named: None }
    }

    /// What a stored checkpoint says, with its signature checked where the key is known.
    pub(super) async fn checkpoint(
        &mut self,
        store: &dyn ChainStore,
        report: &StoreReport,
        head: &TreeHead,
    ) -> Result<(Checkpoint, KeyFrom), Halt> {
        let wrong = |error: NoteError| Halt::Fault(format!("the checkpoint of {} is not right: {error}", head.origin));
        let note: Note = head.note.parse().map_err(wrong)?;
        let (key, from) = match self.given.filter(|key| key.name() == head.origin) {
            Some(key) => (Some(key.clone()), KeyFrom::Given),
            None => match self.named(store, report).await?.iter().find(|key| key.name() == head.origin) {
                Some(key) => (Some(key.clone()), KeyFrom::Chains),
                None => (None, KeyFrom::Nowhere),
            },
        };
        let checkpoint = match key {
            Some(key) => Checkpoint::verified(&note, &key).map_err(wrong)?,
            None => note.text().parse().map_err(wrong)?,
        };
        if checkpoint.size != head.size || checkpoint.origin != head.origin {
            return fault(format!("the checkpoint of {} is stored as another one than it is", head.origin));
        }
        Ok((checkpoint, from))
    }

    async fn named(&mut self, store: &dyn ChainStore, report: &StoreReport) -> Result<&[PublicKey], StoreError> {
        if self.named.is_none() {
            let mut named: Vec<PublicKey> = Vec::new();
            for actor in &report.actors {
                let Some(entry) = store.actor(actor.id).await? else { continue };
                let started = match store.events(actor.id, entry.index.started, 1).await {
                    Err(StoreError::Damaged(_)) => continue, // which is a fault of that chain
                    started => started?,
                };
                let data = started.first().map(|event| Data::decode(&event.event_type, &event.data));
                if let Some(Ok(Some(Data::ActorStarted(data)))) = data
                    && let Some(key) = data.host_key.and_then(|key| key.parse::<PublicKey>().ok())
                    && !named.contains(&key)
                {
                    named.push(key);
                }
            }
            self.named = Some(named);
        }
        Ok(self.named.as_deref().unwrap_or_default())
    }
}
