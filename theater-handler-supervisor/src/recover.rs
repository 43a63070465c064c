//! A supervisor that goes on after the process went down: from its own chain it is known where its
//! engine stood, what was decided and not done, and what the guest was not told.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;

use theater::chain::data::{
    AskedBy, Call, CallReturned, ChildExited, EventData, InstanceDropped, ReasonRecord, StateUpdated,
};
use theater::chain::{ActorEntry, codec, newest, payload};
use theater::{
    ActorError, CallError, ChainEvent, ChainStore, ChildErr, ChildExit, Digest, ExitReason, Result, Start, StoppedBy,
    StoreError, Subtree, TheaterId,
};
use theater_supervision_policy::{Down, Engine, Follower, Left, Open, Restarted, Standing, Step, Subject, What};

use crate::callbacks;
use crate::decide::{self, DECIDE};
use crate::facts::fact;
use crate::link::Linked;
use crate::restart::{Members, Restart};
use crate::supervision::{Cause, Supervision};
use crate::wit;

/// Events read at once.
const PAGE: usize = 1_000;

/// An answer of `decide` that is on its way.
type Asked = (Option<Digest>, std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>);
type Answer = std::result::Result<(wit::Decision,), CallError>;

/// What is left to do once the hooks are set.
pub(crate) struct Recovery {
    left: Left,
    children: HashMap<TheaterId, ActorEntry>,
    asked: Option<Asked>,
}

/// Which of the facts of a child this is.
#[derive(Clone, Copy)]
struct Told {
    /// The newest.
    is_last: bool,
    /// The guest was not told of it.
    tell: bool,
}

impl Supervision {
    /// Reads the chain since the start of this incarnation, and has the engine stand where it stood.
    pub(crate) async fn recover(self: &Arc<Self>, cx: &Start<'_>) -> Result<Recovery> {
        let tree = cx.tree();
        let records = tree.records().await?;
        let id = self.actor.id();
        let fresh = || Engine::new(self.policy.clone(), id);
        let mut follower = Follower::new((*self.policy).clone(), id);
        let (mut next, head) = cx.chain();
        while next <= head {
            let page = records.events(id, next, PAGE).await?;
            let Some(last) = page.last() else { break };
            next = last.seq + 1;
            for event in &page {
                follower.event(&records, event).await?;
            }
        }
        let mut left = follower.left();
        let mut children = HashMap::new();
        for child in left.engine.known() {
            if let Some(entry) = records.actor(child).await? {
                children.insert(child, entry);
            }
        }
        let mut engine = std::mem::replace(&mut left.engine, fresh());
        if !cx.had_started() {
            engine = fresh();
        } else if let Some(child) = left.starting {
            engine.forget(child); // it is told of it again when that host call is made again
        }
        let asked = cx.open_call(&DECIDE).map(|(cause, answer)| {
            let answer: std::pin::Pin<Box<dyn Future<Output = Answer> + Send>> = Box::pin(answer);
            (cause, answer)
        });
        {
            let mut state = self.lock();
            (state.engine, state.stopped) = (engine, std::mem::take(&mut left.stopped));
        }
        self.followed.heard(std::mem::take(&mut left.heard));
        Ok(Recovery { left, children, asked })
    }

    /// Does what was left to do. The actor does not run yet.
    pub(crate) async fn go_on(self: &Arc<Self>, tree: &Subtree, recovery: Recovery) -> Result<()> {
        let Recovery { mut left, children, mut asked } = recovery;
        self.take_back(tree, &children).await?;
        let records = tree.records().await?;
        if let Some((decision, subject)) = &left.escalated {
            let cause = self.cause(&records, subject).await?;
            let error = self.escalation(&self.lock(), decision, &cause);
            self.actor.fail(error);
            return Ok(());
        }
        if left.stops {
            self.actor.stop();
            return Ok(());
        }
        if let (false, Some(subject)) = (left.due.is_empty(), &left.deciding) {
            let mut cause = self.cause(&records, subject).await?;
            let mut state = self.lock();
            if let Some(restart) = self.carry_out(&mut state, &left.due, &mut cause) {
                restart.spawn(self);
            }
        }
        self.restart_again(tree, &records, &children, &left).await?;
        let last: HashMap<TheaterId, usize> =
            left.open.iter().enumerate().map(|(at, open)| (child_of(&open.subject), at)).collect();
        for (at, open) in std::mem::take(&mut left.open).into_iter().enumerate() {
            let is_last = last.get(&child_of(&open.subject)) == Some(&at);
            let owed = left.owed.iter().position(|(fact, ..)| *fact == open.subject.hash);
            let tell = owed.map(|at| left.owed.remove(at)).is_some();
            self.open(tree, &records, &children, open, Told { is_last, tell }, &mut asked).await?;
        }
        self.owed(&records, &left).await?;
        self.leave(tree);
        Ok(())
    }

    /// Says of children that live how they are stopped, and what they are; follows their events.
    async fn take_back(self: &Arc<Self>, tree: &Subtree, children: &HashMap<TheaterId, ActorEntry>) -> Result<()> {
        for child in children.keys() {
            self.for_child(tree, *child).declare(*child);
            let is_specified = self.lock().engine.spec(*child).is_some();
            if is_specified && let Ok(known) = tree.status(*child).await {
                self.note_kind(*child, known.handlers.iter().map(String::as_str));
            }
            self.follow_events(*child);
        }
        Ok(())
    }

    /// Restarts that were decided and not carried out go on, with what is left of their delays.
    async fn restart_again(
        self: &Arc<Self>,
        tree: &Subtree,
        records: &dyn ChainStore,
        children: &HashMap<TheaterId, ActorEntry>,
        left: &Left,
    ) -> Result<()> {
        let mut seen: HashSet<Digest> = HashSet::new();
        let restarts: Vec<Arc<Restarted>> = left.restarts.values().cloned().collect();
        for restarted in restarts {
            if !seen.insert(restarted.event) {
                continue;
            }
            let mut scope = Vec::new();
            for member in &restarted.scope {
                let is_newest = left.restarts.get(member).is_some_and(|newest| newest.event == restarted.event);
                if !is_newest || self.lock().engine.standing(*member) != Some(Standing::Restarting) {
                    continue;
                }
                if begun_by(tree, records, children, *member).await? == Some(restarted.event) {
                    let mut state = self.lock();
                    if tree.child(*member).is_some_and(|child| child.is_alive()) {
                        state.engine.up(*member);
                    }
                    continue;
                }
                scope.push(*member);
            }
            if !scope.is_empty() {
                self.restart_left(tree, records, children, &restarted, scope).await?;
            }
        }
        Ok(())
    }

    async fn restart_left(
        self: &Arc<Self>,
        tree: &Subtree,
        records: &dyn ChainStore,
        children: &HashMap<TheaterId, ActorEntry>,
        restarted: &Restarted,
        scope: Vec<TheaterId>,
    ) -> Result<()> {
        self.hold(tree, children, &scope).await;
        if let Some(linked) = Linked::again(records, restarted, &scope, children).await? {
            let mut state = self.lock();
            let group = state.engine.spec(restarted.decision.actor).and_then(|spec| spec.group.clone());
            if let Some(group) = group {
                state.linked.insert(group, linked);
            }
        }
        let child = restarted.decision.actor;
        let stopped = restarted.stopped.iter().copied();
        let stopped: Vec<TheaterId> =
            stopped.filter(|other| scope.contains(other) || !restarted.scope.contains(other)).collect();
        let due = restarted.at_ms.saturating_add(restarted.delay_ms);
        let delay_ms = due.saturating_sub(self.actor.at_ms());
        let number = self.begin(&mut self.lock(), &scope);
        let members = Members { child, scope, stopped };
        Restart::new(members, number, &restarted.decision, Some(restarted.event), delay_ms).spawn(self);
        Ok(())
    }

    /// Keeps the messages of those that have ended.
    async fn hold(self: &Arc<Self>, tree: &Subtree, children: &HashMap<TheaterId, ActorEntry>, scope: &[TheaterId]) {
        for child in scope {
            let ended = children.get(child).is_some_and(|entry| entry.index.ended.is_some());
            if !ended || self.lock().held.contains_key(child) {
                continue;
            }
            match tree.hold_ended(*child).await {
                Ok(held) => {
                    self.lock().held.insert(*child, held);
                }
                Err(error) => self.actor.record_error("recovery", &error.to_string()),
            }
        }
    }

    /// A fact that was not decided on.
    async fn open(
        self: &Arc<Self>,
        tree: &Subtree,
        records: &dyn ChainStore,
        children: &HashMap<TheaterId, ActorEntry>,
        open: Open,
        told: Told,
        asked: &mut Option<Asked>,
    ) -> Result<()> {
        let Told { is_last, tell } = told;
        let Open { subject, asked: was_asked, answer } = open;
        let child = child_of(&subject);
        let data = match &subject.what {
            What::Erred(data) => {
                let Cause::Err(erred) = self.cause(records, &subject).await? else { return Ok(()) };
                let at_ms = if is_last { self.actor.at_ms() } else { data.at_ms };
                let mut state = self.lock();
                let step = state.engine.erred(child, &erred.name, &erred.message, erred.error_hash, at_ms);
                self.follow(state, step, Cause::Err(erred));
                return Ok(());
            }
            What::Exited(data) => data.clone(),
        };
        // One that lives again is up, whoever started it.
        let newest = children.get(&child).map(|entry| entry.index.incarnation);
        let down = is_down(tree, children, child);
        if !is_last || !down || newest.is_some_and(|newest| newest > data.incarnation) {
            return Ok(());
        }
        let Cause::Exit(mut exit) = self.cause(records, &subject).await? else { return Ok(()) };
        let scope = self.lock().engine.scope(child);
        self.hold(tree, children, &scope).await;
        exit.mailbox = self.lock().held.remove(&child);
        let mut state = self.lock();
        if !was_asked {
            let asks = exit.reason.error().is_some() && self.actor.exports(&DECIDE);
            let at_ms = if asks { exit.at_ms } else { self.actor.at_ms() };
            let step = state.engine.exited(&fact(&exit), at_ms, asks);
            self.follow_and(state, step, Cause::Exit(exit), tell);
            return Ok(());
        }
        // As it stood before: the question is asked, and not answered.
        let step = state.engine.exited(&fact(&exit), exit.at_ms, true);
        let Step::Ask(question) = step else {
            self.follow_and(state, step, Cause::Exit(exit), tell);
            return Ok(());
        };
        if let Some(answer) = answer {
            let step = state.engine.answered(child, answer, self.actor.at_ms());
            self.follow_and(state, step, Cause::Exit(exit), tell);
            return Ok(());
        }
        drop(state);
        match asked.take_if(|(cause, _)| *cause == Some(subject.hash)) {
            Some((_, answer)) => decide::answered(self, exit, answer),
            None => decide::ask(self, exit, question),
        }
        Ok(())
    }

    /// What the guest has not been told of yet.
    async fn owed(self: &Arc<Self>, records: &dyn ChainStore, left: &Left) -> Result<()> {
        for (hash, data, to) in &left.owed {
            if !was_published(records, data, *to).await? {
                continue; // a failed attempt
            }
            let subject = Subject { hash: *hash, what: What::Exited(data.clone()) };
            if let Cause::Exit(exit) = self.cause(records, &subject).await? {
                callbacks::tell(&self.actor, *exit);
            }
        }
        Ok(())
    }

    /// A fact as the hooks tell it, without the messages.
    async fn cause(self: &Arc<Self>, records: &dyn ChainStore, subject: &Subject) -> Result<Cause> {
        let child = child_of(subject);
        let name = records.actor(child).await?.map(|entry| entry.index.name).unwrap_or_default();
        let own = self.own_message(records, subject.hash).await?;
        Ok(match &subject.what {
            What::Erred(data) => {
                let message = own.unwrap_or_default();
                Cause::Err(Box::new(ChildErr::recorded(child, name, data.incarnation, message, data.error_hash)))
            }
            What::Exited(data) => {
                let reason = reason(records, data, own).await?;
                let (at_ms, incarnation) = (data.at_ms, data.incarnation);
                let mut exit = ChildExit::of_failed_start(child, name, incarnation, reason, at_ms, subject.hash);
                (exit.error_hash, exit.poison) = (data.error_hash, data.poison);
                exit.stopped_by = match data.asked_by {
                    AskedBy::Itself => StoppedBy::Itself,
                    AskedBy::Operator => StoppedBy::Operator,
                    AskedBy::Parent => StoppedBy::Parent,
                };
                Cause::Exit(Box::new(exit))
            }
        })
    }

    /// The message that a fact in this actor's chain has.
    async fn own_message(&self, records: &dyn ChainStore, fact: Digest) -> Result<Option<String>> {
        let Some(entry) = records.actor(self.actor.id()).await? else { return Ok(None) };
        let found = newest(records, self.actor.id(), entry.index.started..entry.head.seq + 1, |event| {
            (event.hash == fact).then(|| message(event))
        });
        Ok(found.await?.flatten())
    }

    /// Children whose end is known and waits for all declared ones to be started.
    pub(crate) async fn waiting(self: &Arc<Self>, tree: &Subtree, recovery: Recovery) -> Result<Vec<Cause>> {
        let records = tree.records().await?;
        let mut causes = Vec::new();
        for open in &recovery.left.open {
            let child = child_of(&open.subject);
            let ended = recovery.children.get(&child).filter(|_| is_down(tree, &recovery.children, child));
            if let (Some(entry), What::Exited(data)) = (ended, &open.subject.what)
                && entry.index.incarnation == data.incarnation
            {
                causes.push(self.cause(&records, &open.subject).await?);
            }
        }
        Ok(causes)
    }

    /// Children that a decision left down, and that were not stopped yet, are.
    fn leave(self: &Arc<Self>, tree: &Subtree) {
        let down: Vec<TheaterId> = {
            let state = self.lock();
            let asked = |child: &TheaterId| state.engine.standing(*child) == Some(Standing::Down(Down::Asked));
            state.engine.known().into_iter().filter(asked).collect()
        };
        let lives = |child: &TheaterId| {
            let stopped = self.lock().stopped.contains_key(child);
            !stopped && tree.child(*child).is_some_and(|known| known.is_alive())
        };
        self.leave_down(down.into_iter().filter(lives).collect());
    }
}

/// Whether a child's newest incarnation has ended, or cannot go on: then nothing of it is alive,
/// whatever its record says.
fn is_down(tree: &Subtree, children: &HashMap<TheaterId, ActorEntry>, child: TheaterId) -> bool {
    children.get(&child).is_none_or(|entry| entry.index.ended.is_some()) || tree.child(child).is_none()
}

fn child_of(subject: &Subject) -> TheaterId {
    match &subject.what {
        What::Exited(data) => data.child,
        What::Erred(data) => data.child,
    }
}

/// What led to the newest incarnation of a child.
async fn begun_by(
    tree: &Subtree,
    records: &dyn ChainStore,
    children: &HashMap<TheaterId, ActorEntry>,
    child: TheaterId,
) -> Result<Option<Digest>> {
    if let Some(event) = tree.begun_by(child) {
        return Ok(Some(event));
    }
    let Some(entry) = children.get(&child) else { return Ok(None) };
    let started = records.events(child, entry.index.started, 1).await?.pop();
    let started = started.and_then(|event| theater::chain::data::ActorStarted::decode(&event.data).ok());
    Ok(started.and_then(|started| started.parent_event))
}

/// Whether the incarnation of an end had run, going by its chain up to `to`.
async fn was_published(
    records: &dyn ChainStore,
    data: &ChildExited,
    to: Option<u64>,
) -> std::result::Result<bool, StoreError> {
    let Some(to) = to else { return Ok(true) };
    let ran = newest(records, data.child, 0..to + 1, |event| match &*event.event_type {
        CallReturned::TYPE | StateUpdated::TYPE | InstanceDropped::TYPE => Some(true),
        Call::TYPE => Some(Call::decode(&event.data).is_ok_and(|call| call.lane != theater::chain::data::Lane::Start)),
        theater::chain::data::ActorStarted::TYPE => Some(!matches!(data.reason, ReasonRecord::Abnormal(_))),
        _ => None,
    });
    Ok(ran.await?.unwrap_or(true))
}

/// Why a child ended, with the message of its error.
async fn reason(records: &dyn ChainStore, data: &ChildExited, own: Option<String>) -> Result<ExitReason> {
    Ok(match data.reason {
        ReasonRecord::Normal => {
            let entry = records.actor(data.child).await?;
            let end = entry.map_or(0, |entry| entry.head.seq + 1);
            let found =
                newest(records, data.child, 0..end, |event| (event.hash == data.error_hash).then(|| end_data(event)));
            ExitReason::Normal(found.await?.flatten())
        }
        ReasonRecord::Declined => ExitReason::Declined,
        ReasonRecord::Shutdown => ExitReason::Shutdown,
        ReasonRecord::Killed(cause) => ExitReason::Killed(cause),
        ReasonRecord::Abnormal(kind) => {
            let entry = records.actor(data.child).await?;
            let end = entry.map_or(0, |entry| entry.head.seq + 1);
            let found = newest(records, data.child, 0..end, |event| {
                (event.hash == data.error_hash).then(|| ActorError::recorded(&event.data, event.payload.as_ref()))
            });
            let error = found.await?.flatten();
            ExitReason::Abnormal(error.unwrap_or_else(|| ActorError::new(kind, own.unwrap_or_default())))
        }
    })
}

/// The data of a normal end.
fn end_data(event: &ChainEvent) -> Option<Vec<u8>> {
    let payload = event.payload.as_ref()?;
    let data = payload::field(payload.bytes(), "data").ok().flatten()?;
    payload::read_bin(data).ok().map(<[u8]>::to_vec)
}

/// The message in a fact.
fn message(event: &ChainEvent) -> Option<String> {
    let payload = event.payload.as_ref()?;
    codec::decode(payload::field(payload.bytes(), "message").ok().flatten()?).ok()
}
