//! An actor's mailbox and its phase. A queue is allocated when the first message comes; a task is
//! spawned when there is work and none runs.

use std::collections::VecDeque;
use std::sync::Arc;

use theater_chain::data::{DropReason, Lane};

use crate::actor::{Actor, Interruption, lock};
use crate::actor_store::Slots;
use crate::error::CallError;
use crate::exit::ExitReason;
use crate::exits::StoppedBy;
use crate::instance::{self, ActorInstance};
use crate::linger;
use crate::message::Message;
use crate::places::{Asked, Pin, Place};
use crate::runner;
use crate::turn::record_error;

#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) phase: Phase,
    seldom: Option<Box<Seldom>>,
    /// Boxed, so that an actor that had a few messages does not keep room for as many.
    queue: VecDeque<Box<Message>>,
    /// Places promised to messages that leave when their sender's call commits.
    reserved: usize,
    /// Bytes of the messages that are queued or promised a place.
    bytes: usize,
    /// A task runs for this actor, or is about to.
    scheduled: bool,
    /// What the runner put away when it went idle.
    life: Option<Life>,
    /// The pool knows that it has an instance that could be given up.
    listed: bool,
    /// When it went idle last, as the pool counts.
    idle_at: u64,
    /// A restart is under way, or will be, that takes the messages over.
    kept: bool,
    /// Its parent hears of its end, also while it starts: whoever decided that start went down.
    pub(crate) decided: bool,
    /// Who keeps the messages of an incarnation that has ended.
    pub(crate) holders: u32,
    /// The call that ended this incarnation had ended one before in just the same way.
    pub(crate) poisoned: bool,
    /// That it ends is in the record.
    pub(crate) ending: bool,
    /// It is held between two calls, for an upgrade: messages wait.
    pub(crate) held: bool,
    /// Who asked the actor to stop first.
    pub(crate) stopped_by: Option<StoppedBy>,
}

/// What few mailboxes have.
#[derive(Default)]
struct Seldom {
    /// The call that was open when the process went down: it begins again before anything else.
    open: Option<Message>,
    /// What is to be decided, before any message.
    urgent: VecDeque<Message>,
    /// The place that a pinned actor keeps.
    pin: Option<Arc<Pin>>,
}

/// Where an incarnation is in its life.
#[derive(Default)]
pub(crate) enum Phase {
    /// Handlers are started, the component is instantiated, init runs.
    #[default]
    Starting,
    /// It serves its mailbox.
    Running,
    /// It takes no more calls; its children end, then it does.
    Ending,
    /// It ended and its messages wait for what its supervisor decides.
    Held(Box<ExitReason>),
    /// It ended for good.
    Ended(Box<ExitReason>),
}

/// An actor between two calls.
pub(crate) enum Life {
    /// With an instance.
    Live(Box<ActorInstance>),
    /// Without: the handlers' states alone; the next call makes a fresh instance.
    Parked(Slots),
}

/// What the runner does next.
pub(crate) enum Work {
    Message(Box<Message>, Life),
    End(ExitReason, Life),
    Idle,
}

impl Inbox {
    /// The next thing to do; `Idle` means that the runner must return.
    pub(crate) fn next(&mut self, actor: &Arc<Actor>, life: Life) -> Work {
        // A call that is open ends before its actor does, even where that is killed.
        if let Some(message) = self.take_open() {
            return Work::Message(Box::new(message), life);
        }
        if let Some(why) = actor.control.interruption() {
            if let Interruption::Failed(error) = &why {
                record_error(actor, error, actor.committed().hash, None, |_| Vec::new());
            }
            return Work::End(why.reason(), life);
        }
        if actor.control.is_stopping() {
            return Work::End(ExitReason::Shutdown, life);
        }
        if self.held {
            self.put_away(actor, life);
            return Work::Idle;
        }
        let urgent = self.seldom.as_mut().and_then(|seldom| seldom.urgent.pop_front());
        match urgent.map(Box::new).or_else(|| self.queue.pop_front()) {
            Some(message) => {
                self.bytes = self.bytes.saturating_sub(message.size());
                Work::Message(message, life)
            }
            None => {
                self.put_away(actor, life);
                Work::Idle
            }
        }
    }

    /// Whether there is nothing to serve.
    fn is_empty(&self) -> bool {
        let seldom = self.seldom.as_ref();
        self.queue.is_empty() && seldom.is_none_or(|seldom| seldom.open.is_none() && seldom.urgent.is_empty())
    }

    /// The call that was to begin again.
    pub(crate) fn take_open(&mut self) -> Option<Message> {
        let message = self.seldom.as_mut()?.open.take()?;
        self.bytes = self.bytes.saturating_sub(message.size());
        Some(message)
    }

    /// The call that is to begin again.
    pub(crate) fn open_mut(&mut self) -> Option<&mut Message> {
        self.seldom.as_mut()?.open.as_mut()
    }

    /// The call that begins again, before anything else.
    pub(crate) fn reenter(&mut self, message: Message) {
        self.bytes += message.size();
        self.seldom.get_or_insert_default().open = Some(message);
    }

    /// Puts away what an idle actor does not need a task for.
    fn put_away(&mut self, actor: &Arc<Actor>, life: Life) {
        self.life = Some(match life {
            live @ Life::Live(_) if self.is_pinned() => live,
            Life::Live(live) if actor.shared.pool.is_wanted() => {
                instance::record_drop(actor, DropReason::Parked);
                Life::Parked(live.into_slots())
            }
            Life::Live(live) => {
                self.idle_at = actor.shared.pool.note_use();
                if !std::mem::replace(&mut self.listed, true) {
                    linger::list(actor, self.idle_at);
                }
                Life::Live(live)
            }
            parked @ Life::Parked(_) => parked,
        });
        self.scheduled = false;
        if self.held {
            actor.control.notify(); // whoever holds it waits for this
        }
    }

    /// Whether it runs, and neither a call nor a task of it does.
    pub(crate) fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Running) && !self.scheduled && self.life.is_some()
    }

    /// Of an actor at rest: drops its instance, so that the next call makes a fresh one.
    pub(crate) fn drop_instance(&mut self) {
        self.life = match self.life.take() {
            Some(Life::Live(live)) => Some(Life::Parked(live.into_slots())),
            other => other,
        };
    }

    /// The messages that wait and that this picks.
    pub(crate) fn take_messages(&mut self, mut picked: impl FnMut(&Message) -> bool) -> Vec<Message> {
        let mut taken = Vec::new();
        if let Some(seldom) = &mut self.seldom {
            let (out, rest): (VecDeque<_>, _) = std::mem::take(&mut seldom.urgent).into_iter().partition(&mut picked);
            seldom.urgent = rest;
            taken.extend(out);
        }
        let (out, rest): (VecDeque<_>, _) =
            std::mem::take(&mut self.queue).into_iter().partition(|message| picked(message));
        self.queue = rest;
        taken.extend(out.into_iter().map(|message| *message));
        self.bytes = self.bytes.saturating_sub(taken.iter().map(Message::size).sum());
        taken
    }

    /// Nobody holds it any more: what waited is served.
    pub(crate) fn let_go(&mut self, actor: &Arc<Actor>) {
        self.held = false;
        if !self.is_empty() {
            wake(actor, self);
        }
    }

    /// After a start: leaves what there is to do to a task of its own.
    pub(crate) fn rest(&mut self, actor: &Arc<Actor>, life: Life) {
        if self.is_empty() && !actor.control.is_stopping() {
            self.put_away(actor, life);
        } else {
            self.life = Some(life);
            runner::spawn(actor.clone());
        }
    }

    /// The runner's start: what it put away.
    pub(crate) fn take_life(&mut self) -> Option<Life> {
        self.life.take()
    }

    /// The actor's own start is over.
    pub(crate) fn set_running(&mut self) {
        self.phase = Phase::Running;
        self.kept = false;
        self.scheduled = true;
    }

    /// Takes the instance of an actor that has been idle since it was listed. The pool has taken it off
    /// its list.
    pub(crate) fn park(&mut self, listed_at: u64) -> Result<Box<ActorInstance>, Asked> {
        self.listed = false;
        if self.scheduled || !matches!(self.phase, Phase::Running) {
            return Err(Asked::Busy);
        }
        match self.life.take() {
            Some(Life::Live(live)) if self.idle_at == listed_at => Ok(live),
            other => {
                self.listed = matches!(other, Some(Life::Live(_)));
                self.life = other;
                Err(if self.listed { Asked::UsedAt(self.idle_at) } else { Asked::Busy })
            }
        }
    }

    /// The place that a pinned actor keeps, once it has one.
    pub(crate) fn pinned_place(&self) -> Option<Place> {
        self.seldom.as_ref()?.pin.clone().map(Place::Pinned)
    }

    fn is_pinned(&self) -> bool {
        self.seldom.as_ref().is_some_and(|seldom| seldom.pin.is_some())
    }

    /// Keeps this place until the actor ends.
    pub(crate) fn pin(&mut self, pin: Arc<Pin>) {
        self.seldom.get_or_insert_default().pin = Some(pin);
    }

    /// It ends: its place is for others.
    pub(crate) fn unpin(&mut self) -> Option<Arc<Pin>> {
        self.seldom.as_mut()?.pin.take()
    }

    /// Whether it serves without an instance: the next message gets it a fresh one.
    pub(crate) fn is_parked(&self) -> bool {
        matches!((&self.phase, &self.life), (Phase::Running, Some(Life::Parked(_)))) && !self.scheduled
    }

    /// Puts the handlers' states of a parked actor back.
    pub(crate) fn set_parked(&mut self, slots: Slots) {
        self.life = Some(Life::Parked(slots));
    }

    pub(crate) fn take_queue(&mut self) -> VecDeque<Message> {
        self.bytes = 0;
        // The open call is not among them: it had begun.
        let mut queue = self.seldom.as_mut().map(|seldom| std::mem::take(&mut seldom.urgent)).unwrap_or_default();
        queue.extend(std::mem::take(&mut self.queue).into_iter().map(|message| *message));
        queue
    }

    /// Whether the incarnation has ended, be it for good or until its supervisor has decided.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Held(_) | Phase::Ended(_))
    }

    /// Keeps the messages for a next incarnation, whatever ends this one.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Puts messages of the incarnation before in front.
    pub(crate) fn adopt(&mut self, messages: VecDeque<Message>) {
        self.bytes += messages.iter().map(Message::size).sum::<usize>();
        for message in messages.into_iter().rev() {
            self.queue.push_front(Box::new(message));
        }
    }
}

/// The bytes that a mailbox may hold, beside the manifest's bound on its messages.
const MAILBOX_BYTES: usize = 64 << 20;

/// Promises a place in the mailbox to a message of so many bytes.
pub(crate) fn reserve(actor: &Actor, bytes: usize) -> Result<(), CallError> {
    let limit = actor.made.manifest.limits.mailbox;
    let mut inbox = lock(&actor.inbox);
    if let Phase::Ended(reason) = &inbox.phase {
        return Err(CallError::Ended { actor: actor.id, reason: ExitReason::clone(reason) });
    }
    if inbox.queue.len() + inbox.reserved >= limit {
        return Err(CallError::MailboxFull { actor: actor.id, limit });
    }
    // One message always fits: what a host call passes has its own limit.
    if inbox.bytes > 0 && inbox.bytes + bytes > MAILBOX_BYTES {
        return Err(CallError::MailboxBytes { actor: actor.id, limit: MAILBOX_BYTES });
    }
    inbox.reserved += 1;
    inbox.bytes += bytes;
    Ok(())
}

/// As [`reserve`], whatever the mailbox holds.
pub(crate) fn reserve_anyway(actor: &Actor, bytes: usize) {
    let mut inbox = lock(&actor.inbox);
    inbox.reserved += 1;
    inbox.bytes += bytes;
}

/// Gives a promised place back.
pub(crate) fn release(actor: &Actor, bytes: usize) {
    let mut inbox = lock(&actor.inbox);
    inbox.reserved = inbox.reserved.saturating_sub(1);
    inbox.bytes = inbox.bytes.saturating_sub(bytes);
}

/// Puts a message into the mailbox, whatever its length: its place was promised, or it is a
/// callback that must not be lost. Gives it back when the actor has ended for good.
pub(crate) fn push(actor: &Arc<Actor>, message: Message) -> Result<(), Box<(Message, ExitReason)>> {
    let mut inbox = lock(&actor.inbox);
    if let Phase::Ended(reason) = &inbox.phase {
        return Err(Box::new((message, ExitReason::clone(reason))));
    }
    inbox.bytes += message.size();
    match message.lane {
        Lane::Decision => inbox.seldom.get_or_insert_default().urgent.push_back(message),
        Lane::Start | Lane::Mailbox => inbox.queue.push_back(Box::new(message)),
    }
    wake(actor, &mut inbox);
    Ok(())
}

/// Makes sure that an idle actor notices a stop or a kill.
pub(crate) fn nudge(actor: &Arc<Actor>) {
    wake(actor, &mut lock(&actor.inbox));
}

/// Spawns the runner if the actor is idle.
fn wake(actor: &Arc<Actor>, inbox: &mut Inbox) {
    let waits = inbox.held && !actor.control.is_stopping();
    if matches!(inbox.phase, Phase::Running) && !inbox.scheduled && !waits {
        inbox.scheduled = true;
        runner::spawn(actor.clone());
    }
}
