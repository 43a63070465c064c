//! The search itself: from the last committed calls backwards, until nothing has to be undone any
//! more. It reads nothing; where it needs more of a history it says so, and goes on when it is there.

use std::collections::HashMap;

use theater_chain::{Digest, TheaterId};

use super::fact::{End, Entry, To};
use super::history::History;
use super::origin::{Origin, Sent};
use super::transition::{MessageOut, Transition};
use super::{Cut, NoCut};

/// Why the search does not go on.
pub(super) enum Stop {
    NoCut(NoCut),
    /// Earlier events of a member are needed.
    Need(Need),
}

/// Which events are needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    pub(super) member: usize,
    /// Also those behind the start of its incarnation.
    pub(super) behind: bool,
    /// To find a message, so that knowing which ones wait helps.
    pub(super) message: bool,
}

/// What is undone so far.
pub(super) struct Fixpoint {
    pub(super) histories: Vec<History>,
    places: HashMap<TheaterId, usize>,
    /// For each member the seq from which on its calls are no part of the cut.
    bounds: Vec<u64>,
    /// For each member the seq from which on the consequences of that were followed.
    followed: Vec<u64>,
    /// How many members have their first bound.
    begun: usize,
}

impl Fixpoint {
    pub(super) fn new(histories: Vec<History>) -> Self {
        let places = histories.iter().enumerate().map(|(place, history)| (history.id, place)).collect();
        let bounds: Vec<u64> = histories.iter().map(|history| history.until).collect();
        Self { histories, places, followed: bounds.clone(), bounds, begun: 0 }
    }

    /// Goes on until there is a cut, or none, or something is needed.
    pub(super) fn run(&mut self) -> Result<Cut, Stop> {
        while self.begun < self.histories.len() {
            self.begin(self.begun)?;
            self.begun += 1;
        }
        while let Some(member) = (0..self.bounds.len()).find(|member| self.bounds[*member] < self.followed[*member]) {
            self.follow_one(member)?;
        }
        self.cut()
    }

    /// A call that did not commit is no part of any cut.
    fn begin(&mut self, member: usize) -> Result<(), Stop> {
        let history = &self.histories[member];
        match history.last_of_life(history.until) {
            Some(call) if call.committed().is_none() => self.bounds[member] = call.seq,
            Some(_) => {}
            None if history.is_whole() => {}
            None => return Err(self.earlier(member)),
        }
        Ok(())
    }

    /// Follows the newest call of a member that is out of the cut and was not followed yet.
    fn follow_one(&mut self, member: usize) -> Result<(), Stop> {
        let history = &self.histories[member];
        let bound = self.bounds[member];
        let call = history.last_of_life(self.followed[member]).filter(|call| call.seq >= bound);
        let Some(call) = call else {
            self.followed[member] = bound;
            return Ok(());
        };
        let seq = call.seq;
        // Nothing changes before all of it is known: so the order, and with it the sentence of a
        // refusal, does not depend on how much was read at once.
        for (other, from) in self.consequences(member, call)? {
            self.bounds[other] = self.bounds[other].min(from);
        }
        self.followed[member] = seq;
        Ok(())
    }

    /// The calls of which it follows from this one, that they are no part of the cut either.
    fn consequences(&self, member: usize, call: &Transition) -> Result<Vec<(usize, u64)>, Stop> {
        let mut consequences = Vec::new();
        if call.committed().is_some() {
            self.may_be_undone(member, call)?;
            if let Origin::Actor(sent) = call.origin
                && let Some(sender) = self.places.get(&sent.actor)
                && call.entry != Entry::Send
                && self.keeps(*sender, sent.call)
                && self.consumed(member, call, *sender, &sent)?
            {
                consequences.push((*sender, sent.call));
            }
        }
        for message in call.left() {
            let receiver = match message.to {
                To::Nobody => continue,
                To::Erased => return Err(no_cut(&self.histories[member], call.seq, &erased(message))),
                To::Actor(id) => self.places.get(&id),
            };
            let sent = Sent { actor: self.histories[member].id, call: call.seq, ordinal: message.ordinal };
            match receiver {
                Some(receiver) => {
                    if let Some(seq) = self.received(member, *receiver, &sent)? {
                        consequences.push((*receiver, seq));
                    }
                }
                None if call.committed().is_some() => {
                    return Err(no_cut(&self.histories[member], call.seq, &left_group(message)));
                }
                // What a call that failed has done outside stays done, in every kind of restart.
                None => {}
            }
        }
        Ok(consequences)
    }

    /// A committed call can be undone unless something of it has left the group.
    fn may_be_undone(&self, member: usize, call: &Transition) -> Result<(), Stop> {
        let refused = |reason: String| Err(no_cut(&self.histories[member], call.seq, &reason));
        if call.entry == Entry::Init {
            return refused("would have to be undone, and it is the init that its incarnation began with".into());
        }
        if let Some(name) = &call.wrote {
            return refused(format!("would have to be undone, and its {name} has had an effect outside of the group"));
        }
        let from = match call.origin {
            _ if call.entry == Entry::Send => return Ok(()),
            Origin::Outside => "from outside".to_owned(),
            Origin::Actor(sent) if !self.places.contains_key(&sent.actor) => {
                format!("of actor {}, which is not in the group", sent.actor)
            }
            Origin::Runtime | Origin::Actor(_) => return Ok(()),
        };
        refused(format!("would have to be undone, and it has answered a request {from}"))
    }

    /// Whether the sender's call used the answer of this one: it must be undone with it then.
    fn consumed(&self, member: usize, call: &Transition, sender: usize, sent: &Sent) -> Result<bool, Stop> {
        let history = &self.histories[sender];
        let behind = history.is_behind(sent.call);
        if behind && self.same_start(member, sender)? {
            return Ok(false); // delivered again after a restart of both: nobody waited any more
        }
        if sent.call < history.from {
            return Err(self.need(Need { member: sender, behind, message: false }));
        }
        let Some(asked) = history.at(sent.call) else {
            let reason = format!("answered a request of a call that actor {} has not recorded", sent.actor);
            return Err(no_cut(&self.histories[member], call.seq, &reason));
        };
        let message = asked.messages.iter().find(|message| message.ordinal == sent.ordinal);
        let given_up = message.is_some_and(|message| message.ok == Some(false));
        let answered = matches!(call.end, End::Committed { answered: true, .. });
        // An err may be an answer or a deadline; of an answer that was ok it can only be a deadline.
        if asked.committed().is_none() || (given_up && answered) {
            return Ok(false);
        }
        if behind {
            return Err(no_cut(history, sent.call, BEHIND));
        }
        Ok(true)
    }

    /// The receiver's call that a message led to.
    fn received(&self, sender: usize, receiver: usize, sent: &Sent) -> Result<Option<u64>, Stop> {
        let history = &self.histories[receiver];
        let call = history.call_with(sent);
        if let Some(seq) = call.filter(|seq| !history.is_behind(*seq)) {
            return Ok(Some(seq));
        }
        if history.not_begun(sent) {
            return Ok(None);
        }
        if !history.is_whole() {
            return Err(self.need(Need { member: receiver, behind: false, message: true }));
        }
        let first = history.start.is_some_and(|start| start.incarnation == 1);
        if first || self.same_start(sender, receiver)? {
            return Ok(None); // the receiver's earlier lives were over when the sender's began
        }
        match call.and_then(|seq| history.at(seq)) {
            Some(call) if call.committed().is_some() => Err(no_cut(history, call.seq, BEHIND)),
            Some(_) => Ok(None),
            None if history.from == 0 => Ok(None),
            None => Err(self.need(Need { member: receiver, behind: true, message: true })),
        }
    }

    /// Whether one decision started both, so that neither knows the other's earlier lives but by
    /// messages that were delivered again.
    fn same_start(&self, one: usize, other: usize) -> Result<bool, Stop> {
        let event = |member: usize| match self.histories[member].start {
            Some(start) => Ok(start.parent_event),
            None => Err(self.earlier(member)),
        };
        let event_of_one = event(one)?;
        Ok(event_of_one == event(other)? && event_of_one.is_some())
    }

    fn keeps(&self, member: usize, call: u64) -> bool {
        call < self.bounds[member]
    }

    fn earlier(&self, member: usize) -> Stop {
        self.need(Need { member, behind: false, message: false })
    }

    fn need(&self, need: Need) -> Stop {
        let history = &self.histories[need.member];
        if !history.is_exhausted() {
            return Stop::Need(need);
        }
        let (seq, reason) = match &history.unreadable {
            Some(reason) => (history.from - 1, format!("is needed and cannot be read: {reason}")),
            None => (history.from, "is the first one that the store keeps, and earlier ones are needed".to_owned()),
        };
        Stop::NoCut(NoCut { member: history.id, seq, reason: format!("event {seq} {reason}") })
    }

    fn cut(&self) -> Result<Cut, Stop> {
        let mut cut = Cut::default();
        for member in 0..self.histories.len() {
            let history = &self.histories[member];
            let (seq, state) = self.last_kept(member)?;
            cut.members.push((history.id, seq, state));
            for call in history.calls_from(self.bounds[member]) {
                let again = match call.origin {
                    Origin::Runtime => false,
                    Origin::Outside => call.entry == Entry::Send,
                    Origin::Actor(sent) => match self.places.get(&sent.actor) {
                        Some(sender) => self.keeps(*sender, sent.call),
                        None => call.entry == Entry::Send,
                    },
                };
                if call.committed().is_some() {
                    cut.undone.entry(history.id).or_default().push(call.seq);
                    if again {
                        cut.redeliver.entry(history.id).or_default().push(call.seq);
                    }
                } else if again && call.entry == Entry::Send && call.end != (End::Failed { killed: false }) {
                    cut.interrupted.insert(history.id, call.seq);
                }
            }
        }
        Ok(cut)
    }

    /// The last event of a member's part and the state after it.
    fn last_kept(&self, member: usize) -> Result<(u64, Digest), Stop> {
        let history = &self.histories[member];
        if let Some(kept) = history.last_of_life(self.bounds[member]).and_then(Transition::committed) {
            return Ok(kept);
        }
        match history.start {
            Some(start) if history.is_whole() && start.reset => Err(no_start(
                history.id,
                start.seq,
                "its init has not committed, so that there is no state to go back to",
            )),
            Some(start) if history.is_whole() => Ok((start.seq, start.state)),
            _ => Err(self.earlier(member)),
        }
    }
}

const BEHIND: &str = "would have to be undone, and it lies before the start of its incarnation";

fn no_cut(history: &History, call: u64, reason: &str) -> Stop {
    Stop::NoCut(NoCut { member: history.id, seq: call, reason: format!("call {call} {reason}") })
}

fn no_start(member: TheaterId, seq: u64, reason: &str) -> Stop {
    Stop::NoCut(NoCut { member, seq, reason: format!("event {seq} starts it, and {reason}") })
}

fn erased(message: &MessageOut) -> String {
    format!("is no part of it, and to whom host call {} went was erased", message.ordinal)
}

fn left_group(message: &MessageOut) -> String {
    let kind = if message.request { "request" } else { "message" };
    let ordinal = message.ordinal;
    format!("would have to be undone, and its {kind} (host call {ordinal}) went to an actor outside of the group")
}
