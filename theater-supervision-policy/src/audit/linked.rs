//! The cut that the members of a group restart from, found again.

use theater_chain::data::{ActorStarted, EventData, SupervisionAction};
use theater_chain::{ChainStore, StoreError, TheaterId, Verdict};

use super::Seen;
use super::life::Life;
use crate::cut::{self, Member};
use crate::decision::Decision;

/// How many events are read at once.
const PAGE: usize = 64;

/// An incarnation that began.
pub(super) struct Begun {
    pub(super) seq: u64,
    pub(super) data: ActorStarted,
}

/// The next start in a chain after an event of it.
pub(super) async fn next_start(
    store: &dyn ChainStore,
    child: TheaterId,
    after: u64,
) -> Result<Option<Begun>, StoreError> {
    let mut next = after.saturating_add(1);
    loop {
        let page = store.events(child, next, PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        next = last.seq + 1;
        let found = page.iter().find(|event| event.event_type == ActorStarted::TYPE);
        if let Some(event) = found {
            let data = ActorStarted::decode(&event.data).map_err(|error| {
                StoreError::Damaged(format!("event {} of {child}: its data cannot be read: {error}", event.seq))
            })?;
            return Ok(Some(Begun { seq: event.seq, data }));
        }
    }
}

impl Life {
    /// What is due once the members of a group have ended, whose cut this decision records.
    pub(super) async fn linked(
        &mut self,
        store: &dyn ChainStore,
        scope: &[TheaterId],
        data: &SupervisionAction,
    ) -> Result<Seen, StoreError> {
        let recorded = data.cut.clone().ok_or_else(String::new);
        let Some(mut members) = self.members(store, scope, true).await? else {
            self.due = self.engine.linked(data.actor_id, recorded, data.at_ms).into();
            let sentence = "supervision_action: consistent cuts of children that are not anchored or not in the store";
            return Ok(Seen::Verdict(Verdict::Unchecked(sentence.to_owned())));
        };
        let mut found = cut::greatest(store, &members).await?;
        // A cut before may have been given up for good, when the group failed anew.
        if found.as_ref().ok().map(|cut| &cut.members) != recorded.as_ref().ok()
            && let Some(others) = self.members(store, scope, false).await?
            && others != members
        {
            found = cut::greatest(store, &others).await?;
            members = others;
        }
        let (cut, seen) = match found {
            Ok(cut) => (Ok(cut.members), Seen::RIGHT),
            // Payloads may have been erased since it was found.
            Err(_) if recorded.is_ok() && self.is_erased(store, &members).await? => {
                let sentence = "supervision_action: consistent cuts over messages that were erased";
                (recorded, Seen::Verdict(Verdict::Unchecked(sentence.to_owned())))
            }
            Err(reason) => (Err(reason.to_string()), Seen::RIGHT),
        };
        self.due = self.engine.linked(data.actor_id, cut, data.at_ms).into();
        Ok(seen)
    }

    /// The members as they stood when the cut was looked for: ended, and not started again. `None`:
    /// that cannot be told. `back`: one that a cut took back and that has not started since stands
    /// where that cut left it.
    async fn members(
        &mut self,
        store: &dyn ChainStore,
        scope: &[TheaterId],
        back: bool,
    ) -> Result<Option<Vec<Member>>, StoreError> {
        let mut members = Vec::with_capacity(scope.len());
        for id in scope {
            let known = self.of(*id);
            let Some(to) = known.anchored else { return Ok(None) };
            if store.actor(*id).await?.is_none() {
                return Ok(None);
            }
            let until = match known.taken_back {
                Some((seq, incarnation)) if back && incarnation == known.incarnation => Some(seq + 1),
                _ => next_start(store, *id, to).await?.map(|begun| begun.seq),
            };
            members.push(Member { id: *id, until });
        }
        Ok(Some(members))
    }

    /// Whether the members' newest events then had payloads that are gone.
    async fn is_erased(&self, store: &dyn ChainStore, members: &[Member]) -> Result<bool, StoreError> {
        for member in members {
            let Some(to) = self.known.get(&member.id).and_then(|known| known.anchored) else { continue };
            let found = theater_chain::newest(store, member.id, 0..to + 1, |event| {
                (event.is_erased() || event.event_type == ActorStarted::TYPE).then(|| event.is_erased())
            });
            if found.await? == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes where a cut left the members of a group.
    pub(super) fn note_cut(&mut self, due: &Decision) {
        for (member, seq, _) in due.cut.iter().flatten() {
            let known = self.of(*member);
            known.taken_back = Some((*seq, known.incarnation));
        }
    }
}
