//! What guests say of supervision, as the chain holds it: `child-spec`, `restart-state` and the
//! answers of `theater:simple/supervision`, `/supervisor` and `/supervision-policy`, in the encoding
//! of every recorded parameter and result.

use serde::Deserialize;
use serde::de::IgnoredAny;
use theater_chain::Digest;

use crate::decision::GuestDecision;
use crate::policy::{RestartType, Shutdown, Spec, StateChoice};

/// WIT `child-spec`.
#[derive(Debug, Deserialize)]
pub(super) struct ChildSpec {
    id: String,
    manifest: String,
    #[serde(rename = "init_bytes")]
    _init_bytes: IgnoredAny,
    restart: WitRestartType,
    restart_state: RestartState,
    shutdown: WitShutdown,
    significant: bool,
    group: Option<String>,
}

#[derive(Debug, Deserialize)]
enum WitRestartType {
    Permanent,
    Transient,
    Temporary,
}

/// WIT `restart-state`.
#[derive(Debug, Deserialize)]
pub(super) enum RestartState {
    Reset,
    Resume,
    ResumeFrom(Vec<u8>),
    Custom(Vec<u8>),
}

#[derive(Debug, Deserialize)]
enum WitShutdown {
    BrutalKill,
    TimeoutMs(u64),
    Infinity,
}

/// WIT `decision`, which `decide` returns.
#[derive(Debug, Deserialize)]
pub(super) enum WitDecision {
    Restart(RestartState),
    Stop,
    Escalate,
    Ignore,
    Policy,
}

impl ChildSpec {
    /// The spec of a child with this id, where the guest may leave it out.
    pub(super) fn spec(self, generated_id: impl FnOnce() -> String) -> Option<Spec> {
        Some(Spec {
            id: if self.id.is_empty() { generated_id() } else { self.id },
            manifest: self.manifest,
            restart: match self.restart {
                WitRestartType::Permanent => RestartType::Permanent,
                WitRestartType::Transient => RestartType::Transient,
                WitRestartType::Temporary => RestartType::Temporary,
            },
            restart_state: self.restart_state.choice()?,
            shutdown: Some(match self.shutdown {
                WitShutdown::BrutalKill => Shutdown::BrutalKill,
                WitShutdown::TimeoutMs(ms) => Shutdown::WithinMs(ms),
                WitShutdown::Infinity => Shutdown::Infinity,
            }),
            significant: self.significant,
            max_restarts: None,
            group: self.group,
            redeliver: false,
        })
    }
}

impl RestartState {
    /// `None`: a state hash that is none.
    fn choice(self) -> Option<StateChoice> {
        Some(match self {
            Self::Reset => StateChoice::Reset,
            Self::Resume => StateChoice::Resume,
            Self::ResumeFrom(hash) => StateChoice::ResumeFrom(Digest::try_from(&hash[..]).ok()?),
            Self::Custom(bytes) => StateChoice::Custom(bytes),
        })
    }
}

impl WitDecision {
    /// `None`: a state hash that is none.
    pub(super) fn decision(self) -> Option<GuestDecision> {
        Some(match self {
            Self::Restart(state) => GuestDecision::Restart(state.choice()?),
            Self::Stop => GuestDecision::Stop,
            Self::Escalate => GuestDecision::Escalate,
            Self::Ignore => GuestDecision::Ignore,
            Self::Policy => GuestDecision::Policy,
        })
    }
}
