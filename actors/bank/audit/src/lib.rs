//! The bank's audit: what was rejected, what failed, and which actors were restarted.

use bank_protocol::{AuditReport, Incident};
use theater_actor::prelude::*;

/// How many incidents are kept by name.
const KEPT: usize = 20;

#[derive(Default, Serialize, Deserialize)]
struct Audit(AuditReport);

impl Actor for Audit {}

impl Messages for Audit {
    fn handle_send(&mut self, message: Message<'_>) -> Result<()> {
        let incident: Incident = message.json()?;
        let Audit(report) = self;
        match &incident {
            Incident::Rejected { .. } => report.rejected += 1,
            Incident::Failed { .. } => report.failed += 1,
            Incident::Restarted { .. } => report.restarted += 1,
        }
        report.last.push_back(incident);
        if report.last.len() > KEPT {
            report.last.pop_front();
        }
        Ok(())
    }

    fn handle_request(&mut self, _id: &str, _message: Message<'_>) -> Result<Reply> {
        Reply::json(&self.0)
    }
}

theater_actor::export!(Audit: messages);
