//! Messages between actors: one way, or with an answer.
//!
//! ```toml
//! [[handlers]]
//! type = "message-server"
//! request_timeout = "5s"
//! permissions = { talk_to = ["parent", "children", "siblings"] }
//! ```
//!
//! Both settings are the defaults. An actor that sends imports `theater:simple/message-server-host`;
//! one that receives exports `theater:simple/message-server-client` and lists the handler as well.
//!
//! A `send` leaves when the call that made it commits: a call that traps or answers `err` sends
//! nothing. A `request` leaves at once and waits for the answer, for as long as `request_timeout`; a
//! request that would close a circle of actors that wait for each other fails at once and names the
//! circle. An actor may always send to itself.
//!
//! Programs talk to their actors with [`request`] and [`send`]; here in a program whose runtime
//! serves the counter of this repository:
//!
//! ```no_run
//! use theater::{ManifestConfig, Outside, TheaterRuntime};
//! use theater_handler_message_server::{MessageServerHandler, request};
//!
//! # async fn example(runtime_handler: impl theater::Handler) -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = TheaterRuntime::builder()
//!     .handler(runtime_handler)
//!     .handler(MessageServerHandler::new())
//!     .build()?;
//! let counter = runtime.spawn_actor(ManifestConfig::from_file("counter.toml")?).await?;
//! let answer = request(&counter, Outside { source: "example", n: 1 }, "inc").await?;
//! assert_eq!(answer.as_deref(), Some(&b"1"[..]));
//! # Ok(())
//! # }
//! ```

mod config;
mod host;

use theater::{
    ActorHandle, CallError, Denied, Effect, Export, ExportLinker, Handler, HostLinker, Outside, Result, Start,
};

pub use config::{MessageServerConfig, MessageServerPermissions, Peer};

/// What `handle-request` answers.
type Answer = (Option<Vec<u8>>,);

/// WIT `message-server-client.handle-send`: the message.
pub const HANDLE_SEND: Export<(Vec<u8>,), ()> = Export::new("theater:simple/message-server-client", "handle-send");

/// WIT `message-server-client.handle-request`: the request's id and the message; the answer, if any.
pub const HANDLE_REQUEST: Export<(String, Vec<u8>), Answer> =
    Export::new("theater:simple/message-server-client", "handle-request");

/// Asks an actor from outside the tree and waits for its answer. Everything up to the answer is
/// durable then, so it may leave the process; a repeated `from` gets the recorded answer. `None`:
/// the actor gave none.
///
/// # Errors
/// No such actor, its mailbox is full, it does not export `message-server-client`, it answered `err`
/// or failed, or the chain store failed.
pub async fn request(
    actor: &ActorHandle,
    from: Outside<'_>,
    message: impl Into<Vec<u8>>,
) -> std::result::Result<Option<Vec<u8>>, CallError> {
    let message = message.into();
    let (answer,) = actor.call_durable(&HANDLE_REQUEST, from, |id| (id.to_owned(), message)).await?;
    Ok(answer)
}

/// Sends an actor a message from outside the tree; returns when it is durably accepted, not when it
/// is processed. A repeated `from` is not processed again.
///
/// # Errors
/// No such actor, its mailbox is full, it does not export `message-server-client`, or the chain
/// store failed.
pub async fn send(
    actor: &ActorHandle,
    from: Outside<'_>,
    message: impl Into<Vec<u8>>,
) -> std::result::Result<(), CallError> {
    actor.send(&HANDLE_SEND, from, &(message.into(),)).await
}

/// The message-server handler.
#[derive(Debug, Clone, Default)]
pub struct MessageServerHandler {
    ceiling: Option<MessageServerPermissions>,
}

impl MessageServerHandler {
    /// A handler without a ceiling: an actor may ask for any permission.
    pub fn new() -> Self {
        Self::default()
    }

    /// No actor of the runtime holds more than `ceiling`.
    #[must_use]
    pub fn with_ceiling(mut self, ceiling: MessageServerPermissions) -> Self {
        self.ceiling = Some(ceiling);
        self
    }
}

/// What the handler keeps for one actor.
#[derive(Debug)]
pub struct MessageServer {
    config: MessageServerConfig,
    permissions: MessageServerPermissions,
}

impl Handler for MessageServerHandler {
    const NAME: &'static str = "message-server";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = MessageServerConfig;
    type Permissions = MessageServerPermissions;
    type State = MessageServer;

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        // The effect of a send is the commit of the call that made it, so by itself it is a read.
        host.interface("theater:simple/message-server-host@0.1.0")?
            .within_tree()
            .self_timed()
            .func_async("request", Effect::WriteIdempotent, host::request)?
            .in_call()
            .func("send", Effect::Read, host::send)?;
        Ok(())
    }

    fn add_export_functions(exports: &mut ExportLinker<'_, Self>) -> Result<()> {
        exports.func(&HANDLE_SEND)?.func(&HANDLE_REQUEST)?;
        Ok(())
    }

    async fn start(
        &self,
        _cx: Start<'_>,
        config: MessageServerConfig,
        permissions: MessageServerPermissions,
    ) -> Result<MessageServer> {
        Ok(MessageServer { config, permissions })
    }

    fn narrow(
        held: &MessageServerPermissions,
        asked: MessageServerPermissions,
    ) -> std::result::Result<MessageServerPermissions, Denied> {
        held.narrow(asked)
    }

    fn ceiling(&self) -> Option<MessageServerPermissions> {
        self.ceiling.clone()
    }
}
