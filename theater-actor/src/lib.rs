#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub mod bindings;

pub mod actor;
mod error;
mod export;
pub mod message;
mod panics;
pub mod runtime;
mod state;
pub mod supervision;
pub mod supervisor;

pub use actor::{Actor, Children, Events, Messages, Migrate, Policy, Resumed, Start};
pub use bindings::imports::theater::simple::types::ChainEvent;
pub use error::{Error, Result};
#[doc(hidden)]
pub use export::Export;
pub use message::{Message, Reply};

/// What an actor's file usually needs: `use theater_actor::prelude::*;`.
///
/// The modules `message`, `runtime`, `supervisor` and `supervision` come with it, and serde's two
/// derives (the actor's crate depends on `serde` itself, because the derives name it).
pub mod prelude {
    pub use crate::actor::{Actor, Children, Events, Messages, Migrate, Policy, Resumed, Start};
    pub use crate::message::{Message, Reply};
    pub use crate::supervision::{ActorError, ChildFailure, Decision, RestartState};
    pub use crate::{ChainEvent, Error, Result};
    pub use crate::{bail, message, runtime, supervision, supervisor};
    pub use crate::{debug, error, info, trace, warn};
    pub use serde::{Deserialize, Serialize};
}
