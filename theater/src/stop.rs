//! Stopping and killing from outside: asked first, killed when the time is up.

use std::sync::Arc;
use std::time::Duration;

use theater_chain::data::KillCause;

use crate::actor::{Actor, lock};
use crate::exits::StoppedBy;
use crate::failpoint::step;
use crate::inbox::{self, Phase};
use crate::sources::within;

/// How long a stop waits before it kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Kills at once.
    BrutalKill,
    /// Asks, and kills after this time.
    Within(Duration),
    /// Asks, and waits for as long as it takes.
    Infinity,
}

/// How long a stop waits where nothing else is declared.
pub(crate) const DEFAULT: Duration = Duration::from_secs(5);

/// What its parent's handler declared for a child, else 5 s, and for one that supervises others as
/// long as these take, since each of them has its own time.
pub(crate) fn default_time(child: &Actor) -> Shutdown {
    if let Some(declared) = child.terms().shutdown {
        return declared;
    }
    if lock(&child.family).children.is_empty() { Shutdown::Within(DEFAULT) } else { Shutdown::Infinity }
}

/// Stops an actor and everything below it; returns when all of it has ended. A child that starts
/// has nothing to finish for its parent: it is killed.
pub(crate) async fn stop(actor: &Arc<Actor>, shutdown: Shutdown, by: StoppedBy) {
    let limit = match shutdown {
        _ if by == StoppedBy::ParentQuietly && matches!(lock(&actor.inbox).phase, Phase::Starting) => {
            kill(actor, KillCause::Host, by);
            actor.wait_ended().await;
            return;
        }
        Shutdown::BrutalKill => {
            kill(actor, KillCause::Host, by);
            actor.wait_ended().await;
            return;
        }
        Shutdown::Within(limit) => Some(limit),
        Shutdown::Infinity => None,
    };
    note(actor, by);
    actor.control.request_stop();
    inbox::nudge(actor);
    step!(actor, "stop.asked");
    match limit {
        None => {
            actor.wait_ended().await;
        }
        Some(limit) => {
            if within(&*actor.shared.sources, limit, actor.wait_ended()).await.is_none() {
                kill(actor, KillCause::Deadline, by);
                actor.wait_ended().await;
            }
        }
    }
}

/// Kills an actor; its children are killed when it ends. Does not wait.
pub(crate) fn kill(actor: &Arc<Actor>, cause: KillCause, by: StoppedBy) {
    note(actor, by);
    actor.control.request_kill(cause);
    inbox::nudge(actor);
}

/// The first who asks is the one. Of an actor that was stopped for a restart, an operator may still
/// ask that it stays down. A fault is nobody's asking.
fn note(actor: &Actor, by: StoppedBy) {
    if by == StoppedBy::Itself {
        return;
    }
    let mut inbox = lock(&actor.inbox);
    if by == StoppedBy::Operator && matches!(inbox.phase, Phase::Held(_)) {
        inbox.stopped_by = Some(by);
    }
    inbox.stopped_by.get_or_insert(by);
}
