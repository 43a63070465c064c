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

struct Ids {
    /// `None` while it is processed, then what must be durable before its answer can be read.
    known: HashMap<String, Option<u64>>,
    landed: VecDeque<(u64, String)>,
    /// The highest number of each source; `None` once there were too many sources to remember.
    highest: Option<HashMap<String, u64>>,
}

/// Sources that are remembered.
const SOURCES: usize = 4_096;

/// What is known of a message id.
pub(crate) enum TakeOff {
    /// Nothing: it may be delivered, unless the store knows an answer. It cannot where `unheard`.
    Clear { flight: Flight, unheard: bool },
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
        let ids = Ids { known: HashMap::new(), landed: VecDeque::new(), highest: Some(HashMap::new()) };
        Arc::new(Self { journal, ids: Mutex::new(ids) })
    }

    /// A message that was on its way when the process went down; `None` for one from within the tree.
    pub(crate) fn resume(self: &Arc<Self>, id: &str) -> Option<Flight> {
        let (source, n) = id.rsplit_once('/')?;
        let n = n.parse().ok().filter(|_| !source.contains('/'))?;
        let mut ids = lock(&self.ids);
        ids.known.insert(id.to_owned(), None);
        ids.raise(source, n);
        Some(Flight { flights: self.clone(), id: id.to_owned() })
    }

    pub(crate) fn take_off(self: &Arc<Self>, source: &str, n: u64, id: &str) -> TakeOff {
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
                // A number above all that came is new, if the store holds only what came.
                let unheard = ids.raise(source, n) && self.journal.began_empty();
                TakeOff::Clear { flight: Flight { flights: self.clone(), id: id.to_owned() }, unheard }
            }
        }
    }
}

impl Ids {
    /// Whether `n` is above every number of its source so far.
    fn raise(&mut self, source: &str, n: u64) -> bool {
        let Some(highest) = &mut self.highest else {
            return false;
        };
        if let Some(known) = highest.get_mut(source) {
            let above = n > *known;
            *known = n.max(*known);
            return above;
        }
        if highest.len() >= SOURCES {
            self.highest = None;
            return false;
        }
        highest.insert(source.to_owned(), n);
        true
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
