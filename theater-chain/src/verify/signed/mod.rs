//! Whether the chains are those whose heads were signed.

mod chains;
mod kept;
mod keys;
mod logged;

use serde::Serialize;

pub use self::chains::ChainCheckpoint;
use self::keys::Keys;
use self::logged::Logged;
use super::StoreReport;
use super::report::Sentences;
use crate::merkle::Frontier;
use crate::note::{Checkpoint, Note, PublicKey};
use crate::{ChainStore, Digest, HeadLog, StoreError, TreeHead};

/// How many entries of the log are read at once.
const PAGE: usize = 4096;

/// What is known from elsewhere, and held against what is stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trust<'a> {
    /// The public key of the host. Without one, signatures are checked with the keys that the chains
    /// name, which proves less.
    pub key: Option<&'a PublicKey>,
    /// A checkpoint of the store's log, or of one actor's chain, that was kept elsewhere.
    pub kept: Option<&'a Note>,
}

/// What verification says of the log of signed heads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct LogReport {
    /// How many entries it has.
    pub entries: u64,
    /// Its checkpoints that were found right.
    pub checkpoints: Vec<CheckpointReport>,
    /// Checkpoints of single chains that came with them and were found right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chains: Vec<ChainCheckpoint>,
    /// What is wrong with it, in lower case and without a full stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// A checkpoint whose root is that of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckpointReport {
    /// The origin: the name of the key.
    pub origin: String,
    /// How many entries it covers.
    pub size: u64,
    /// With what its signature was checked.
    pub key: KeyFrom,
}

/// Where the key comes from with which a signature was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyFrom {
    /// The caller gave it.
    Given,
    /// The record itself names it.
    Chains,
    /// Nobody names it: the signature was not checked.
    Nowhere,
}

/// Why the log is not right, or could not be read.
pub(super) enum Halt {
    Fault(String),
    Store(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(reason) => Self::Fault(reason),
            error => Self::Store(error),
        }
    }
}

pub(super) fn fault<T>(reason: impl Into<String>) -> Result<T, Halt> {
    Err(Halt::Fault(reason.into()))
}

/// Holds the verified chains against the log of signed heads. `whole`: the report is of all actors.
pub(super) async fn check(
    store: &dyn ChainStore,
    trust: Trust<'_>,
    whole: bool,
    report: &mut StoreReport,
    unchecked: &mut Sentences,
) -> Result<(), StoreError> {
    let mut found = LogReport::default();
    let checked = Check { store, trust, whole, report, unchecked, found: &mut found }.run().await;
    match checked {
        Ok(()) => {}
        Err(Halt::Fault(reason)) => found.fault = Some(reason),
        Err(Halt::Store(error)) => return Err(error),
    }
    report.ok &= found.fault.is_none() && report.actors.iter().all(super::ActorReport::is_ok);
    report.log = Some(found);
    Ok(())
}

struct Check<'a> {
    store: &'a dyn ChainStore,
    trust: Trust<'a>,
    whole: bool,
    report: &'a mut StoreReport,
    unchecked: &'a mut Sentences,
    found: &'a mut LogReport,
}

impl Check<'_> {
    async fn run(mut self) -> Result<(), Halt> {
        let empty = self.report.actors.is_empty();
        self.found.chains = chains::check(self.store, self.trust, self.report, self.unchecked).await?;
        let end = match self.store.head_log() {
            Some(log) => Some((log, log.end().await?)),
            None => None,
        };
        let Some((log, end)) = end.filter(|(_, end)| !end.heads.is_empty() || end.tree.size() > 0) else {
            return self.without_log(empty).await;
        };
        self.found.entries = end.tree.size();
        let mut keys = Keys::new(self.trust.key);
        let mut signed = Vec::new();
        for head in &end.heads {
            let (checkpoint, key) = keys.checkpoint(self.store, self.report, head).await?;
            signed.push((checkpoint, key));
        }
        signed.sort_by_key(|(checkpoint, _)| checkpoint.size);
        let size = |counts: &dyn Fn(KeyFrom) -> bool| {
            let sizes = signed.iter().filter(|(_, key)| counts(*key)).map(|(checkpoint, _)| checkpoint.size);
            sizes.max().unwrap_or_default()
        };
        let given = self.trust.key.is_some();
        let counted = size(&|key| if given { key == KeyFrom::Given } else { key == KeyFrom::Chains });
        // Where the key that was given did not sign the log, it is another host's.
        let covered = if given && counted > 0 { counted } else { size(&|_| true) };
        let mut logged = Logged::new(self.whole, counted, covered);
        let roots = self.read(log, &end.tree, &signed, &mut logged).await?;
        for ((checkpoint, key), root) in signed.into_iter().zip(roots) {
            if root != checkpoint.root {
                let Checkpoint { origin, size, .. } = checkpoint;
                return fault(format!(
                    "the first {size} entries of the log of heads are not those that {origin} signed"
                ));
            }
            let Checkpoint { origin, size, .. } = checkpoint;
            self.found.checkpoints.push(CheckpointReport { origin, size, key });
        }
        logged.finish(self.store, self.report).await?;
        self.judge(&end.heads)
    }

    /// There is no log of heads: what came with the chains is all that may be signed.
    async fn without_log(mut self, empty: bool) -> Result<(), Halt> {
        if let (Some(key), false) = (self.trust.key, empty) {
            if self.found.chains.is_empty() {
                return fault(format!("nothing here is signed, and a checkpoint of {} is to be here", key.name()));
            }
            self.by_chains(key)?;
        }
        kept::check(self.store, self.trust, None, self.unchecked).await?;
        if self.found.chains.is_empty() {
            self.unchecked.add(
                "signatures: nothing here is signed, so a chain that was written anew as a whole would not be found",
            );
        } else {
            self.open();
        }
        self.pruned();
        self.unchecked.add(
            "where the histories go on: each is complete as far as it is here; nothing proves that this is the end",
        );
        Ok(())
    }

    /// Says that chains go on after what is signed.
    fn open(&mut self) {
        let is_open = |actor: &&super::ActorReport| actor.head.map(|head| head.seq) > actor.signed;
        let open = self.report.actors.iter().filter(is_open).count();
        if open > 0 {
            let sentence = format!("the newest events of {open} chains: no signature that counts here covers them");
            self.unchecked.add(sentence);
        }
    }

    /// Says that events are not there, and that no signature covers that they were dropped.
    fn pruned(&mut self) {
        let unsigned = |actor: &&super::ActorReport| actor.pruned.is_some() && actor.pruned > actor.signed;
        let pruned = self.report.actors.iter().filter(unsigned).count();
        if pruned > 0 {
            let sentence = format!("that the host dropped the older events of {pruned} chains: nobody signed that");
            self.unchecked.add(sentence);
        }
    }

    /// The key was given, and its log of heads is not here: what came with the chains must be signed with it.
    fn by_chains(&mut self, key: &PublicKey) -> Result<(), Halt> {
        if !self.found.chains.iter().any(|one| one.key == KeyFrom::Given) {
            return fault(format!("no checkpoint of {} is here", key.name()));
        }
        chains::demand(&self.found.chains, key, &mut self.report.actors);
        Ok(())
    }

    /// Reads the log and holds the chains against it. Returns the root at each checkpoint.
    async fn read(
        &mut self,
        log: &dyn HeadLog,
        end: &Frontier,
        signed: &[(Checkpoint, KeyFrom)],
        logged: &mut Logged,
    ) -> Result<Vec<Digest>, Halt> {
        let mut tree = Frontier::new();
        let (mut roots, mut kept_root) = (Vec::new(), None);
        let kept = kept::of_log(self.trust)?;
        let mut note = |tree: &Frontier| {
            roots.extend(signed.iter().filter(|(checkpoint, _)| checkpoint.size == tree.size()).map(|_| tree.root()));
            if kept.as_ref().is_some_and(|kept| kept.size == tree.size()) {
                kept_root = Some(tree.root());
            }
        };
        note(&tree);
        while tree.size() < end.size() {
            let due = usize::try_from(end.size() - tree.size()).unwrap_or(PAGE).min(PAGE);
            let page = log.entries(tree.size(), due).await?;
            if page.is_empty() {
                return fault(format!("entry {} of the log of heads is missing", tree.size()));
            }
            for entry in page {
                tree.push(entry.leaf());
                note(&tree);
                logged.push(entry);
            }
            if logged.is_full() {
                logged.check(self.store, self.report, self.unchecked).await?;
            }
        }
        logged.check(self.store, self.report, self.unchecked).await?;
        if tree != *end {
            return fault("the log of heads is not the one that its end says");
        }
        if let Some((newest, _)) = signed.iter().find(|(checkpoint, _)| checkpoint.size > tree.size()) {
            let (size, entries) = (newest.size, tree.size());
            return fault(format!("a checkpoint of {size} entries is signed, and the log of heads has {entries}"));
        }
        kept::check(self.store, self.trust, Some((tree.size(), kept_root)), self.unchecked).await?;
        Ok(roots)
    }

    /// What the right checkpoints prove, and what not.
    fn judge(mut self, heads: &[TreeHead]) -> Result<(), Halt> {
        if let Some(key) = self.trust.key
            && !heads.iter().any(|head| head.origin == key.name())
        {
            self.by_chains(key)?;
        }
        if self.found.checkpoints.iter().all(|one| one.size < self.found.entries) {
            return fault("the log of heads goes on after its newest checkpoint");
        }
        for one in &self.found.checkpoints {
            match one.key {
                KeyFrom::Given => {}
                KeyFrom::Chains => self.unchecked.add(format!(
                    "whose key it is that signed as {}: nothing but the chains themselves names it",
                    one.origin
                )),
                KeyFrom::Nowhere => {
                    self.unchecked.add(format!("the signature of {}: its public key is not known", one.origin));
                }
            }
        }
        self.open();
        self.pruned();
        self.unchecked.add(format!(
            "where the histories go on: they are complete to what is signed (a log of {} heads); nothing proves that \
             this is the end",
            self.found.entries
        ));
        Ok(())
    }
}
