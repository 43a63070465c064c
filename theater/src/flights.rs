//! Messages from outside that are on their way, so that a repeated one is not begun twice.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use crate::actor::lock;
use crate::journal::Journal;

/// The ids of messages from outside that are being processed, or whose answers are not durable yet.
pub(crate) struct Flights {
    journal: Arc<Journal>,
    ids: Mutex<Ids>,
}

#[derive(Default)]
struct Ids {
    /// `None` while it is processed, then what must be durable before its answer can be read.
    known: HashMap<String, Option<u64>>,
    landed: VecDeque<(u64, String)>,
}

/// What is known of a message id.
pub(crate) enum TakeOff {
    /// Nothing: it may be delivered.
    Clear(Flight),
    /// It is being processed.
    Busy,
    /// It was processed; its answer can be read when this is durable.
    Landed(u64),
}

/// One message on its way; dropped when it was processed, or will not be.
pub(crate) struct Flight {
    flights: Arc<Flights>,
    id: String,
}

impl Flights {
    pub(crate) fn new(journal: Arc<Journal>) -> Arc<Self> {
        Arc::new(Self { journal, ids: Mutex::default() })
    }

    pub(crate) fn take_off(self: &Arc<Self>, id: &str) -> TakeOff {
        let committed = self.journal.committed();
        let mut ids = lock(&self.ids);
        while ids.landed.front().is_some_and(|(position, _)| *position <= committed) {
            if let Some((_, id)) = ids.landed.pop_front() {
                ids.known.remove(&id);
            }
        }
        match ids.known.get(id) {
            Some(None) => TakeOff::Busy,
            Some(Some(position)) => TakeOff::Landed(*position),
            None => {
                ids.known.insert(id.to_owned(), None);
                TakeOff::Clear(Flight { flights: self.clone(), id: id.to_owned() })
            }
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let position = self.flights.journal.position();
        let mut ids = lock(&self.flights.ids);
        ids.known.insert(self.id.clone(), Some(position));
        ids.landed.push_back((position, std::mem::take(&mut self.id)));
    }
}
