//! Theater runs WebAssembly components as actors: isolated, supervised in trees, and recorded.
//! Everything that crosses an actor's sandbox is an event in that actor's hash chain.
//!
//! This crate is the core: manifests, the actors and their tree, recording, and the contract of
//! handlers. It names no handler: what actors can do is what a program composes a runtime of. Here
//! is a whole one, with a handler of its own, a store and a root:
//!
//! ```no_run
//! use theater::chain::MemoryStore;
//! use theater::{Call, Denied, Effect, Handler, HostLinker, ManifestConfig, NoConfig, NoPermissions, Start, TheaterRuntime};
//!
//! /// Actors that list `type = "acme-clock"` in their manifest may import `acme:clock/clock`.
//! struct Clock;
//!
//! impl Handler for Clock {
//!     const NAME: &'static str = "acme-clock";
//!     const VERSION: &'static str = "1.0.0";
//!     type Config = NoConfig;
//!     type Permissions = NoPermissions;
//!     type State = ();
//!
//!     fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> theater::Result<()> {
//!         let now = |call: Call<'_, Self>, ()| Ok((call.wall_ms(),));
//!         host.interface("acme:clock/clock@1.0.0")?.func("now", Effect::Read, now)?;
//!         Ok(())
//!     }
//!
//!     async fn start(&self, _: Start<'_>, _: NoConfig, _: NoPermissions) -> theater::Result<()> {
//!         Ok(())
//!     }
//!
//!     fn narrow(_: &NoPermissions, asked: NoPermissions) -> Result<NoPermissions, Denied> {
//!         Ok(asked)
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let runtime = TheaterRuntime::builder().handler(Clock).store(MemoryStore::new()).build()?;
//!     let root = runtime.spawn_actor(ManifestConfig::from_file("root.toml")?).await?;
//!     println!("{} ended: {}", root.id(), root.ended().await?);
//!     for event in runtime.get_actor_events(root.id(), 0, 100).await? {
//!         println!("{} {}", event.seq, event.event_type);
//!     }
//!     runtime.shutdown().await?;
//!     Ok(())
//! }
//! ```
//!
//! `theater-store-sqlite` has a store that lasts. `theater-handler-runtime`,
//! `theater-handler-message-server` and `theater-handler-supervisor` are the first handlers, and
//! `theater-cli` makes a command line of a runtime in one line. Actors are written with
//! `theater-actor`, or with anything that makes components.
//!
//! - [`TheaterRuntime`] is where a program begins; [`ActorHandle`] calls actors.
//! - [`Handler`] is the contract of handlers; a host function gets a [`Call`], the start of an actor
//!   a [`Start`]. The guide `docs/writing-a-handler.md` goes through one from nothing to its test.
//! - What holds for actors (turns, restarts, ends, limits, durability, permissions, the record) is in
//!   `docs/semantics.md`.

mod actor;
mod actor_store;
mod anchors;
mod answered;
mod background;
mod base64_bytes;
mod binary;
mod bring_up;
mod builder;
mod call;
mod capacity;
mod chain_view;
mod command;
mod compile;
mod component;
mod core_exports;
mod cursor;
mod drive;
pub mod duration;
mod ending;
pub mod engine;
mod entry;
mod error;
mod exit;
mod exits;
mod export;
mod failpoint;
mod failure;
mod flights;
mod foreign;
mod fork;
mod handle;
mod handler;
mod hold;
mod host_call;
pub mod host_key;
mod inbox;
mod instance;
mod interface;
mod journal;
mod lineage;
mod linger;
mod linker;
pub mod log;
mod made;
mod manifest;
mod memory_limit;
mod message;
mod migrate;
mod past;
mod places;
mod poison;
mod prepare;
mod process;
mod program;
mod recheck;
mod recorder;
mod records;
mod recovery;
mod reentry;
mod request;
mod resent;
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
mod tree_heads;
mod turn;
mod upgrade;
mod usage;
mod waits;
mod watch;
pub mod wit;
mod wit_type;

pub use actor_store::ActorStore;
pub use anchors::Anchor;
pub use call::{Call, EXITED, Relation};
pub use capacity::{Instances, InstancesBound};
pub use chain_view::{ChainRange, ChainView, ReadError};
pub use command::{CommandError, TheaterCommand, TheaterReply};
pub use compile::{CacheError, CompileCache, CompileEvent, CompileStep};
pub use component::ActorComponent;
pub use cursor::EventCursor;
pub use error::{ActorError, CallError, CycleError, Denied, SpawnError};
pub use exit::ExitReason;
pub use exits::{ChildExit, HeldMailbox, Overtaken, StoppedBy};
pub use export::{Export, ExportLinker, Params, Results, Returned};
#[cfg(feature = "testing")]
pub use failpoint::Step;
pub use foreign::Handle;
pub use fork::{Fork, ForkAnswer, ForkComponent, ForkError};
pub use handle::{ActorHandle, Outside};
pub use handler::{ConfigFault, Handler, NoConfig, NoPermissions};
pub use instance::ActorInstance;
pub use linker::{AsyncHostFn, HostLinker, HostParams, HostResults, InterfaceLinker};
pub use manifest::{Durability, FileError, HandlerEntry, Limits, ManifestConfig, ManifestError, read_below};
pub use memory_limit::MemoryLimit;
pub use process::{ActorProcess, ActorStatus, status_of};
pub use recovery::{RecoverError, Recovered};
pub use runtime::{BuildError, HandlerInterfaces, TheaterRuntime, TheaterRuntimeBuilder};
pub use spawn::RestartFrom;
pub use start::{ActorRef, ShutdownReceiver, Start};
pub use stop::Shutdown;
pub use subtree::{Attempt, ChildError, FailedAttempt, Subtree};
pub use theater_chain as chain;
pub use theater_chain::data::{Effect, ErrorType, KillCause};
pub use theater_chain::note::HostKey;
pub use theater_chain::{ChainEvent, ChainStore, Digest, StateChain, StoreError, TheaterId};
pub use upgrade::{Checked, ProposedUpgrade, Upgrade, UpgradeCheck, UpgradeError, Upgraded};
pub use wasmtime;
pub use wasmtime::{Error, Result};
pub use watch::ChildErr;

/// The guide is Markdown, so its code is compiled here.
#[cfg(doctest)]
#[doc = include_str!("../../docs/writing-a-handler.md")]
struct WritingAHandler;
