//! What is known of one member: its calls, the newest first, as far back as they were read.

use std::collections::{HashMap, HashSet, VecDeque};

use theater_chain::TheaterId;

use super::fact::{End, Fact, Hosted, Start};
use super::origin::{Origin, Sent};
use super::transition::Transition;

/// The end of a member's chain.
#[derive(Debug)]
pub(super) struct History {
    pub(super) id: TheaterId,
    /// Events from here on are left out.
    pub(super) until: u64,
    /// Events from here on are known.
    pub(super) from: u64,
    /// The store keeps events from here on.
    pub(super) kept_from: u64,
    /// The start of the incarnation, as soon as it is known: calls before it lie behind it.
    pub(super) start: Option<Start>,
    /// Messages that the store says are not begun.
    pub(super) waiting: HashSet<Sent>,
    calls: VecDeque<Transition>,
    begun: HashMap<Sent, u64>,
    dead: HashSet<Sent>,
    /// Of the call that lies across the front.
    tail: Tail,
    /// Why the event before [`History::from`] could not be read.
    pub(super) unreadable: Option<String>,
}

/// The events of a call whose `call` was not read yet.
#[derive(Debug, Default)]
struct Tail {
    end: Option<End>,
    hosted: Vec<Hosted>,
}

impl History {
    pub(super) fn new(id: TheaterId, until: u64, kept_from: u64, start: Option<Start>) -> Self {
        Self {
            id,
            until,
            from: until,
            kept_from: kept_from.min(until),
            start,
            waiting: HashSet::new(),
            calls: VecDeque::new(),
            begun: HashMap::new(),
            dead: HashSet::new(),
            tail: Tail::default(),
            unreadable: None,
        }
    }

    /// Puts what was read in front of what is known: the events from `from` on, in their order.
    /// The start of the incarnation ends it, unless that is known already.
    pub(super) fn prepend(&mut self, from: u64, facts: Vec<(u64, Fact)>) {
        for (seq, fact) in facts.into_iter().rev() {
            match fact {
                Fact::Started(start) => {
                    self.tail = Tail::default();
                    if self.start.is_none() {
                        self.start = Some(start);
                        self.from = seq;
                        return;
                    }
                }
                Fact::Call { origin, entry } => {
                    let Tail { end, hosted } = std::mem::take(&mut self.tail);
                    if let Origin::Actor(sent) = origin {
                        self.begun.entry(sent).or_insert(seq);
                    }
                    self.calls.push_front(Transition::new(seq, origin, entry, end.unwrap_or(End::Open), hosted));
                }
                // An error after the end of a call, as of an escalation, is no end of it.
                Fact::Ended(end) => self.tail = Tail { end: Some(end), hosted: Vec::new() },
                Fact::HostCall(hosted) => self.tail.hosted.push(hosted),
                Fact::HostCallBegun(begun) => self.tail.begun(begun),
                Fact::DeadLetter(Origin::Actor(sent)) => {
                    self.dead.insert(sent);
                }
                Fact::DeadLetter(_) => {}
                Fact::Unreadable(reason) => {
                    // Nothing before it counts, and whoever needs it is told.
                    (self.from, self.kept_from) = (seq + 1, seq + 1);
                    self.unreadable = Some(reason);
                    return;
                }
            }
        }
        self.from = from;
    }

    /// The whole incarnation is known.
    pub(super) fn is_whole(&self) -> bool {
        self.start.is_some_and(|start| self.from <= start.seq)
    }

    /// There is nothing more to read.
    pub(super) fn is_exhausted(&self) -> bool {
        self.from <= self.kept_from
    }

    /// Whether a call lies behind the start.
    pub(super) fn is_behind(&self, call: u64) -> bool {
        self.start.is_some_and(|start| call < start.seq)
    }

    /// The call at this seq.
    pub(super) fn at(&self, seq: u64) -> Option<&Transition> {
        self.last_before(seq.checked_add(1)?).filter(|call| call.seq == seq)
    }

    /// The newest known call before this seq.
    pub(super) fn last_before(&self, seq: u64) -> Option<&Transition> {
        let place = self.calls.partition_point(|call| call.seq < seq);
        self.calls.get(place.checked_sub(1)?)
    }

    /// The newest call of the incarnation before this seq, among those known.
    pub(super) fn last_of_life(&self, before: u64) -> Option<&Transition> {
        self.last_before(before).filter(|call| !self.is_behind(call.seq))
    }

    /// The calls from this seq on, in their order.
    pub(super) fn calls_from(&self, seq: u64) -> impl Iterator<Item = &Transition> {
        let place = self.calls.partition_point(|call| call.seq < seq);
        self.calls.range(place..)
    }

    /// The newest call that delivered this message, among those known.
    pub(super) fn call_with(&self, message: &Sent) -> Option<u64> {
        self.begun.get(message).copied()
    }

    /// Whether this message is known not to have been begun.
    pub(super) fn not_begun(&self, message: &Sent) -> bool {
        self.dead.contains(message) || self.waiting.contains(message)
    }
}

impl Tail {
    /// The params of a host call are in the event with which it began.
    fn begun(&mut self, begun: Hosted) {
        match self.hosted.last_mut() {
            Some(ended) if ended.ordinal == begun.ordinal => ended.to = begun.to,
            _ => self.hosted.push(begun),
        }
    }
}
