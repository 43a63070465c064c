//! Theater.
#![doc = ""]

mod actor;
mod actor_store;
mod background;
mod base64_bytes;
mod bring_up;
mod builder;
mod call;
mod chain_view;
mod command;
mod component;
mod core_exports;
mod cursor;
mod drive;
pub mod duration;
mod ending;
mod engine;
mod error;
mod exit;
mod exits;
mod export;
mod failure;
mod flights;
mod handle;
mod handler;
mod host_call;
mod inbox;
mod instance;
mod interface;
mod journal;
mod linker;
mod manifest;
mod message;
mod prepare;
mod process;
mod recorder;
mod request;
mod runner;
mod runtime;
mod shared;
pub mod sources;
mod spawn;
mod start;
mod stop;
mod subtree;
#[cfg(feature = "testing")]
pub mod testing;
mod tree;
mod turn;
mod waits;
pub mod wit;
mod wit_type;

pub use actor_store::ActorStore;
pub use call::{Call, Relation};
pub use chain_view::{ChainRange, ChainView, ReadError};
pub use command::{CommandError, TheaterCommand, TheaterReply};
pub use component::ActorComponent;
pub use cursor::EventCursor;
pub use error::{ActorError, CallError, CycleError, Denied, SpawnError};
pub use exit::ExitReason;
pub use exits::{ChildExit, HeldMailbox, StoppedBy};
pub use export::{Export, ExportLinker, Params, Results, Returned};
pub use handle::{ActorHandle, Outside};
pub use handler::{Handler, NoConfig, NoPermissions};
pub use instance::ActorInstance;
pub use linker::{AsyncHostFn, HostLinker, HostParams, HostResults, InterfaceLinker};
pub use manifest::{Durability, FileError, HandlerEntry, Limits, ManifestConfig, ManifestError, read_below};
pub use process::{ActorProcess, ActorStatus, status_of};
pub use runtime::{BuildError, HandlerInterfaces, TheaterRuntime, TheaterRuntimeBuilder};
pub use spawn::RestartFrom;
pub use start::{ActorRef, ShutdownReceiver, Start};
pub use stop::Shutdown;
pub use subtree::{ChildError, Subtree};
pub use theater_chain as chain;
pub use theater_chain::data::{Effect, ErrorType, KillCause};
pub use theater_chain::{ChainEvent, ChainStore, Digest, StateChain, StoreError, TheaterId};
pub use wasmtime;
pub use wasmtime::{Error, Result};

/// The guide is Markdown, so its code is compiled here.
#[cfg(doctest)]
#[doc = include_str!("../../docs/writing-a-handler.md")]
struct WritingAHandler;
