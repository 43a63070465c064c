//! The chains of many actors as one sequence in causal order: no event comes before one that led to
//! it. Apart from that the older comes first, then the actor with the smaller id.
//!
//! The order is that of Lamport's *happened before* (1978) over what the chains record: each chain's
//! own order, the sending of a message before its receipt, an answer before what was done with it,
//! a decision before the start that it led to, an end before the fact of it in the parent's chain, and
//! events before the anchor that covers them. It holds where the clock went back, too.
//!
//! A page of each chain is in memory, and the hashes of two; nothing else grows with the chains.

mod causes;
mod stream;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use theater::chain::data::{
    ActorErrorData, ActorStarted, ActorTerminated, AskedBy, CallReturned, ChildExited, DeadLetter, EventData as _,
    HostCallBegun, StateUpdated, SupervisionAction,
};
use theater::chain::{ActorEntry, ChainEvent, codec};
use theater::{ChainStore, Digest, TheaterId};

use self::causes::{Cause, causes};
use self::stream::{Stream, has_answer};
use crate::failure::Failure;

/// How many events of all chains together are in memory, about.
const EVENTS: usize = 16_384;

/// The longest and the shortest page of a chain.
const PAGE: (usize, usize) = (8, 256);

/// Chains that are merged.
pub(crate) struct Merge<'a> {
    store: &'a dyn ChainStore,
    page: usize,
    /// In the order of the actors' ids.
    streams: Vec<Stream>,
    by_id: HashMap<TheaterId, usize>,
    /// Where the events of the pages are: stream and seq.
    known: HashMap<Digest, (usize, u64)>,
    /// The streams whose next event waits for nothing: by time; at one time the end of a host call
    /// comes last, after what was done for it.
    ready: BinaryHeap<Reverse<(u64, bool, usize)>>,
    /// Of each stream those whose next event may wait for it.
    waiting: HashMap<usize, Vec<usize>>,
    /// The streams with these host calls under way.
    begun: HashMap<Digest, usize>,
    /// The streams whose next event is a start that these events led to.
    starts: HashMap<Digest, Vec<usize>>,
}

impl<'a> Merge<'a> {
    pub(crate) async fn open(store: &'a dyn ChainStore, actors: &[&ActorEntry]) -> Result<Self, Failure> {
        let page = (EVENTS / actors.len().max(1)).clamp(PAGE.0, PAGE.1);
        Self::with_pages(store, actors, page).await
    }

    async fn with_pages(store: &'a dyn ChainStore, actors: &[&ActorEntry], page: usize) -> Result<Self, Failure> {
        let mut streams: Vec<Stream> = actors.iter().map(|actor| Stream::new(actor)).collect();
        streams.sort_by_key(|stream| stream.id);
        let by_id = streams.iter().enumerate().map(|(at, stream)| (stream.id, at)).collect();
        let mut merge = Self {
            store,
            page,
            streams,
            by_id,
            known: HashMap::new(),
            ready: BinaryHeap::new(),
            waiting: HashMap::new(),
            begun: HashMap::new(),
            starts: HashMap::new(),
        };
        for at in 0..merge.streams.len() {
            merge.load(at).await?;
        }
        for at in 0..merge.streams.len() {
            merge.consider(at).await?;
        }
        Ok(merge)
    }

    /// The next event, and whose it is.
    pub(crate) async fn next(&mut self) -> Result<Option<(TheaterId, ChainEvent)>, Failure> {
        loop {
            let at = match self.ready.pop() {
                Some(Reverse((_, _, at))) => at,
                // What they wait for is in none of the chains: they are damaged.
                None => match self.oldest_waiting() {
                    Some(at) => {
                        self.streams[at].waits.clear();
                        self.streams[at].is_ready = true;
                        at
                    }
                    None => return Ok(None),
                },
            };
            let Some(event) = self.streams[at].page.pop_front() else { continue };
            self.give_out(at, &event).await?;
            return Ok(Some((self.streams[at].id, event)));
        }
    }

    fn oldest_waiting(&self) -> Option<usize> {
        let heads = self.streams.iter().enumerate();
        heads.filter_map(|(at, stream)| Some((stream.head()?.timestamp, at))).min().map(|(_, at)| at)
    }

    async fn give_out(&mut self, at: usize, event: &ChainEvent) -> Result<(), Failure> {
        self.follow(at, event)?;
        let stream = &mut self.streams[at];
        (stream.next, stream.is_ready) = (event.seq + 1, false);
        if stream.page.is_empty() {
            self.load(at).await?;
        }
        self.consider(at).await?;
        for waiter in self.waiting.remove(&at).unwrap_or_default() {
            self.place(waiter)?;
        }
        Ok(())
    }

    /// Keeps track of who waits for whose answer.
    fn follow(&mut self, at: usize, event: &ChainEvent) -> Result<(), Failure> {
        let answered = match event.event_type.as_ref() {
            StateUpdated::TYPE | CallReturned::TYPE | ActorErrorData::TYPE => self.streams[at].serves,
            DeadLetter::TYPE => codec::decode::<DeadLetter>(&event.data)?.cause,
            ActorStarted::TYPE => {
                let cause = codec::decode::<ActorStarted>(&event.data)?.parent_event;
                if let Some(cause) = cause {
                    self.starts.remove(&cause);
                    let above = self.begun.get(&cause).and_then(|above| self.streams[*above].begun.as_mut());
                    above.into_iter().for_each(|begun| begun.started.push(at));
                }
                None
            }
            _ => None,
        };
        let asker = answered.and_then(|hash| self.begun.get(&hash)).copied();
        if let Some(begun) = asker.and_then(|asker| self.streams[asker].begun.as_mut()) {
            begun.is_answered = true;
        }
        let before = self.streams[at].begun.as_ref().map(|begun| begun.hash);
        self.streams[at].note(event)?;
        let after = self.streams[at].begun.as_ref().map(|begun| begun.hash);
        if before != after {
            before.map(|hash| self.begun.remove(&hash));
            after.map(|hash| self.begun.insert(hash, at));
        }
        Ok(())
    }

    /// Reads the next page of a stream.
    async fn load(&mut self, at: usize) -> Result<(), Failure> {
        let stream = &mut self.streams[at];
        if stream.unread >= stream.end {
            return Ok(());
        }
        let page = self.store.events(stream.id, stream.unread, self.page).await?;
        let page: Vec<ChainEvent> = page.into_iter().take_while(|event| event.seq < stream.end).collect();
        stream.unread = page.last().map_or(stream.end, |last| last.seq + 1);
        for hash in std::mem::take(&mut stream.hashes[0]) {
            self.known.remove(&hash);
        }
        stream.hashes.swap(0, 1);
        for event in page {
            self.known.insert(event.hash, (at, event.seq));
            stream.hashes[1].push(event.hash);
            stream.page.push_back(event);
        }
        Ok(())
    }

    /// Finds out what the next event of a stream waits for.
    async fn consider(&mut self, at: usize) -> Result<(), Failure> {
        let Some(event) = self.streams[at].head() else { return Ok(()) };
        let found = causes(event)?;
        if event.event_type == ActorStarted::TYPE {
            for cause in &found {
                if let Cause::Of(_, hash) = cause {
                    self.starts.entry(*hash).or_default().push(at);
                }
            }
        }
        let mut waits = Vec::new();
        for cause in found {
            waits.extend(self.find(cause).await?.filter(|(stream, _)| *stream != at));
        }
        waits.extend(self.why_stopped(at).await?);
        self.streams[at].waits = waits;
        self.place(at)
    }

    /// What made a parent stop the actor whose end comes next. No event of the end names it; it is the
    /// newest in the parent's chain that asks for something, before the fact of that end.
    async fn why_stopped(&self, at: usize) -> Result<Option<(usize, u64)>, Failure> {
        let stream = &self.streams[at];
        let Some(end) = stream.head().filter(|event| event.event_type == ActorTerminated::TYPE) else {
            return Ok(None);
        };
        let Some(above) = stream.parent.and_then(|parent| self.by_id.get(&parent)).copied() else { return Ok(None) };
        // It is looked for where it is, if it is close.
        let parent = &self.streams[above];
        let more = self.store.events(parent.id, parent.unread, PAGE.1).await?;
        let mut asked = None;
        for event in parent.page.iter().chain(&more).take_while(|event| event.seq < parent.end) {
            match event.event_type.as_ref() {
                SupervisionAction::TYPE | HostCallBegun::TYPE | ActorErrorData::TYPE => asked = Some(event.seq),
                ChildExited::TYPE => {
                    let exited: ChildExited = codec::decode(&event.data)?;
                    if exited.error_hash == end.hash {
                        return Ok(asked.filter(|_| exited.asked_by == AskedBy::Parent).map(|seq| (above, seq)));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Where a cause is, if it is in a chain that is merged and may still come.
    async fn find(&self, cause: Cause) -> Result<Option<(usize, u64)>, Failure> {
        let stream = |actor| self.by_id.get(actor).copied().filter(|at| self.streams[*at].next < self.streams[*at].end);
        match &cause {
            Cause::At(actor, seq) => Ok(stream(actor).map(|at| (at, (*seq).min(self.streams[at].end - 1)))),
            Cause::Somewhere(hash) => Ok(self.known.get(hash).copied()),
            Cause::Of(actor, hash) => match stream(actor) {
                Some(at) => self.find_hash(at, hash).await,
                None => Ok(None),
            },
            Cause::EndOf(actor, hash) => {
                let Some(at) = stream(actor) else { return Ok(None) };
                let Some((_, seq)) = self.find_hash(at, hash).await? else { return Ok(None) };
                self.scan(at, seq, |event| (event.event_type == ActorTerminated::TYPE).then_some(true)).await
            }
            Cause::InTurn(actor, seq, hash) => {
                let Some(at) = stream(actor) else { return Ok(None) };
                // A turn that began before what is in memory and ended there or earlier is over.
                let page = &self.streams[at].page;
                let is_over = page.front().is_some_and(|first| *seq < first.seq) && page.iter().any(ends_turn);
                match self.known.get(hash) {
                    Some(known) => Ok(Some(*known)),
                    None if is_over => Ok(None),
                    None => {
                        let stop = |event: &ChainEvent| {
                            if event.hash == *hash { Some(true) } else { ends_turn(event).then_some(false) }
                        };
                        self.scan(at, *seq, stop).await
                    }
                }
            }
        }
    }

    /// Where the event with this hash is in a chain, unless it came long ago.
    async fn find_hash(&self, at: usize, hash: &Digest) -> Result<Option<(usize, u64)>, Failure> {
        match self.known.get(hash) {
            Some(known) => Ok(Some(*known)),
            None => self.scan(at, self.streams[at].unread, |event| (event.hash == *hash).then_some(true)).await,
        }
    }

    /// The first event from `from` on of which `stop` says whether it is the one.
    async fn scan(
        &self,
        at: usize,
        from: u64,
        stop: impl Fn(&ChainEvent) -> Option<bool>,
    ) -> Result<Option<(usize, u64)>, Failure> {
        let stream = &self.streams[at];
        let (mut next, mut length) = (from, PAGE.0);
        while next < stream.end {
            let page = self.store.events(stream.id, next, length).await?;
            let Some(last) = page.last() else { break };
            (next, length) = (last.seq + 1, PAGE.1);
            if let Some((event, is_it)) = page.iter().find_map(|event| Some((event, stop(event)?))) {
                return Ok(Some((at, event.seq)).filter(|_| is_it));
            }
        }
        Ok(None)
    }

    /// Puts the next event of a stream where it belongs: among those that may come, or behind a
    /// stream for which it waits.
    fn place(&mut self, at: usize) -> Result<(), Failure> {
        let streams = &self.streams;
        let Some(event) = streams[at].head().filter(|_| !streams[at].is_ready) else { return Ok(()) };
        let (timestamp, is_late) = (event.timestamp, streams[at].ends_host_call());
        let before = streams[at].waits.iter().find(|(stream, seq)| streams[*stream].next <= *seq);
        let before = match before {
            Some((stream, _)) => Some(*stream),
            None if is_late => self.answers(at, event)?,
            None => None,
        };
        match before {
            Some(stream) => self.waiting.entry(stream).or_default().push(at),
            None => {
                self.streams[at].is_ready = true;
                self.ready.push(Reverse((timestamp, is_late, at)));
            }
        }
        Ok(())
    }

    /// The stream that has yet to do what a host call waited for.
    fn answers(&self, at: usize, event: &ChainEvent) -> Result<Option<usize>, Failure> {
        let Some(begun) = &self.streams[at].begun else { return Ok(None) };
        // One that gave up waiting came before what it waited for.
        let is_older =
            |stream: &usize| self.streams[*stream].head().is_some_and(|head| head.timestamp <= event.timestamp);
        let asked = begun.asks.filter(|_| !begun.is_answered).and_then(|asked| self.by_id.get(&asked)).copied();
        if let Some(asked) = asked.filter(|asked| *asked != at && self.streams[*asked].head().is_some())
            && (is_older(&asked) || has_answer(event)?)
        {
            return Ok(Some(asked));
        }
        if let Some(starts) = self.starts.get(&begun.hash).and_then(|starts| starts.iter().find(|at| is_older(at))) {
            return Ok(Some(*starts));
        }
        for child in begun.started.iter().filter(|child| is_older(child)) {
            if self.streams[*child].is_starting()? {
                return Ok(Some(*child));
            }
        }
        Ok(None)
    }
}

fn ends_turn(event: &ChainEvent) -> bool {
    matches!(event.event_type.as_ref(), StateUpdated::TYPE | CallReturned::TYPE | ActorErrorData::TYPE)
}

#[cfg(test)]
mod tests;
