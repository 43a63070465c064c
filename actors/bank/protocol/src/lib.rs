//! What the actors of the bank say to each other, as JSON. Money is whole cents.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// The accounts of one group and what is on them: the bank's configuration, and what a worker
/// starts with.
pub type Balances = BTreeMap<String, u64>;

/// Asked of a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerRequest {
    /// Between two accounts of its group.
    Transfer { tx: u64, from: String, to: String, amount: u64, memo: String },
    /// The first half of a transfer to another group.
    Withdraw { account: String, amount: u64 },
    /// The second half of a transfer from another group.
    Deposit { tx: u64, account: String, amount: u64, memo: String },
    /// Undoes a withdrawal whose deposit failed.
    Refund { account: String, amount: u64 },
    /// Answered with the [`Balances`].
    Balances,
}

/// A worker's answer to all but `Balances`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerAnswer {
    Done,
    Refused(String),
}

/// Sent to the ledger for each transaction that was applied.
#[derive(Debug, Serialize, Deserialize)]
pub struct Applied {
    pub tx: u64,
    pub amount: u64,
}

/// The ledger's answer to any request, and its state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct LedgerReport {
    pub count: u64,
    pub volume: u64,
    /// The last ones, the newest at the end.
    pub last: VecDeque<Applied>,
}

/// Sent to the audit.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Incident {
    Rejected { tx: Option<u64>, reason: String },
    Failed { tx: u64, error: String },
    Restarted { child: String, error: String },
}

/// The audit's answer to any request, and its state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct AuditReport {
    pub rejected: u64,
    pub failed: u64,
    pub restarted: u64,
    /// The last ones, the newest at the end.
    pub last: VecDeque<Incident>,
}
