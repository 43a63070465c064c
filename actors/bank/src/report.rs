//! The bank's answer to `report`: what it and its children know, in one document.

use std::collections::BTreeMap;

use bank_protocol::{AuditReport, Balances, LedgerReport, WorkerRequest};
use theater_actor::prelude::*;

use crate::Bank;

#[derive(Serialize)]
pub(crate) struct Report {
    /// What is on each account.
    balances: Balances,
    /// What is on the accounts of each group together.
    totals: BTreeMap<String, u64>,
    /// What is on all accounts, and what is owed to them. It never changes.
    sum: u64,
    /// Refunds that could not be made yet.
    owed: u64,
    /// Restarts of children, by name.
    restarts: BTreeMap<String, u64>,
    ledger: LedgerCounts,
    audit: AuditCounts,
}

#[derive(Serialize)]
struct LedgerCounts {
    count: u64,
    volume: u64,
}

#[derive(Serialize)]
struct AuditCounts {
    rejected: u64,
    failed: u64,
    restarted: u64,
}

impl Bank {
    pub(crate) fn report(&self) -> Result<Report> {
        let mut balances = Balances::new();
        let mut totals = BTreeMap::new();
        for (group, worker) in &self.workers {
            let accounts: Balances = message::request_json(worker, &WorkerRequest::Balances)?;
            totals.insert(group.clone(), accounts.values().sum());
            balances.extend(accounts);
        }
        let owed = self.owed.iter().map(|(_, amount)| amount).sum();
        let ledger: LedgerReport = message::request_json(&self.ledger, "report")?;
        let audit: AuditReport = message::request_json(&self.audit, "report")?;
        Ok(Report {
            sum: totals.values().sum::<u64>() + owed,
            balances,
            totals,
            owed,
            restarts: self.restarts.clone(),
            ledger: LedgerCounts { count: ledger.count, volume: ledger.volume },
            audit: AuditCounts { rejected: audit.rejected, failed: audit.failed, restarted: audit.restarted },
        })
    }
}
