//! A guest call that has not ended, and the host calls within it.

use super::structure::Checked;
use crate::data::{HostCall, HostCallBegun};

/// Follows one guest call.
#[derive(Debug)]
pub(super) struct OpenCall {
    /// The message that it delivers.
    pub(super) message_id: Option<String>,
    next_ordinal: u32,
    begun: Option<HostCallBegun>,
}

impl OpenCall {
    pub(super) fn new(message_id: Option<String>) -> Self {
        Self { message_id, next_ordinal: 0, begun: None }
    }

    pub(super) fn host_call_begun(&mut self, data: &HostCallBegun) -> Checked {
        if let Some(open) = &self.begun {
            return Err(format!("host call {} begins while host call {} runs", data.ordinal, open.ordinal));
        }
        self.number(data.ordinal)?;
        self.begun = Some(data.clone());
        Ok(())
    }

    pub(super) fn host_call(&mut self, data: &HostCall) -> Checked {
        let Some(begun) = self.begun.take() else { return self.number(data.ordinal) };
        let same = begun.ordinal == data.ordinal
            && begun.interface == data.interface
            && begun.function == data.function
            && begun.effect == data.effect;
        if same { Ok(()) } else { Err(format!("it is not the host call {} that had begun", begun.ordinal)) }
    }

    /// A call ends after its host calls.
    pub(super) fn may_end(&self) -> Checked {
        match &self.begun {
            Some(begun) => Err(format!("the call ends while its host call {} runs", begun.ordinal)),
            None => Ok(()),
        }
    }

    fn number(&mut self, ordinal: u32) -> Checked {
        if ordinal != self.next_ordinal {
            return Err(format!("host call {ordinal} comes where host call {} is due", self.next_ordinal));
        }
        self.next_ordinal = ordinal.saturating_add(1);
        Ok(())
    }
}
