//! The traits an actor implements. Each names one exported interface and has a default for every
//! function in it, so that an actor writes only what it cares about.
//!
//! All of them are turns: `&mut self` is the state; what the function leaves in it is committed when
//! it returns `Ok`, and thrown away when it returns an error or panics.

use serde::{Serialize, de::DeserializeOwned};

use crate::supervision::{ActorError, ChildFailure, Decision};
use crate::{ChainEvent, Message, Reply, Result, state};

/// An actor: its state and how it begins. Exported always.
pub trait Actor: Default + Serialize + DeserializeOwned {
    /// Makes the first state. Runs at the first start and at restarts with `reset`, not when a kept
    /// state is installed.
    ///
    /// Left out, the init bytes are the state, as JSON, or its default where there are none. An
    /// error fails the start.
    fn init(start: &Start) -> Result<Self> {
        start.state()
    }
}

/// What an actor is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    id: String,
    bytes: Option<Vec<u8>>,
}

impl Start {
    /// A start of the actor `id` with these init bytes: for tests of an `init` on the host.
    pub fn new(id: impl Into<String>, bytes: Option<Vec<u8>>) -> Self {
        Self { id: id.into(), bytes }
    }

    /// The actor's id, 32 lower-case hex digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The init bytes: those given to `spawn`, else those of the manifest's `init_state` file.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.bytes.as_deref()
    }

    /// The init bytes as JSON: a configuration, for example. An error where there are none.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        match self.bytes() {
            Some(bytes) => state::read("init bytes", bytes),
            None => Err("there are no init bytes: name a file as `init_state` in the manifest, \
                         or give them to `spawn`"
                .into()),
        }
    }

    /// The init bytes as the state, or its default where there are none.
    pub fn state<A: Default + DeserializeOwned>(&self) -> Result<A> {
        match self.bytes() {
            Some(bytes) => state::read("init bytes", bytes),
            None => Ok(A::default()),
        }
    }
}

/// Hears of a state that was installed without `init`. Exported by `resumed`.
pub trait Resumed: Actor {
    /// Runs after a restart with a kept state, a resume, a recovery of the host or the waking of a
    /// parked actor: the memory of the guest is fresh, so that every `static` is as it began. `id` is the
    /// actor's own.
    fn resumed(&mut self, id: &str) -> Result<()>;
}

/// Makes its state from that of an earlier version. Exported by `migrate`.
pub trait Migrate: Actor {
    /// The state as earlier versions wrote it. Where there are several, an enum with
    /// `#[serde(untagged)]` reads the one that fits, and `serde_json::Value` reads all.
    type Old: DeserializeOwned;

    /// Runs once, at an upgrade to this component and before it, on a copy of the state: an error or
    /// a panic refuses the upgrade, and the actor goes on as it was. `version` is that of the old
    /// component. Of the host's functions it may only log.
    ///
    /// It does not run for an actor that has no state yet.
    fn migrate(old: Self::Old, version: &str) -> Result<Self>;
}

/// Receives messages. Exported by `messages`.
pub trait Messages: Actor {
    /// A one-way message. Left out, each is an error in the actor's chain.
    fn handle_send(&mut self, message: Message<'_>) -> Result<()> {
        let size = message.len();
        crate::bail!("this actor takes no one-way messages ({size} bytes came)");
    }

    /// A message whose sender waits for the reply; `id` names the request. An error is the answer
    /// too. Left out, the answer is an error.
    fn handle_request(&mut self, id: &str, message: Message<'_>) -> Result<Reply> {
        let size = message.len();
        crate::bail!("this actor answers no requests ({size} bytes came as request {id})");
    }
}

/// Hears of the ends of its children, once per end, with the policy's decision already taken.
/// Exported by `children`.
///
/// `child` is the child's actor id. An error is recorded and changes nothing; a panic fails this
/// actor.
pub trait Children: Actor {
    /// A child ended abnormally or was killed. Left out, it is logged as a warning.
    fn handle_child_error(&mut self, child: &str, error: &ActorError) -> Result<()> {
        crate::warn!("child {child} failed: {error}");
        Ok(())
    }

    /// A child ended well, with the bytes that it gave to `shutdown`, or was stopped by this actor.
    /// Left out, nothing happens.
    fn handle_child_exit(&mut self, child: &str, data: Option<&[u8]>) -> Result<()> {
        let _ = (child, data);
        Ok(())
    }

    /// A child was stopped from outside: by an operator, the host's API or an escalation. Left out,
    /// it is logged.
    fn handle_child_external_stop(&mut self, child: &str) -> Result<()> {
        crate::info!("child {child} was stopped from outside");
        Ok(())
    }
}

/// Decides about a failed child before the policy that the manifest declares. Exported by `policy`.
///
/// It is asked about children that ended abnormally or were killed by nobody's order, where no rule
/// of the manifest's `errors` decides, and before any message that waits. Restart budgets bound what
/// it restarts.
pub trait Policy: Actor {
    /// What to do. [`Decision::Policy`] leaves it to the manifest; so does an error, which is recorded.
    /// A panic fails this actor.
    ///
    /// A child with a spec or under the manifest's `[handlers.spawned]` is asked about; others are
    /// left to [`Children::handle_child_error`].
    fn decide(&mut self, failure: &ChildFailure) -> Result<Decision>;
}

/// Receives the events of its children that the manifest's `events` filter lets through. Exported
/// by `events`.
pub trait Events: Actor {
    /// One event of a child, in the order of that child's chain, each incarnation from its start.
    /// `child` is its spec id, or its actor id where it has no spec; `event.data` is the document of
    /// the event with the fields that the filter names, see [`runtime::event_json`](crate::runtime::event_json).
    fn handle_child_event(&mut self, child: &str, event: &ChainEvent) -> Result<()>;
}
