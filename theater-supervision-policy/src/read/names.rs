//! The names that manifests have for what a policy can say.

use theater_chain::data::ErrorType;

use crate::decision::Class;
use crate::policy::{AnchorMode, AutoShutdown, OnExhausted, OnNoCut, RestartType, RuleAction, StateChoice, Strategy};

pub(super) type Names<T> = &'static [(&'static str, T)];

pub(super) const STRATEGIES: Names<Strategy> = &[
    ("one-for-one", Strategy::OneForOne),
    ("one-for-all", Strategy::OneForAll),
    ("rest-for-one", Strategy::RestForOne),
    ("dynamic", Strategy::Dynamic),
];

pub(super) const AUTO_SHUTDOWN: Names<AutoShutdown> = &[
    ("never", AutoShutdown::Never),
    ("any-significant", AutoShutdown::AnySignificant),
    ("all-significant", AutoShutdown::AllSignificant),
];

pub(super) const ON_EXHAUSTED: Names<OnExhausted> =
    &[("escalate", OnExhausted::Escalate), ("stop-child", OnExhausted::StopChild)];

pub(super) const ANCHORS: Names<AnchorMode> =
    &[("batched", AnchorMode::Batched), ("every", AnchorMode::Every), ("lifecycle", AnchorMode::Lifecycle)];

pub(super) const RESTARTS: Names<RestartType> = &[
    ("permanent", RestartType::Permanent),
    ("transient", RestartType::Transient),
    ("temporary", RestartType::Temporary),
];

pub(super) const ON_NO_CUT: Names<OnNoCut> = &[("escalate", OnNoCut::Escalate), ("reset", OnNoCut::Reset)];

pub(super) const CLASSES: Names<RuleAction> = &[
    ("temporary", RuleAction::Class(Class::Temporary)),
    ("permanent", RuleAction::Class(Class::Permanent)),
    ("expected", RuleAction::Class(Class::Expected)),
];

pub(super) const ACTIONS: Names<RuleAction> = &[
    ("restart", RuleAction::Restart),
    ("stop", RuleAction::Stop),
    ("escalate", RuleAction::Escalate),
    ("ignore", RuleAction::Ignore),
];

pub(super) const ERROR_TYPES: Names<ErrorType> = &[
    ("trap", ErrorType::Trap),
    ("guest-error", ErrorType::GuestError),
    ("init-failed", ErrorType::InitFailed),
    ("instantiate-failed", ErrorType::InstantiateFailed),
    ("call-timeout", ErrorType::CallTimeout),
    ("memory-limit", ErrorType::MemoryLimit),
    ("state-limit", ErrorType::StateLimit),
    ("host-call-failed", ErrorType::HostCallFailed),
    ("host-call-interrupted", ErrorType::HostCallInterrupted),
    ("handler-panic", ErrorType::HandlerPanic),
    ("shutdown-timeout", ErrorType::ShutdownTimeout),
    ("killed", ErrorType::Killed),
];

/// Whether a restart state is to resume; the others have bytes or hashes, which a manifest does
/// not know.
const RESUMES: Names<bool> = &[("reset", false), ("resume", true)];

impl super::fields::Found<'_> {
    pub(super) fn restart_state(&self) -> Option<StateChoice> {
        self.choice(RESUMES).map(|resumes| if resumes { StateChoice::Resume } else { StateChoice::Reset })
    }
}
