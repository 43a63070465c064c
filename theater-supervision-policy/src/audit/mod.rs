//! The audit of decisions: from the chains alone it is computed again what a supervisor had to
//! decide, and compared with what it recorded.
//!
//! It plugs into [`theater_chain::Verification`]:
//!
//! ```
//! use theater_chain::{ChainStore, Level, StoreError, StoreReport, Verification};
//! use theater_supervision_policy::DecisionAudit;
//!
//! async fn verify(store: &dyn ChainStore) -> Result<StoreReport, StoreError> {
//!     Verification::new(Level::Full).audited(&DecisionAudit).store(store, &mut |_| ()).await
//! }
//! ```
//!
//! Each `supervision_action` must follow from a fact that came before it, from the manifest that the
//! supervisor was started with and from all decisions before. Decisions are taken in the order in
//! which they are recorded, facts of one child in theirs; that a fact led to no decision is no fault,
//! since the process may have ended in between. Whether the facts are true is verified by
//! `theater-chain`, whether the guest would answer the same again is for replay.

use async_trait::async_trait;
use theater_chain::data::{ActorStarted, Data};
use theater_chain::{ActorEntry, Audit, Auditor, ChainEvent, ChainStore, StoreError, Verdict};

mod compare;
mod fact;
mod follow;
mod life;
mod linked;
mod recover;
mod request;
mod restarted;
mod wit;

pub use fact::{Subject, What};
pub use recover::{Follower, Left, Open, Restarted};

use crate::read::of_manifest;
use life::Life;

/// Audits the decisions of every supervisor.
#[derive(Debug, Clone, Copy, Default)]
pub struct DecisionAudit;

impl Audit for DecisionAudit {
    fn auditor(&self, _: &ActorEntry, first: u64) -> Box<dyn Auditor> {
        let older = "supervision_action: decisions in an incarnation whose beginning was not kept";
        Box::new(Decisions(if first == 0 { Stand::NoSupervisor } else { Stand::Blind(older) }))
    }
}

/// Follows the chain of one actor.
struct Decisions(Stand);

/// What can be said of decisions in the newest incarnation.
enum Stand {
    /// There must be none: the manifest lists no supervisor.
    NoSupervisor,
    /// Nothing, for this reason.
    Blind(&'static str),
    /// Whether they follow.
    Seeing(Box<Life>),
}

/// What auditing one event gives.
enum Seen {
    Verdict(Verdict),
    /// From here on nothing can be computed again in this incarnation.
    Blind(&'static str),
}

impl Seen {
    const RIGHT: Self = Self::Verdict(Verdict::Right);

    fn wrong(reason: impl Into<String>) -> Self {
        Self::Verdict(Verdict::Wrong(reason.into()))
    }
}

#[async_trait]
impl Auditor for Decisions {
    async fn event(&mut self, store: &dyn ChainStore, event: &ChainEvent, data: &Data) -> Result<Verdict, StoreError> {
        if let Data::ActorStarted(data) = data {
            self.0 = started(store, data).await?;
            return Ok(Verdict::Right);
        }
        let is_decision = matches!(data, Data::SupervisionAction(_));
        let seen = match &mut self.0 {
            Stand::NoSupervisor if is_decision => {
                Seen::wrong("it decides about a child, and the manifest of this incarnation lists no supervisor")
            }
            Stand::NoSupervisor => Seen::RIGHT,
            Stand::Blind(why) if is_decision => Seen::Verdict(Verdict::Unchecked((*why).to_owned())),
            Stand::Blind(_) => Seen::RIGHT,
            Stand::Seeing(life) => life.event(store, event, data).await?,
        };
        Ok(match seen {
            Seen::Verdict(verdict) => verdict,
            Seen::Blind(why) => {
                self.0 = Stand::Blind(why);
                Verdict::Unchecked(why.to_owned())
            }
        })
    }
}

async fn started(store: &dyn ChainStore, data: &ActorStarted) -> Result<Stand, StoreError> {
    let Some(manifest) = store.manifest(data.manifest).await? else {
        return Ok(Stand::Blind("supervision_action: decisions under a manifest that is not in the store"));
    };
    Ok(match of_manifest(&manifest) {
        None => Stand::NoSupervisor,
        Some(Err(_)) => Stand::Blind("supervision_action: decisions under a policy that this version cannot read"),
        Some(Ok(policy)) => Stand::Seeing(Box::new(Life::new(policy, data.actor_id))),
    })
}
