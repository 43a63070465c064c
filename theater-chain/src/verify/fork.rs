//! Whether a fork begins as the actor that it was forked from: at an event that is there, with the
//! state of that moment, and with the call that was open then.

use std::collections::VecDeque;

use super::child::{Halt, fault};
use super::report::Sentences;
use crate::codec::DecodeError;
use crate::data::{ActorForked, Call, Data, EventData as _, HostCall, HostCallBegun};
use crate::payload::field;
use crate::scan::{self, Reader, Token};
use crate::standing::{Doing, Standing};
use crate::{ChainEvent, ChainStore, StoreError};

/// MessagePack's nil: no results.
const NIL: &[u8] = &[0xc0];

/// How many events are read at once.
const PAGE: usize = 64;

const NOT_THERE: &str =
    "actor_forked: that a fork begins as the actor that it was forked from, whose chain is not here";

/// What the first events of a chain must be, where it is that of a fork.
#[derive(Debug, Default)]
pub(super) struct Fork {
    origin: Option<Origin>,
}

/// What is taken over from the actor that was forked.
#[derive(Debug)]
struct Origin {
    forked: ActorForked,
    answer: Option<Vec<u8>>,
    /// Until the fork has started.
    standing: Option<Box<Standing>>,
    /// The next event to look at for the call that begins again, and the one after the last.
    next: u64,
    end: u64,
    page: VecDeque<ChainEvent>,
}

impl Fork {
    /// Checks an event of the chain.
    pub(super) async fn check(
        &mut self,
        store: &dyn ChainStore,
        event: &ChainEvent,
        data: &Data,
        unchecked: &mut Sentences,
    ) -> Result<Result<(), String>, StoreError> {
        match self.event(store, event, data, unchecked).await {
            Ok(()) => Ok(Ok(())),
            Err(Halt::Fault(reason)) => Ok(Err(reason)),
            Err(Halt::Store(error)) => Err(error),
        }
    }

    async fn event(
        &mut self,
        store: &dyn ChainStore,
        event: &ChainEvent,
        data: &Data,
        unchecked: &mut Sentences,
    ) -> Result<(), Halt> {
        if let Data::ActorForked(forked) = data {
            self.origin = Origin::read(store, event, forked, unchecked).await?;
            return Ok(());
        }
        let Some(origin) = &mut self.origin else { return Ok(()) };
        match data {
            Data::ActorStarted(start) => {
                let Some(standing) = origin.standing.take() else { return Ok(()) };
                let of = origin.forked.of;
                if start.state_hash != standing.state {
                    return fault(format!("it begins with another state than {of} had"));
                }
                if start.component != origin.forked.component.unwrap_or(standing.component) {
                    return fault("its component is not the one that the fork names".to_owned());
                }
                if start.manifest != standing.start.manifest {
                    return fault(format!("its manifest is not that of {of}"));
                }
            }
            Data::Call(_) | Data::HostCallBegun(_) | Data::HostCall(_) => match origin.next(store).await? {
                Some(old) => origin.compare(&old, event, unchecked)?,
                None => self.origin = None,
            },
            Data::CallReturned(_) | Data::StateUpdated(_) => {
                if let Some(old) = origin.next(store).await? {
                    return fault(format!(
                        "the call ends, and event {} of {}, which the fork took over, is not in it",
                        old.seq, origin.forked.of
                    ));
                }
                self.origin = None;
            }
            // It failed before it was where it began.
            Data::ActorErrorData(_) | Data::ActorTerminated(_) => self.origin = None,
            _ => {}
        }
        Ok(())
    }
}

impl Origin {
    async fn read(
        store: &dyn ChainStore,
        event: &ChainEvent,
        forked: &ActorForked,
        unchecked: &mut Sentences,
    ) -> Result<Option<Self>, Halt> {
        let (of, at) = (forked.of, forked.at);
        let Some(entry) = store.actor(of).await? else {
            unchecked.add(NOT_THERE);
            return Ok(None);
        };
        if at > entry.head.seq {
            return fault(format!(
                "it is a fork of {of} at event {at}, and that chain ends at event {}",
                entry.head.seq
            ));
        }
        if at < store.kept_from(of).await? {
            unchecked.add(NOT_THERE);
            return Ok(None);
        }
        let Some(standing) = Standing::read(store, of, at).await? else {
            unchecked.add(NOT_THERE);
            return Ok(None);
        };
        if standing.event.hash != forked.head || standing.event.computed_hash() != forked.head {
            return fault(format!("event {at} of {of} is not the one that the fork names"));
        }
        let next = match standing.doing {
            Doing::Calling { seq, .. } => seq,
            Doing::Starting | Doing::Nothing => at + 1,
        };
        let answer = match &event.payload {
            Some(payload) => field(payload.bytes(), "result").map_err(|error| Halt::Fault(error.to_string()))?,
            None => None,
        };
        if forked.answer.is_some() && event.payload.is_none() && !event.is_erased() {
            return fault("it names an answer that was exchanged, and has none".to_owned());
        }
        Ok(Some(Self {
            forked: forked.clone(),
            // A function may answer nothing.
            answer: event.payload.as_ref().map(|_| answer.unwrap_or(NIL).to_vec()),
            standing: Some(Box::new(standing)),
            next,
            end: at + 1,
            page: VecDeque::new(),
        }))
    }

    /// The next event of the call that the fork takes over: the call, and the host calls that had
    /// ended.
    async fn next(&mut self, store: &dyn ChainStore) -> Result<Option<ChainEvent>, Halt> {
        while let Some(event) = self.look_ahead(store).await? {
            self.page.pop_front();
            self.next = event.seq + 1;
            match &*event.event_type {
                Call::TYPE | HostCall::TYPE => return Ok(Some(event)),
                HostCallBegun::TYPE if self.ends(store).await? => return Ok(Some(event)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Whether the host call that has begun ends in what the fork takes over.
    async fn ends(&mut self, store: &dyn ChainStore) -> Result<bool, Halt> {
        while let Some(event) = self.look_ahead(store).await? {
            if event.event_type == HostCall::TYPE {
                return Ok(true);
            }
            self.page.pop_front();
            self.next = event.seq + 1;
        }
        Ok(false)
    }

    async fn look_ahead(&mut self, store: &dyn ChainStore) -> Result<Option<ChainEvent>, Halt> {
        if self.page.is_empty() && self.next < self.end {
            let due = usize::try_from(self.end - self.next).unwrap_or(PAGE).min(PAGE);
            self.page = store.events(self.forked.of, self.next, due).await?.into();
        }
        Ok(self.page.front().filter(|event| event.seq < self.end).cloned())
    }

    fn compare(&self, old: &ChainEvent, new: &ChainEvent, unchecked: &mut Sentences) -> Result<(), Halt> {
        let same = if self.forked.answer == Some(old.seq) {
            self.is_exchanged(old, new, unchecked)?
        } else {
            old.event_type == new.event_type
                && self.says_the_same(old, new)?
                && old.payload_commit == new.payload_commit
        };
        if same {
            return Ok(());
        }
        fault(format!("it is not event {} of {}, which the fork took over", old.seq, self.forked.of))
    }

    /// Whether two events have the same data; another component may name interfaces by other versions.
    fn says_the_same(&self, old: &ChainEvent, new: &ChainEvent) -> Result<bool, Halt> {
        if old.data == new.data || self.forked.component.is_none() {
            return Ok(old.data == new.data);
        }
        let unversioned = |event: &ChainEvent| -> Result<Vec<(String, Vec<u8>)>, DecodeError> {
            let fields = scan::fields(&event.data)?.into_iter();
            let bare = |(name, value): (&str, &[u8])| {
                let value = match Reader::new(value).token() {
                    Ok(Token::Text(text)) if name == "interface" => text.split('@').next().unwrap_or(text).into(),
                    _ => value.to_vec(),
                };
                (name.to_owned(), value)
            };
            Ok(fields.map(bare).collect())
        };
        let read = |error: DecodeError| Halt::Fault(error.to_string());
        Ok(unversioned(old).map_err(read)? == unversioned(new).map_err(read)?)
    }

    /// Whether an event is the one of before, but for its answer, which is the one of the fork.
    fn is_exchanged(&self, old: &ChainEvent, new: &ChainEvent, unchecked: &mut Sentences) -> Result<bool, Halt> {
        if old.event_type != HostCall::TYPE || new.event_type != HostCall::TYPE {
            return Ok(false);
        }
        let read = |error: DecodeError| Halt::Fault(error.to_string());
        let (was, is) = (HostCall::decode(&old.data).map_err(read)?, HostCall::decode(&new.data).map_err(read)?);
        let bare = |interface: &str| interface.split('@').next().map(str::to_owned);
        if (was.ordinal, bare(&was.interface), &was.function, was.effect)
            != (is.ordinal, bare(&is.interface), &is.function, is.effect)
        {
            return Ok(false);
        }
        let (Some(before), Some(after), Some(answer)) = (&old.payload, &new.payload, &self.answer) else {
            unchecked.add("actor_forked: an exchanged answer, of which a payload was erased");
            return Ok(true);
        };
        for name in ["params", "params_digest"] {
            if field(before.bytes(), name).map_err(read)? != field(after.bytes(), name).map_err(read)? {
                return Ok(false);
            }
        }
        Ok(field(after.bytes(), "result").map_err(read)?.unwrap_or(NIL) == answer)
    }
}
