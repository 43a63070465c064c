//! What the bank must come to: balances and counts, by the rules alone.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

/// One line of the file.
pub(crate) enum Line {
    Payment {
        tx: u64,
        from: String,
        to: String,
        amount: u64,
        memo: String,
    },
    /// Rejected as it stands.
    Nonsense(String),
}

impl Line {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Nonsense(text) => text.clone(),
            Self::Payment { tx, from, to, amount, memo } => {
                format!(r#"{{"tx":{tx},"from":"{from}","to":"{to}","amount":{amount},"memo":{}}}"#, json!(memo))
            }
        }
    }
}

pub(crate) struct Model {
    balances: BTreeMap<String, u64>,
    group_of: BTreeMap<String, String>,
    expected: Counts,
}

#[derive(Clone, Default, Serialize)]
struct Counts {
    lines: u64,
    applied: u64,
    rejected: u64,
    failed: u64,
    volume: u64,
    restarts: BTreeMap<String, u64>,
}

#[derive(Serialize)]
pub(crate) struct Expected {
    #[serde(flatten)]
    counts: Counts,
    sum: u64,
    balances: BTreeMap<String, u64>,
}

impl Model {
    pub(crate) fn new(groups: BTreeMap<String, BTreeMap<String, u64>>) -> Self {
        let mut model = Self { balances: BTreeMap::new(), group_of: BTreeMap::new(), expected: Counts::default() };
        for (group, accounts) in groups {
            let names = accounts.keys().map(|name| (name.clone(), group.clone()));
            model.group_of.extend(names);
            model.balances.extend(accounts);
        }
        model
    }

    pub(crate) fn accounts(&self) -> Vec<String> {
        self.balances.keys().cloned().collect()
    }

    pub(crate) fn balance(&self, account: &str) -> u64 {
        self.balances[account]
    }

    pub(crate) fn apply(&mut self, line: &Line) {
        self.expected.lines += 1;
        let Line::Payment { from, to, amount, memo, .. } = line else {
            self.expected.rejected += 1;
            return;
        };
        if self.balances[from] < *amount {
            self.expected.rejected += 1;
        } else if memo.len() > 12 && !memo.is_char_boundary(12) {
            // The worker of the receiver crashes; it is the one that writes the statement.
            self.expected.failed += 1;
            let worker = format!("worker {}", self.group_of[to]);
            *self.expected.restarts.entry(worker).or_default() += 1;
        } else {
            self.expected.applied += 1;
            self.expected.volume += amount;
            self.balances.entry(from.clone()).and_modify(|balance| *balance -= amount);
            self.balances.entry(to.clone()).and_modify(|balance| *balance += amount);
        }
    }

    pub(crate) fn failed(&self) -> u64 {
        self.expected.failed
    }

    pub(crate) fn expected(&self) -> Expected {
        Expected { counts: self.expected.clone(), sum: self.balances.values().sum(), balances: self.balances.clone() }
    }
}
