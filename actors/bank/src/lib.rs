//! The root of a bank.
//!
//! Each request is one line: a transaction such as
//! `{"tx":17,"from":"a-03","to":"c-11","amount":2500,"memo":"rent"}`, answered with
//! `{"tx":17,"status":"applied"}`, or `rejected` with a reason, or `failed` with the worker's error;
//! or the word `report`. One worker holds the accounts of each group, a ledger counts what was
//! applied, an audit what was not. A worker that fails is restarted with its last good state: the
//! call that crashed it changed nothing, so no money is lost.

mod report;
mod transaction;

use std::collections::BTreeMap;

use bank_protocol::{Applied, Balances, Incident, WorkerAnswer, WorkerRequest};
use theater_actor::prelude::*;

use transaction::{Outcome, Transaction};

/// The file that the manifest names as `init_state`.
#[derive(Deserialize)]
struct Config {
    /// The accounts of each group with their opening balances.
    groups: BTreeMap<String, Balances>,
}

#[derive(Default, Serialize, Deserialize)]
struct Bank {
    ledger: String,
    audit: String,
    /// The worker of each group.
    workers: BTreeMap<String, String>,
    /// The group of each account.
    accounts: BTreeMap<String, String>,
    /// How often each child was restarted, by its name.
    restarts: BTreeMap<String, u64>,
    /// Refunds that could not be made yet: account and amount.
    owed: Vec<(String, u64)>,
}

impl Actor for Bank {
    fn init(start: &Start) -> Result<Self> {
        let config: Config = start.json()?;
        let mut bank = Bank {
            ledger: supervisor::spawn("ledger/ledger.toml", None)?,
            audit: supervisor::spawn("audit/audit.toml", None)?,
            ..Bank::default()
        };
        for (group, balances) in config.groups {
            let opening = serde_json::to_vec(&balances)?;
            let worker = supervisor::spawn("worker/worker.toml", Some(&opening))?;
            let names = balances.into_keys().map(|account| (account, group.clone()));
            bank.accounts.extend(names);
            bank.workers.insert(group, worker);
        }
        Ok(bank)
    }
}

impl Messages for Bank {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        if message.bytes() == b"report" {
            return Reply::json(&self.report()?);
        }
        self.pay_owed();
        let outcome = match Transaction::parse(message.bytes(), &self.accounts) {
            Ok(transaction) => self.apply(&transaction),
            Err(rejected) => rejected,
        };
        match &outcome {
            Outcome::Applied { tx, amount } => {
                tell(&self.ledger, &Applied { tx: *tx, amount: *amount });
            }
            Outcome::Rejected { tx, reason } => {
                tell(&self.audit, &Incident::Rejected { tx: *tx, reason: reason.clone() });
            }
            Outcome::Failed { tx, error } => {
                tell(&self.audit, &Incident::Failed { tx: *tx, error: error.clone() });
            }
        }
        Reply::json(&outcome.answer())
    }
}

impl Children for Bank {
    fn handle_child_error(&mut self, child: &str, error: &ActorError) -> Result<()> {
        let name = self.name_of(child);
        warn!("{name} failed, restarting it with its last state: {error}");
        if let Err(refused) = supervision::restart_child_with(child, &RestartState::Resume) {
            supervision::escalate(&format!("{name} cannot be restarted: {refused}"));
            return Ok(());
        }
        *self.restarts.entry(name.clone()).or_default() += 1;
        tell(&self.audit, &Incident::Restarted { child: name, error: error.to_string() });
        Ok(())
    }
}

impl Bank {
    fn apply(&mut self, transaction: &Transaction) -> Outcome {
        let Transaction { tx, from, to, amount, memo } = transaction.clone();
        let (from_group, to_group) = (self.accounts[&from].clone(), self.accounts[&to].clone());
        let result = if from_group == to_group {
            self.ask(&from_group, &WorkerRequest::Transfer { tx, from, to, amount, memo })
        } else {
            self.transfer_between(&from_group, &to_group, transaction)
        };
        match result {
            Ok(WorkerAnswer::Done) => Outcome::Applied { tx, amount },
            Ok(WorkerAnswer::Refused(reason)) => Outcome::Rejected { tx: Some(tx), reason },
            Err(error) => Outcome::Failed { tx, error: error.to_string() },
        }
    }

    /// Withdraws at one worker and deposits at the other; a deposit that does not succeed is made
    /// good by a refund.
    fn transfer_between(
        &mut self,
        from_group: &str,
        to_group: &str,
        transaction: &Transaction,
    ) -> Result<WorkerAnswer> {
        let Transaction { tx, from, to, amount, memo } = transaction.clone();
        let withdraw = WorkerRequest::Withdraw { account: from.clone(), amount };
        match self.ask(from_group, &withdraw)? {
            WorkerAnswer::Done => {}
            refused => return Ok(refused),
        }
        let deposited = self.ask(to_group, &WorkerRequest::Deposit { tx, account: to, amount, memo });
        if !matches!(deposited, Ok(WorkerAnswer::Done)) {
            self.owed.push((from, amount));
            self.pay_owed();
        }
        deposited
    }

    /// Makes the refunds that are due; what a worker cannot take now stays due.
    fn pay_owed(&mut self) {
        for (account, amount) in std::mem::take(&mut self.owed) {
            let group = self.accounts[&account].clone();
            let refund = WorkerRequest::Refund { account: account.clone(), amount };
            if let Err(error) = self.ask(&group, &refund) {
                warn!("{amount} stay owed to {account}: {error}");
                self.owed.push((account, amount));
            }
        }
    }

    fn ask(&self, group: &str, request: &WorkerRequest) -> Result<WorkerAnswer> {
        message::request_json(&self.workers[group], request)
    }

    /// What people call a child.
    fn name_of(&self, child: &str) -> String {
        if child == self.ledger {
            return "ledger".to_owned();
        }
        if child == self.audit {
            return "audit".to_owned();
        }
        let group = self.workers.iter().find(|(_, worker)| *worker == child);
        group.map_or_else(|| child.to_owned(), |(group, _)| format!("worker {group}"))
    }
}

/// Sends without a claim on the outcome: the transaction is decided already.
fn tell(actor: &str, message: &impl Serialize) {
    if let Err(error) = message::send_json(actor, message) {
        warn!("{actor} was not told: {error}");
    }
}

theater_actor::export!(Bank: messages, children);
