//! `theater:simple/supervision-events`: the guest hears of the events of children that the filters
//! of its manifest let through, each child's in their order, from its chain and thus lossless.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use theater::chain::data::{ActorTerminated, EventData};
use theater::wit::WitChainEvent;
use theater::{CallError, ChainEvent, Digest, EventCursor, Export, TheaterId};
use theater_supervision_policy::{EventFilter, pattern};

use crate::supervision::Supervision;

/// An event of a child.
pub(crate) const HANDLE_CHILD_EVENT: Export<(String, WitChainEvent), ()> =
    Export::new("theater:simple/supervision-events", "handle-child-event");

/// The children that are followed. A child's incarnations take turns, so that its events stay in
/// their order.
#[derive(Default)]
pub(crate) struct Followed {
    turns: Mutex<HashMap<TheaterId, Turn>>,
    /// By the name of a child: the event of which the guest heard last before the process went down.
    heard: Mutex<HashMap<String, Digest>>,
}

type Turn = Arc<tokio::sync::Mutex<()>>;

impl Followed {
    /// Of what the guest heard before the process went down.
    pub(crate) fn heard(&self, heard: HashMap<String, Digest>) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = heard;
    }

    fn take_heard(&self, name: &str) -> Option<Digest> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    fn turn(&self, child: TheaterId) -> Turn {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(child).or_default().clone()
    }

    /// Forgets a child that nobody follows.
    fn leave(&self, child: TheaterId, turn: Turn) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        drop(turn);
        if turns.get(&child).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&child);
        }
    }
}

impl Supervision {
    /// Follows an incarnation of a child that runs, if a filter speaks of it.
    pub(crate) fn follow_events(self: &Arc<Self>, child: TheaterId) {
        if self.policy.events.is_empty() || !self.actor.exports(&HANDLE_CHILD_EVENT) {
            return;
        }
        let Some(tree) = self.tree() else { return };
        let names = self.names(child);
        let filters: Vec<EventFilter> =
            self.policy.events.iter().filter(|filter| speaks_of(filter, &names)).cloned().collect();
        let (Some(cursor), false) = (tree.follow(child), filters.is_empty()) else { return };
        let following = self.clone();
        self.actor.spawn(async move {
            let turn = following.followed.turn(child);
            let mine = turn.clone().lock_owned().await;
            let told = names.first().cloned().unwrap_or_default();
            let heard = following.followed.take_heard(&told);
            if let Err(error) = following.tell_events(cursor, &filters, &told, heard).await {
                following.actor.record_error("supervision-events", &error);
            }
            drop(mine);
            following.followed.leave(child, turn);
        });
    }

    /// Its spec id where it has one, its actor id and its name.
    fn names(&self, child: TheaterId) -> Vec<String> {
        let spec = self.lock().engine.spec(child).map(|spec| spec.id.clone());
        let name = self.tree().and_then(|tree| tree.child(child));
        spec.into_iter().chain([child.to_string()]).chain(name.map(|known| known.name)).collect()
    }

    /// `heard`: those up to this event were told before.
    async fn tell_events(
        &self,
        mut cursor: EventCursor,
        filters: &[EventFilter],
        child: &str,
        mut heard: Option<Digest>,
    ) -> Result<(), String> {
        while let Some(event) = cursor.next().await.map_err(|error| error.to_string())? {
            if let Some(last) = heard {
                if event.hash == last {
                    heard = None;
                }
                continue;
            }
            if let Some(filter) =
                filters.iter().find(|filter| filter.types.iter().any(|wanted| *wanted == event.event_type))
            {
                let shown = shown(&event, &filter.fields)?;
                let call = self.actor.call(&HANDLE_CHILD_EVENT, &(child.to_owned(), shown), Some(event.hash));
                match call.await {
                    Ok(()) => {}
                    Err(CallError::Guest(message)) => {
                        self.actor.record_error("supervision-events#handle-child-event", &message);
                    }
                    Err(_) => return Ok(()), // the supervisor ends
                }
            }
            if event.event_type == ActorTerminated::TYPE {
                break;
            }
        }
        Ok(())
    }
}

/// The event, of its document only the fields asked for; none: all.
fn shown(event: &ChainEvent, fields: &[String]) -> Result<WitChainEvent, String> {
    let mut shown = WitChainEvent::of(event).map_err(|error| error.to_string())?;
    if !fields.is_empty() {
        shown.data = theater::chain::document::only(&shown.data, fields).map_err(|error| error.to_string())?;
    }
    Ok(shown)
}

fn speaks_of(filter: &EventFilter, names: &[String]) -> bool {
    if filter.children.is_empty() {
        return true;
    }
    filter.children.iter().any(|wanted| names.iter().any(|name| pattern::matches(wanted, name)))
}
