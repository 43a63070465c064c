//! A restart: the stops, the delay, the starts, and the attempts after failed ones. Each is a task
//! of its own, so that none waits for another child's; one that concerns the same children takes
//! them over.

use std::sync::Arc;
use std::time::Duration;

use theater::{
    ActorError, ActorProcess, Attempt, ChildExit, Digest, ExitReason, FailedAttempt, Overtaken, RestartFrom,
    SpawnError, StoppedBy, Subtree, TheaterId,
};
use theater_supervision_policy::{Decision, Down, Exit, StateChoice, Step};

use crate::callbacks;
use crate::facts::fact;
use crate::link;
use crate::specs;
use crate::supervision::{Cause, Supervision};
use crate::wit::restart_from;

/// A step at which a test may intervene; no code without the feature `testing`.
macro_rules! step {
    ($supervision:expr, $restart:expr, $name:literal) => {
        #[cfg(feature = "testing")]
        $supervision.actor.step($name, $restart.members.child).await;
    };
}

/// How often a start that is to end is looked for.
const SETTLING: Duration = Duration::from_millis(10);

/// Who is restarted, and because of whom.
#[derive(Debug, Clone)]
pub(crate) struct Members {
    /// The child that failed.
    pub(crate) child: TheaterId,
    /// In start order, itself included.
    pub(crate) scope: Vec<TheaterId>,
    /// Who is stopped for that, in start order: temporary ones too, which do not come back.
    pub(crate) stopped: Vec<TheaterId>,
}

/// A restart that was decided.
pub(crate) struct Restart {
    pub(crate) members: Members,
    pub(crate) number: u64,
    decision: Option<Digest>,
    delay_ms: u64,
    /// The state of the child that failed; the others begin as they are declared.
    state: StateChoice,
    /// No consistent cut: all begin anew.
    all_reset: bool,
}

impl Restart {
    pub(crate) fn new(members: Members, number: u64, decision: &Decision, hash: Option<Digest>, delay_ms: u64) -> Self {
        let all_reset = decision.rule == "no-cut";
        Self { members, number, decision: hash, delay_ms, state: decision.state.clone(), all_reset }
    }

    /// Of children that were stopped for a restart which is decided on no more.
    pub(crate) fn without_decision(scope: Vec<TheaterId>, number: u64, state: StateChoice) -> Option<Self> {
        let members = Members { child: *scope.first()?, stopped: scope.clone(), scope };
        Some(Self { members, number, decision: None, delay_ms: 0, state, all_reset: false })
    }

    pub(crate) fn spawn(self, supervision: &Arc<Supervision>) {
        let supervision = supervision.clone();
        let actor = supervision.actor.clone();
        actor.spawn(async move { supervision.restart(self).await });
    }
}

impl Supervision {
    /// Until everything of it runs, is left down, or another restart has taken it over.
    pub(crate) async fn restart(self: Arc<Self>, mut restart: Restart) {
        self.actor.recovered().await;
        loop {
            let Some(tree) = self.tree() else { return };
            step!(self, restart, "restart.decided");
            self.stop_scope(&tree, &restart.members, restart.number).await;
            step!(self, restart, "group.stopped");
            self.wait(&restart).await;
            step!(self, restart, "restart.waited");
            match self.start_scope(&tree, &mut restart).await {
                None => {
                    step!(self, restart, "group.started");
                    return;
                }
                Some(next) => restart = next,
            }
        }
    }

    /// Stops who is up, the youngest first. The messages wait.
    pub(crate) async fn stop_scope(self: &Arc<Self>, tree: &Subtree, members: &Members, number: u64) {
        for child in members.stopped.iter().rev() {
            if !members.scope.contains(child) {
                // One that has ended is stopped.
                let _ = specs::stop(self, tree, *child, StoppedBy::ParentQuietly).await;
                continue;
            }
            let settled = self.settle(tree, *child).await;
            let stops = {
                let state = self.lock();
                state.awaits(*child, number) && (settled || !state.held.contains_key(child))
            };
            if !stops {
                continue;
            }
            if let Some(held) = tree.hold(*child).await {
                let mut state = self.lock();
                if state.awaited.contains_key(child) {
                    state.held.insert(*child, held);
                }
            }
        }
    }

    /// Waits until no start of the child by an earlier restart is under way, and has it end. Whether
    /// there was one.
    async fn settle(&self, tree: &Subtree, child: TheaterId) -> bool {
        let mut waited = false;
        loop {
            let mut settled = std::pin::pin!(self.settled.notified());
            settled.as_mut().enable(); // before the check, so that none is missed
            if !self.lock().awaited.get(&child).is_some_and(|awaited| awaited.starting) {
                return waited;
            }
            waited = true;
            // It may not be registered yet; then what is held is the incarnation before.
            if let Some(held) = tree.hold(child).await {
                let mut state = self.lock();
                if state.awaited.contains_key(&child) {
                    state.held.insert(child, held);
                }
            }
            tokio::select! {
                () = settled => {}
                () = self.actor.timer(SETTLING) => {}
            }
        }
    }

    /// The delay; it ends when an operator stops the child, which then stays down, or restarts it.
    async fn wait(self: &Arc<Self>, restart: &Restart) {
        let child = restart.members.child;
        let asked = self.lock().held.get(&child).map(theater::HeldMailbox::overtaken);
        let delay = async {
            if restart.delay_ms > 0 {
                self.actor.timer(Duration::from_millis(restart.delay_ms)).await;
            }
        };
        let Some(asked) = asked else { return delay.await };
        tokio::select! {
            biased;
            overtaken = asked => self.overtaken(child, restart.number, overtaken),
            () = delay => {}
        }
    }

    fn overtaken(self: &Arc<Self>, child: TheaterId, number: u64, overtaken: Overtaken) {
        let mut state = self.lock();
        if !state.awaits(child, number) {
            return;
        }
        let incarnation = state.awaited.get(&child).map_or(0, |awaited| awaited.incarnation) + 1;
        state.cancel(child);
        match overtaken {
            Overtaken::Stopped => {
                self.actor.record_no_restart(child, incarnation);
                state.engine.down(child, Down::Asked);
                state.note_stopped(child, incarnation - 1);
            }
            Overtaken::Restarted => {
                state.engine.up(child);
                drop(state);
                self.follow_events(child);
            }
        }
    }

    /// Starts the members in their order. When one does not start, what follows from that is returned.
    async fn start_scope(self: &Arc<Self>, tree: &Subtree, restart: &mut Restart) -> Option<Restart> {
        for child in restart.members.scope.clone() {
            let Some(attempt) = self.begin_start(child, restart) else { continue };
            let attempted = self.for_child(tree, child).attempt(attempt).await;
            if attempted.as_ref().err().is_none_or(|failed| failed.exit.is_some()) {
                self.lock().has_left_cut(child);
            }
            self.taken_over(child, restart.number);
            match attempted {
                Ok(started) => self.started(tree, child, restart.number, started.is_some()),
                Err(failed) => {
                    // Where no incarnation began, the newest is the one before.
                    let known = if failed.exit.is_none() { tree.status(child).await.ok() } else { None };
                    if let Some(next) = self.failed(child, restart, failed, known) {
                        return Some(next);
                    }
                }
            }
        }
        None
    }

    fn begin_start(self: &Arc<Self>, child: TheaterId, restart: &Restart) -> Option<Attempt> {
        let mut state = self.lock();
        // An operator may have stopped it after it was stopped for this.
        if state.held.get(&child).and_then(theater::HeldMailbox::is_overtaken) == Some(Overtaken::Stopped) {
            drop(state);
            self.overtaken(child, restart.number, Overtaken::Stopped);
            return None;
        }
        let awaited = state.awaited.get_mut(&child).filter(|awaited| awaited.restart == restart.number)?;
        awaited.starting = true;
        let linked = state.linked(child).filter(|_| !restart.all_reset);
        let from = match linked {
            Some(linked) => RestartFrom::ResumeFrom(linked.state(child)),
            None if restart.all_reset => RestartFrom::Reset,
            None if child == restart.members.child => restart_from(restart.state.clone()),
            None => restart_from(state.engine.declared_state(child)),
        };
        let (redeliver, undone) = link::messages(linked, child);
        Some(Attempt { child, from, event: restart.decision, mailbox: state.held.remove(&child), redeliver, undone })
    }

    /// Tells the restart that has taken the child over that this one's start of it is over.
    fn taken_over(&self, child: TheaterId, number: u64) {
        let mut state = self.lock();
        let mut early = None;
        if let Some(awaited) = state.awaited.get_mut(&child).filter(|awaited| awaited.restart != number) {
            awaited.starting = false;
            early = awaited.early.take();
        }
        // It would have been stopped for that: its messages wait, and the guest hears of its end.
        if let Some(mailbox) = early.as_mut().and_then(|exit| exit.mailbox.take()) {
            mailbox.expect_restart();
            state.held.entry(child).or_insert(mailbox);
        }
        drop(state);
        self.settled.notify_waiters();
        if let Some(exit) = early {
            callbacks::tell(&self.actor, exit);
        }
    }

    /// A child runs again, or its `init` declined.
    fn started(self: &Arc<Self>, tree: &Subtree, child: TheaterId, number: u64, runs: bool) {
        let mut state = self.lock();
        if !state.awaits(child, number) {
            // Stopped on purpose meanwhile, or another restart sees to it.
            if runs && !state.awaited.contains_key(&child) {
                drop(state);
                let tree = tree.clone();
                self.actor.spawn(async move {
                    // One that has ended by itself is stopped.
                    let _ = tree.stop(child, None, StoppedBy::ParentQuietly).await;
                });
            }
            return;
        }
        let awaited = state.awaited.remove(&child);
        if !runs {
            return state.declined(child);
        }
        state.engine.up(child);
        match awaited.and_then(|awaited| awaited.early) {
            Some(exit) => self.judge(state, exit),
            None => {
                drop(state);
                self.follow_events(child);
            }
        }
    }

    /// A start failed: that is an exit of its own, about which no callback is told.
    fn failed(
        self: &Arc<Self>,
        child: TheaterId,
        restart: &mut Restart,
        failed: FailedAttempt,
        known: Option<ActorProcess>,
    ) -> Option<Restart> {
        let mut state = self.lock();
        if !state.awaits(child, restart.number) {
            if let Some(mailbox) = failed.mailbox
                && state.awaited.contains_key(&child)
            {
                state.held.insert(child, mailbox);
            }
            return None;
        }
        if let Some(awaited) = state.awaited.get_mut(&child) {
            awaited.starting = false;
        }
        if let Some(mailbox) = failed.mailbox {
            mailbox.expect_restart();
            state.held.insert(child, mailbox);
        }
        match failed.error {
            SpawnError::ParentGone(_) | SpawnError::ShuttingDown => return None,
            SpawnError::Running(_) => {
                // An operator was first.
                state.cancel(child);
                state.has_left_cut(child);
                state.engine.up(child);
                return None;
            }
            _ => {}
        }
        let mut cause = Cause::Exit(Box::new(match failed.exit {
            Some(exit) => exit,
            None => self.no_incarnation(child, known, &failed.error.as_actor_error())?,
        }));
        let at_ms = self.actor.at_ms();
        if let SpawnError::Rejected { .. } = &failed.error {
            let decisions = state.engine.rejected(child, None, at_ms);
            self.carry_out(&mut state, &decisions, &mut cause);
            return None;
        }
        let Cause::Exit(exit) = &cause else { return None };
        let fact: Exit = fact(exit);
        let decisions = match state.engine.exited(&fact, at_ms, false) {
            Step::Decided(decisions) => decisions,
            Step::Link(scope) => {
                let members = state.members(child, scope);
                let number = self.begin(&mut state, &members.scope);
                drop(state);
                link::restart_together(self, members, number, cause, false);
                return None;
            }
            Step::Nothing | Step::Ask(_) => {
                state.cancel(child);
                return None;
            }
        };
        let next = self.carry_out(&mut state, &decisions, &mut cause);
        if next.is_none() {
            state.cancel(child);
        }
        next
    }

    /// The fact of a start that failed before an incarnation began.
    fn no_incarnation(&self, child: TheaterId, known: Option<ActorProcess>, error: &ActorError) -> Option<ChildExit> {
        let incarnation = known.as_ref().map_or(0, |known| known.incarnation) + 1;
        let name = known.map(|known| known.name).unwrap_or_default();
        let at_ms = self.actor.at_ms();
        let fact = self.actor.record_failed_start(child, incarnation, error)?;
        Some(ChildExit::of_failed_start(child, name, incarnation, ExitReason::Abnormal(error.clone()), at_ms, fact))
    }
}
