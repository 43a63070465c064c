//! The bank's ledger: how many transactions were applied, how much they moved, which were the last.

use bank_protocol::{Applied, LedgerReport};
use theater_actor::prelude::*;

/// How many transactions are kept by name.
const KEPT: usize = 20;

#[derive(Default, Serialize, Deserialize)]
struct Ledger(LedgerReport);

impl Actor for Ledger {}

impl Messages for Ledger {
    fn handle_send(&mut self, message: Message<'_>) -> Result<()> {
        let applied: Applied = message.json()?;
        let Ledger(report) = self;
        report.count += 1;
        report.volume += applied.amount;
        report.last.push_back(applied);
        if report.last.len() > KEPT {
            report.last.pop_front();
        }
        Ok(())
    }

    fn handle_request(&mut self, _id: &str, _message: Message<'_>) -> Result<Reply> {
        Reply::json(&self.0)
    }
}

theater_actor::export!(Ledger: messages);
