//! Verification of one actor of a store.

use super::anchors::Children;
use super::audit::{Audit, Auditor, Verdict};
use super::facts::Facts;
use super::fork::Fork;
use super::missing::{self, Missing};
use super::pruned::{self, Beginning};
use super::report::Sentences;
use super::states::States;
use super::structure::Structure;
use super::{ActorReport, Fault, Level, Trust, Verifier};
use crate::codec::DecodeError;
use crate::data::Data;
use crate::{ActorEntry, ChainEvent, ChainStore, StoreError};

/// How many events are read at once: few at first, more while they are small.
const FIRST_PAGE: usize = 64;
const MAX_PAGE: usize = 1024;
/// What a page should hold at most, going by the one before.
const PAGE_BYTES: usize = 4 << 20;

/// What is said where states are not there that need not be.
const THINNED: &str = "large states that others have followed: they are not kept, and a replay makes them again";

/// Verifies the chain of one actor up to the head that `entry` has; later events are left to the
/// next time.
///
/// A fault in what is stored is in the report. An error means that the store could not be read.
pub async fn verify_actor(store: &dyn ChainStore, entry: &ActorEntry, level: Level) -> Result<ActorReport, StoreError> {
    Verification::new(level).actor(store, entry).await
}

/// What is verified, and with whom.
#[derive(Clone, Copy)]
pub struct Verification<'a> {
    level: Level,
    audit: Option<&'a dyn Audit>,
    pub(super) trust: Option<Trust<'a>>,
}

impl<'a> Verification<'a> {
    /// At this level, with what this crate can check alone.
    pub fn new(level: Level) -> Self {
        Self { level, audit: None, trust: None }
    }

    /// At [`Level::Full`] also with these auditors: without one no `supervision_action` is checked.
    pub fn audited(self, audit: &'a dyn Audit) -> Self {
        Self { audit: Some(audit), ..self }
    }

    /// Also checks signatures: that the log of heads is the one that was signed, and that each chain
    /// has in it every head that is logged for it. What cannot be proved is then said.
    pub fn signed(self, trust: Trust<'a>) -> Self {
        Self { trust: Some(trust), ..self }
    }

    /// As [`verify_actor`]. Signatures are not checked, see [`Verification::actors`].
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn actor(self, store: &dyn ChainStore, entry: &ActorEntry) -> Result<ActorReport, StoreError> {
        let mut reports = [verify_with(store, entry, self, &mut Facts::default(), &mut |_| ()).await?];
        missing::tell(store, &mut reports).await?;
        let [report] = reports;
        Ok(report)
    }
}

impl std::fmt::Debug for Verification<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verification").field("level", &self.level).field("audited", &self.audit.is_some()).finish()
    }
}

/// As [`verify_actor`]; `facts` are shared by the actors of a store, `on_page` is told how many
/// events verified since it was last called.
pub(super) async fn verify_with(
    store: &dyn ChainStore,
    entry: &ActorEntry,
    how: Verification<'_>,
    facts: &mut Facts,
    on_page: &mut (dyn FnMut(u64) + Send),
) -> Result<ActorReport, StoreError> {
    let first = store.kept_from(entry.id).await?;
    let full = (how.level == Level::Full).then(|| Full {
        structure: Structure::new(entry.id, first == 0),
        states: States::default(),
        children: Children::new(entry.id, first == 0),
        fork: Fork::default(),
        first,
        auditor: how.audit.map(|audit| audit.auditor(entry, first)),
        facts,
    });
    let (links, beginning) = (Verifier::starting_at(first), Beginning::new(first));
    let mut check = ActorCheck { links, beginning, missing: Missing::default(), full, unchecked: Sentences::default() };
    if first > 0 {
        check.unchecked.add("a chain whose older events were not kept: it was verified from the first kept event on");
    }
    let mut found = check.run(store, entry, on_page).await?;
    if found.is_ok() {
        found = check.beginning.check(store, entry).await?;
    }
    if check.links.erased() > 0 {
        check.unchecked.add("payloads that were erased: their bytes are not there to be hashed");
    }
    let thinned = check.full.as_ref().map_or(0, |full| full.states.thinned());
    if thinned > 0 {
        check.unchecked.add(THINNED);
    }
    if let Some(sentence) = check.full.and_then(|full| full.structure.unchecked) {
        check.unchecked.add(sentence);
    }
    Ok(ActorReport {
        id: entry.id,
        events: check.links.next_seq() - first,
        head: check.links.head(),
        fault: found.err(),
        signed: None,
        thinned,
        pruned: check.beginning.said_at(),
        unchecked: check.unchecked.into_vec(),
        missing: check.missing,
    })
}

struct ActorCheck<'f> {
    links: Verifier,
    beginning: Beginning,
    missing: Missing,
    full: Option<Full<'f>>,
    unchecked: Sentences,
}

/// What is checked at [`Level::Full`].
struct Full<'f> {
    structure: Structure,
    states: States,
    children: Children,
    fork: Fork,
    /// The seq of the first event.
    first: u64,
    auditor: Option<Box<dyn Auditor>>,
    facts: &'f mut Facts,
}

impl ActorCheck<'_> {
    async fn run(
        &mut self,
        store: &dyn ChainStore,
        entry: &ActorEntry,
        on_page: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Result<(), Fault>, StoreError> {
        let mut size = FIRST_PAGE;
        while self.links.next_seq() <= entry.head.seq {
            let from = self.links.next_seq();
            let due = usize::try_from(entry.head.seq - from).map_or(usize::MAX, |left| left.saturating_add(1));
            let page = match store.events(entry.id, from, size.min(due)).await {
                // One event at a time finds the one that cannot be read.
                Err(StoreError::Damaged(_)) if size > 1 => {
                    size = 1;
                    continue;
                }
                Err(StoreError::Damaged(reason)) => return Ok(Err(self.fault(reason))),
                page => page?,
            };
            if page.is_empty() {
                return Ok(Err(self.fault(format!("it is missing, and the head is at seq {}", entry.head.seq))));
            }
            size = next_size(size, &page);
            if let Err(fault) = self.page(store, &page).await? {
                return Ok(Err(fault));
            }
            on_page(self.links.next_seq() - from);
        }
        self.end(store, entry).await
    }

    async fn page(&mut self, store: &dyn ChainStore, page: &[ChainEvent]) -> Result<Result<(), Fault>, StoreError> {
        let decoded: Vec<_> = match &mut self.full {
            None => page.iter().map(|_| Ok(None)).collect(),
            Some(full) => {
                let decoded: Vec<_> = page.iter().map(|event| Data::decode(&event.event_type, &event.data)).collect();
                full.facts.check_ahead(store, decoded.iter().flatten().flatten()).await?;
                decoded
            }
        };
        for (event, data) in page.iter().zip(decoded) {
            if let Err(fault) = self.event(store, event, data).await? {
                return Ok(Err(fault));
            }
        }
        Ok(Ok(()))
    }

    async fn event(
        &mut self,
        store: &dyn ChainStore,
        event: &ChainEvent,
        data: Result<Option<Data>, DecodeError>,
    ) -> Result<Result<(), Fault>, StoreError> {
        // The verifier steps on only over events that are right in every way.
        let mut links = self.links.clone();
        if let Err(fault) = links.push(event) {
            return Ok(Err(fault));
        }
        if let Some(full) = &mut self.full {
            let data = match data {
                Ok(data) => data,
                Err(error) => {
                    return Ok(Err(self.fault(format!("its data cannot be read: {error}"))));
                }
            };
            match full.event(store, event, data.as_ref(), &mut self.unchecked).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) | Err(StoreError::Damaged(reason)) => return Ok(Err(self.fault(reason))),
                Err(error) => return Err(error),
            }
        }
        self.links = links;
        self.beginning.push(event);
        self.missing.push(event);
        Ok(Ok(()))
    }

    /// The head and the index entry, after the last event.
    async fn end(&mut self, store: &dyn ChainStore, entry: &ActorEntry) -> Result<Result<(), Fault>, StoreError> {
        let at_head = |reason: &str| Ok(Err(Fault { seq: entry.head.seq, reason: reason.to_owned() }));
        if self.links.head() != Some(entry.head) {
            return at_head("the stored head has another hash");
        }
        if let Some(Err(reason)) = self.full.as_ref().map(|full| full.structure.matches(&entry.index)) {
            return at_head(&reason);
        }
        if self.full.as_ref().is_some_and(|full| full.states.is_missing()) {
            let went_on = store.actor(entry.id).await?.is_some_and(|now| now.head.seq > entry.head.seq);
            if let Some(Err(reason)) = self.full.as_mut().map(|full| full.states.end(went_on)) {
                return at_head(&reason);
            }
        }
        let thinned = self.full.as_ref().map_or(0, |full| full.states.thinned());
        if thinned > 0
            && let Some(said) = store.thinned(entry.id).await?
            && thinned > said
        {
            let reason = format!(
                "{thinned} of its states are not in the store, and only {said} of them went since others followed"
            );
            return at_head(&reason);
        }
        // Events past the head are right if they came since the entry was read, with a newer head.
        let beyond = match store.events(entry.id, self.links.next_seq(), 1).await {
            Err(StoreError::Damaged(reason)) => return Ok(Err(self.fault(reason))),
            page => page?,
        };
        if !beyond.is_empty() && store.actor(entry.id).await?.is_none_or(|now| now.head == entry.head) {
            return Ok(Err(self.fault("it lies beyond the stored head".to_owned())));
        }
        Ok(Ok(()))
    }

    fn fault(&self, reason: String) -> Fault {
        Fault { seq: self.links.next_seq(), reason }
    }
}

impl Full<'_> {
    /// Checks an event that links; the reason if what it says is wrong.
    async fn event(
        &mut self,
        store: &dyn ChainStore,
        event: &ChainEvent,
        data: Option<&Data>,
        unchecked: &mut Sentences,
    ) -> Result<Result<(), String>, StoreError> {
        if let Err(reason) = self.structure.push(event, data) {
            return Ok(Err(reason));
        }
        let Some(data) = data else {
            unchecked.add(format!("events of type {}: this version does not know it", event.event_type));
            return Ok(Ok(()));
        };
        let missing = match self.facts.check(store, data).await? {
            Ok(missing) => missing,
            Err(reason) => return Ok(Err(reason)),
        };
        if let Err(reason) = self.states.event(event, missing) {
            return Ok(Err(reason));
        }
        if let Err(reason) = self.children.check(store, data, unchecked).await? {
            return Ok(Err(reason));
        }
        if let Err(reason) = self.fork.check(store, event, data, unchecked).await? {
            return Ok(Err(reason));
        }
        if let Data::Pruned(claim) = data
            && let Err(reason) = pruned::check(store, self.structure.actor, claim, self.first).await?
        {
            return Ok(Err(reason));
        }
        match &mut self.auditor {
            Some(auditor) => match auditor.event(store, event, data).await? {
                Verdict::Right => {}
                Verdict::Unchecked(sentence) => unchecked.add(sentence),
                Verdict::Wrong(reason) => return Ok(Err(reason)),
            },
            None if matches!(data, Data::SupervisionAction(_)) => {
                unchecked.add("supervision_action: that it follows from the recorded facts");
            }
            None => {}
        }
        Ok(Ok(()))
    }
}

/// Grows while pages are small, shrinks as soon as one is large.
fn next_size(size: usize, page: &[ChainEvent]) -> usize {
    let bytes: usize = page.iter().map(|event| 256 + event.content_len()).sum();
    let fitting = PAGE_BYTES * page.len() / bytes.max(1);
    fitting.clamp(1, (2 * size).min(MAX_PAGE))
}
