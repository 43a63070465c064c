//! The bank of `actors/bank`: what it is given, what must come of it, and what it reports.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(crate) type Balances = BTreeMap<String, u64>;

/// `bank.json`: the accounts of each group with their opening balances.
#[derive(Debug, Deserialize)]
pub(crate) struct Opening {
    pub(crate) groups: BTreeMap<String, Balances>,
}

impl Opening {
    pub(crate) fn sum(&self) -> u64 {
        self.groups.values().flat_map(BTreeMap::values).sum()
    }
}

/// `expected.json`, which the generator of the transactions computes from a model of the bank.
#[derive(Debug, Deserialize)]
pub(crate) struct Expected {
    pub(crate) applied: u64,
    pub(crate) rejected: u64,
    pub(crate) failed: u64,
    pub(crate) volume: u64,
    pub(crate) restarts: BTreeMap<String, u64>,
    pub(crate) sum: u64,
    pub(crate) balances: Balances,
}

/// The bank's answer to `report`.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) balances: Balances,
    pub(crate) totals: BTreeMap<String, u64>,
    pub(crate) sum: u64,
    pub(crate) restarts: BTreeMap<String, u64>,
    pub(crate) ledger: LedgerCounts,
    pub(crate) audit: AuditCounts,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LedgerCounts {
    pub(crate) count: u64,
    pub(crate) volume: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AuditCounts {
    pub(crate) rejected: u64,
    pub(crate) failed: u64,
    pub(crate) restarted: u64,
}

/// The bank's answer to a transaction.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Applied,
    Rejected,
    Failed,
}

/// Reads one of the bank's files.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not as it should be", path.display()))
}
