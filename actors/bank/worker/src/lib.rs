//! A worker of the bank: the accounts of one group, each with its balance and its last statement
//! lines. It starts from opening balances and crashes on some memos: the bug is in [`short`].

use std::collections::{BTreeMap, VecDeque};

use bank_protocol::{Balances, WorkerAnswer, WorkerRequest};
use theater_actor::prelude::*;

/// How many lines a statement has.
const STATEMENT_LINES: usize = 5;

#[derive(Default, Serialize, Deserialize)]
struct Worker {
    accounts: BTreeMap<String, Account>,
}

#[derive(Default, Serialize, Deserialize)]
struct Account {
    balance: u64,
    statement: VecDeque<String>,
}

impl Actor for Worker {
    fn init(start: &Start) -> Result<Self> {
        let opening: Balances = start.json()?;
        let open = |(name, balance)| (name, Account { balance, ..Account::default() });
        Ok(Worker { accounts: opening.into_iter().map(open).collect() })
    }
}

impl Messages for Worker {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let answer = match message.json()? {
            WorkerRequest::Balances => return Reply::json(&self.balances()),
            WorkerRequest::Transfer { tx, from, to, amount, memo } => match self.withdraw(&from, amount)? {
                WorkerAnswer::Done => self.deposit(tx, &to, amount, &memo)?,
                refused => refused,
            },
            WorkerRequest::Withdraw { account, amount } => self.withdraw(&account, amount)?,
            WorkerRequest::Deposit { tx, account, amount, memo } => self.deposit(tx, &account, amount, &memo)?,
            WorkerRequest::Refund { account, amount } => {
                self.account(&account)?.put(amount)?;
                WorkerAnswer::Done
            }
        };
        Reply::json(&answer)
    }
}

impl Worker {
    fn account(&mut self, name: &str) -> Result<&mut Account> {
        self.accounts.get_mut(name).ok_or_else(|| format!("no account {name} here").into())
    }

    fn balances(&self) -> Balances {
        self.accounts.iter().map(|(name, account)| (name.clone(), account.balance)).collect()
    }

    fn withdraw(&mut self, name: &str, amount: u64) -> Result<WorkerAnswer> {
        let account = self.account(name)?;
        let Some(rest) = account.balance.checked_sub(amount) else {
            let reason = format!("overdrawn: {name} has {}", account.balance);
            return Ok(WorkerAnswer::Refused(reason));
        };
        account.balance = rest;
        Ok(WorkerAnswer::Done)
    }

    fn deposit(&mut self, tx: u64, name: &str, amount: u64, memo: &str) -> Result<WorkerAnswer> {
        let account = self.account(name)?;
        account.put(amount)?;
        account.statement.push_back(format!("{tx} +{amount} {}", short(memo)));
        if account.statement.len() > STATEMENT_LINES {
            account.statement.pop_front();
        }
        Ok(WorkerAnswer::Done)
    }
}

impl Account {
    fn put(&mut self, amount: u64) -> Result<()> {
        self.balance = self.balance.checked_add(amount).ok_or("the account is full")?;
        Ok(())
    }
}

/// A memo's first 12 bytes fit on a statement.
fn short(memo: &str) -> &str {
    // The bug: byte 12 may be in the middle of a character, and then this panics. It is left here
    // for the demonstration: the transaction has no effect, and the bank restarts the worker.
    if memo.len() > 12 { &memo[..12] } else { memo }
}

theater_actor::export!(Worker: messages);
