//! Reading the members' chains backwards, in windows, as far as the search needs them.

use theater_chain::data::{ActorStarted, EventData};
use theater_chain::{ChainStore, StoreError};

use super::fact::{self, Fact, Start};
use super::fixpoint::{Fixpoint, Need, Stop};
use super::history::History;
use super::origin::Origin;
use super::{Cut, Member, NoCut};

/// How many events a window has at most.
const MAX_WINDOW: u64 = 4096;

/// How many waiting messages of a member are looked at.
const MAX_WAITING: usize = 1024;

/// A chain that is no longer read than needed.
struct Source {
    /// The next window.
    window: u64,
    /// The member ends with its chain, so that what waits in the store waits for it.
    live: bool,
}

/// Reads and searches in turns.
pub(super) async fn search(
    store: &dyn ChainStore,
    members: &[Member],
    window: u64,
) -> Result<Result<Cut, NoCut>, StoreError> {
    let (mut histories, mut sources) = (Vec::new(), Vec::new());
    for member in members {
        match open(store, member).await? {
            Ok(history) => histories.push(history),
            Err(no_cut) => return Ok(Err(no_cut)),
        }
        sources.push(Source { window: window.max(1), live: member.until.is_none() });
    }
    let mut fixpoint = Fixpoint::new(histories);
    loop {
        let need = match fixpoint.run() {
            Ok(cut) => return Ok(Ok(cut)),
            Err(Stop::NoCut(no_cut)) => return Ok(Err(no_cut)),
            Err(Stop::Need(need)) => need,
        };
        let (history, source) = (&mut fixpoint.histories[need.member], &mut sources[need.member]);
        if need.message && std::mem::take(&mut source.live) {
            wait(store, history).await?;
        } else {
            extend(store, history, source, need).await?;
        }
    }
}

async fn open(store: &dyn ChainStore, member: &Member) -> Result<Result<History, NoCut>, StoreError> {
    let nothing = || NoCut { member: member.id, seq: 0, reason: "no incarnation is recorded".into() };
    let Some(entry) = store.actor(member.id).await? else { return Ok(Err(nothing())) };
    let end = entry.head.seq + 1;
    let until = member.until.map_or(end, |until| until.min(end));
    if until == 0 {
        return Ok(Err(nothing()));
    }
    let start = match entry.index.started < until {
        true => start_at(store, member, entry.index.started).await?,
        false => None,
    };
    Ok(Ok(History::new(member.id, until, store.kept_from(member.id).await?, start)))
}

/// The start that the index names; `None` where it is not kept, which is found out later.
async fn start_at(store: &dyn ChainStore, member: &Member, seq: u64) -> Result<Option<Start>, StoreError> {
    let page = store.events(member.id, seq, 1).await?;
    let event = page.first().filter(|event| event.seq == seq && event.event_type == ActorStarted::TYPE);
    Ok(event.and_then(|event| fact::started(event).ok()))
}

/// Which messages wait for a member.
async fn wait(store: &dyn ChainStore, history: &mut History) -> Result<(), StoreError> {
    for message in store.pending(Some(history.id), MAX_WAITING).await? {
        if let Origin::Actor(sent) = Origin::of(Some(&message.message_id)) {
            history.waiting.insert(sent);
        }
    }
    Ok(())
}

/// One window more.
async fn extend(
    store: &dyn ChainStore,
    history: &mut History,
    source: &mut Source,
    need: Need,
) -> Result<(), StoreError> {
    let lowest = history.start.filter(|_| !need.behind).map_or(0, |start| start.seq).max(history.kept_from);
    let from = history.from.saturating_sub(source.window).max(lowest);
    source.window = source.window.saturating_mul(2).min(MAX_WINDOW.max(source.window));
    let mut facts: Vec<(u64, Fact)> = Vec::new();
    let mut next = from;
    while next < history.from {
        let page = store.events(history.id, next, usize::try_from(history.from - next).unwrap_or(usize::MAX)).await?;
        let Some(last) = page.last() else {
            return Err(StoreError::Damaged(format!("event {next} of {} is missing", history.id)));
        };
        next = last.seq + 1;
        let known = history.from;
        let new = page.iter().filter(|event| event.seq < known);
        facts.extend(new.filter_map(|event| Some((event.seq, fact::read(event)?))));
    }
    history.prepend(from, facts);
    Ok(())
}
