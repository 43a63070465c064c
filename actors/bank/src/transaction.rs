//! A transaction as it comes in, and what became of it.

use std::collections::BTreeMap;

use serde_json::Value;
use theater_actor::prelude::*;

/// A transaction that makes sense: both accounts exist and differ, the amount is positive.
#[derive(Clone, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) tx: u64,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) amount: u64,
    #[serde(default)]
    pub(crate) memo: String,
}

impl Transaction {
    /// Reads one line. `accounts` are those that exist.
    pub(crate) fn parse(line: &[u8], accounts: &BTreeMap<String, String>) -> Result<Self, Outcome> {
        let json: Value = serde_json::from_slice(line).map_err(|error| reject(None, error))?;
        let tx = json.get("tx").and_then(Value::as_u64);
        let transaction: Self = serde_json::from_value(json).map_err(|error| reject(tx, error))?;
        let Self { from, to, amount, .. } = &transaction;
        if let Some(unknown) = [from, to].into_iter().find(|name| !accounts.contains_key(*name)) {
            return Err(reject(tx, format!("no account {unknown}")));
        }
        if from == to {
            return Err(reject(tx, format!("both accounts are {from}")));
        }
        if *amount == 0 {
            return Err(reject(tx, "the amount is zero"));
        }
        Ok(transaction)
    }
}

fn reject(tx: Option<u64>, reason: impl ToString) -> Outcome {
    Outcome::Rejected { tx, reason: reason.to_string() }
}

/// What became of a line.
pub(crate) enum Outcome {
    Applied { tx: u64, amount: u64 },
    Rejected { tx: Option<u64>, reason: String },
    Failed { tx: u64, error: String },
}

/// The answer, one line of JSON.
#[derive(Serialize)]
pub(crate) struct Answer<'a> {
    tx: Option<u64>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Outcome {
    pub(crate) fn answer(&self) -> Answer<'_> {
        let (tx, status, reason, error) = match self {
            Self::Applied { tx, .. } => (Some(*tx), "applied", None, None),
            Self::Rejected { tx, reason } => (*tx, "rejected", Some(reason.as_str()), None),
            Self::Failed { tx, error } => (Some(*tx), "failed", None, Some(error.as_str())),
        };
        Answer { tx, status, reason, error }
    }
}
