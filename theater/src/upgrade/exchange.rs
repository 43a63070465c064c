//! The moment of an upgrade or a rollback: the event, the program and the state, all at once.

use std::sync::Arc;

use bytes::Bytes;
use theater_chain::data::EventData;
use theater_chain::{Digest, Upgraded};

use super::UpgradeError;
use super::subject::{Gone, Subject};
use crate::actor::{Actor, Committed};
use crate::anchors;
use crate::entry::Extras;
use crate::hold::Hold;
use crate::inbox::Inbox;
use crate::message;
use crate::program::Program;
use crate::recorder::{Appended, Recorder};
use crate::shared::Shared;

/// What takes the place of what.
pub(super) struct Exchange<'a, D> {
    /// The event; what it says of the old state is what it was made from.
    pub(super) event: &'a D,
    pub(super) program: Program,
    pub(super) version: Arc<str>,
    pub(super) before: Committed,
    pub(super) state: Option<Bytes>,
}

impl<D: EventData> Exchange<'_, D> {
    /// Makes it, unless the actor is not where it was any more.
    pub(super) async fn make(
        self,
        shared: &Shared,
        subject: &Subject,
        hold: Option<Hold>,
    ) -> Result<Appended, UpgradeError> {
        let id = subject.recorder().id;
        let appended = match (subject, hold) {
            (Subject::Alive(_), Some(hold)) => hold.exchange(|actor, inbox| self.in_actor(actor, inbox)),
            (Subject::Gone(gone), _) => shared.tree.while_gone(id, || self.in_record(shared, gone)).flatten(),
            (Subject::Alive(_), None) => None,
        };
        let appended = appended.ok_or(UpgradeError::Ended(id))?;
        if let Subject::Alive(actor) = subject {
            anchors::touch(actor);
        }
        shared.journal.durable(appended.position).await?;
        Ok(appended)
    }

    fn in_actor(self, actor: &Arc<Actor>, inbox: &mut Inbox) -> Appended {
        let appended = self.append(&actor.shared, &actor.recorder);
        inbox.drop_instance();
        let hash = Digest::of_state(self.state.as_deref());
        actor.set_program(Arc::new(self.program.given(appended.seq, self.version)));
        actor.commit_state(self.state, hash);
        let program = actor.program();
        let exported = |message: &message::Message| program.component.export(message.interface, message.function);
        for message in inbox.take_messages(|message| exported(message).is_none()) {
            message::not_exported_any_more(actor, message);
        }
        appended
    }

    /// `None`: it was started or upgraded meanwhile.
    fn in_record(self, shared: &Shared, gone: &Gone) -> Option<Appended> {
        let recorder = &gone.recorder;
        let index = &gone.entry.index;
        let upgraded = index.upgraded.as_ref().map(|upgraded| upgraded.seq);
        let same = recorder.incarnation() == index.incarnation && recorder.upgraded() == upgraded;
        same.then(|| self.append(shared, recorder))
    }

    fn append(&self, shared: &Shared, recorder: &Recorder) -> Appended {
        let hash = Digest::of_state(self.state.as_deref());
        let (component, version) = (self.program.digest, self.version.clone());
        recorder.append_with(self.event, None, |event, now| {
            now.state = hash;
            now.upgraded = Some(Upgraded { seq: event.seq, component, version });
            let new = shared.tree.is_new_blob(recorder.ephemeral, component);
            // The state before is kept for a rollback.
            let states = [(self.before.hash, &self.before.state), (hash, &self.state)];
            Extras {
                states: states.into_iter().filter_map(|(hash, state)| Some((hash, state.clone()?))).collect(),
                components: new.then(|| (component, self.program.bytes.clone())).into_iter().collect(),
                ..Extras::default()
            }
        })
    }
}
