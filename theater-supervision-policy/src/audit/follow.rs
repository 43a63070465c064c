//! From a recorded decision to the fact that it is about, and to what follows from that.

use theater_chain::data::{ReasonRecord, SupervisionAction, SupervisionActionKind as Action};
use theater_chain::{ChainEvent, ChainStore, Digest, StoreError, Verdict};

use super::Seen;
use super::compare::compare;
use super::fact::{Fact, Message, What, exit};
use super::life::Life;
use super::recover::Recorded;
use crate::decision::{Decision, Step};
use crate::policy::StateChoice;

const ERASED: Seen =
    Seen::Blind("supervision_action: decisions by error rules, after an error that was erased or not kept");

impl Life {
    pub(super) async fn decision(
        &mut self,
        store: &dyn ChainStore,
        event: &ChainEvent,
        data: &SupervisionAction,
    ) -> Result<Seen, StoreError> {
        let mut seen = Seen::RIGHT;
        let is_next = |due: &Decision| due.actor == data.actor_id && due.error_hash == data.error_hash;
        if !self.due.front().is_some_and(is_next) {
            self.due.clear();
            seen = self.follow(store, data).await?;
            if !matches!(seen, Seen::Verdict(Verdict::Right | Verdict::Unchecked(_))) {
                return Ok(seen);
            }
        }
        self.decided_at_ms = self.decided_at_ms.max(data.at_ms);
        let Some(due) = self.due.pop_front() else {
            return Ok(Seen::wrong("nothing is to be decided on its fact"));
        };
        let new_state = if due.action == Action::Restart { new_state(&due, data) } else { None };
        self.last = Some(Recorded { decision: due.clone(), event: event.hash, data: data.clone() });
        let backoff = self.engine.policy().backoff;
        let record = due.record(backoff.as_ref(), event.parent_hash, new_state);
        if let Some(wrong) = compare(data, &record) {
            return Ok(wrong);
        }
        if due.action != Action::Restart {
            return Ok(seen);
        }
        self.note_cut(&due);
        // One that still ran may have gone on until it was stopped.
        let runs = self.of(due.actor).runs && due.cut.is_none() && due.state == StateChoice::Resume;
        let state = data.new_state_hash.filter(|_| !runs);
        match self.restarted(store, event, state, &due).await? {
            Seen::Verdict(Verdict::Right) => Ok(seen),
            found => Ok(found),
        }
    }

    /// What is due on the fact that this decision is about.
    async fn follow(&mut self, store: &dyn ChainStore, data: &SupervisionAction) -> Result<Seen, StoreError> {
        let (child, at_ms) = (data.actor_id, data.at_ms);
        let facts = self.open.entry(child).or_default();
        let place = facts.iter().position(|fact| fact.error_hash() == data.error_hash);
        let stale: Vec<Fact> = facts.drain(..place.unwrap_or(0)).collect();
        let fact = place.and_then(|_| facts.pop_front());
        if facts.is_empty() {
            self.open.remove(&child);
        }
        for fact in &stale {
            if let Seen::Blind(why) = self.absorb(store, fact).await? {
                return Ok(Seen::Blind(why));
            }
        }
        // Where `decide` might have been asked, a rule decides at the time of its fact.
        let before = self.decided_at_ms;
        let by_rule = data.rule.starts_with("errors[") && fact.as_ref().is_some_and(|fact| fact.at_ms() == at_ms);
        if at_ms < before && !by_rule {
            return Ok(Seen::wrong(format!("its at_ms is {at_ms}, before that of the decision before, {before}")));
        }
        if data.action == Action::Reject {
            return Ok(self.rejected(data, fact.as_ref()));
        }
        let Some(fact) = fact else {
            return Ok(Seen::wrong("no fact that is not decided on yet leads to it"));
        };
        if at_ms < fact.at_ms() {
            return Ok(Seen::wrong(format!("its at_ms is {at_ms}, before that of its fact, {}", fact.at_ms())));
        }
        if fact.asked && fact.answer.is_none() {
            return Ok(Seen::wrong("decide was asked about its fact, and had not answered"));
        }
        let runs = matches!(fact.what, What::Erred(_));
        self.deciding = Some(fact.subject());
        let known = self.of(child);
        (known.decided, known.runs) = (data.error_hash, runs);
        // Where `decide` answered, the engine was asked at the time of the fact.
        let asks = fact.answer.is_some();
        let Some(step) = self.step(store, &fact, if asks { fact.at_ms() } else { at_ms }, asks).await? else {
            return Ok(ERASED);
        };
        let step = match (step, fact.answer) {
            (Step::Ask(_), Some(answer)) => self.engine.answered(child, answer, at_ms),
            (step, _) => step,
        };
        match step {
            Step::Nothing | Step::Ask(_) => Ok(Seen::RIGHT),
            Step::Link(members) => self.linked(store, &members, data).await,
            Step::Decided(decisions) => {
                self.due = decisions.into();
                Ok(Seen::RIGHT)
            }
        }
    }

    /// A record that does not verify is found before any restart from it, and is no fact of the
    /// chain: what led there is.
    fn rejected(&mut self, data: &SupervisionAction, fact: Option<&Fact>) -> Seen {
        let is_known = |hash: Digest| self.known.values().any(|known| known.decided == Some(hash));
        if fact.is_none() && data.error_hash.is_some_and(|hash| !is_known(hash)) {
            return Seen::wrong("no restart was decided on the error that it names");
        }
        self.due = self.engine.rejected(data.actor_id, data.error_hash, data.at_ms).into();
        Seen::RIGHT
    }

    /// A fact that no decision followed from: errors are counted all the same.
    pub(super) async fn absorb(&mut self, store: &dyn ChainStore, fact: &Fact) -> Result<Seen, StoreError> {
        if !fact.asked && matches!(fact.what, What::Exited(_)) {
            return Ok(Seen::RIGHT); // the process ended before there was a decision
        }
        Ok(if self.step(store, fact, fact.at_ms(), true).await?.is_some() { Seen::RIGHT } else { ERASED })
    }

    /// What the engine says of a fact; `None`: that depends on what is not there any more.
    async fn step(
        &mut self,
        store: &dyn ChainStore,
        fact: &Fact,
        at_ms: u64,
        asks: bool,
    ) -> Result<Option<Step>, StoreError> {
        let child = fact.child();
        let failed = match &fact.what {
            What::Exited(data) => matches!(data.reason, ReasonRecord::Abnormal(_) | ReasonRecord::Killed(_)),
            What::Erred(_) => true,
        };
        let (mut name, mut message) = (String::new(), String::new());
        // Only the rules look at these.
        if failed && !self.engine.policy().errors.is_empty() {
            let near = self.of(child).anchored;
            match fact.message(store, near).await? {
                Message::Text(text) => message = text,
                Message::Lost | Message::Elsewhere => return Ok(None),
            }
            name = store.actor(child).await?.map(|entry| entry.index.name).unwrap_or_default();
        }
        Ok(Some(match &fact.what {
            What::Exited(data) => self.engine.exited(&exit(data, name, message), at_ms, asks),
            What::Erred(data) => self.engine.erred(child, &name, &message, data.error_hash, at_ms),
        }))
    }
}

/// The hash of the state that a restart gives its child, where the decision says which.
fn new_state(due: &Decision, data: &SupervisionAction) -> Option<Digest> {
    let given = data.new_state_hash?;
    let of_cut = due.cut.iter().flatten().find(|(member, ..)| *member == due.actor).map(|(.., state)| *state);
    let chosen = match &due.state {
        StateChoice::ResumeFrom(hash) => Some(*hash),
        StateChoice::Custom(bytes) => Some(Digest::of(bytes)),
        StateChoice::Reset | StateChoice::Resume => None,
    };
    Some(of_cut.or(chosen).unwrap_or(given))
}
