//! The resources of WASI: what marks their handles, and which numbers stand for them.
//!
//! A number says what it is: the standard streams have fixed ones, so that only timers have a state
//! of their own. Of most resources no guest is ever given a handle.

use theater::Handle;

/// Marks the handles of a resource.
macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $($(#[$doc])* #[derive(Debug)] pub(crate) enum $name {})+
    };
}

resources! {
    /// `wasi:io/streams.input-stream`: standard input alone.
    InputStream,
    /// `wasi:io/streams.output-stream`: standard output or error.
    OutputStream,
    /// `wasi:io/poll.pollable`.
    Pollable,
    /// `wasi:io/error.error`; never given.
    IoError,
    /// `wasi:cli/terminal-input.terminal-input`; never given.
    TerminalInput,
    /// `wasi:cli/terminal-output.terminal-output`; never given.
    TerminalOutput,
    /// `wasi:filesystem/types.descriptor`; never given.
    Descriptor,
    /// `wasi:filesystem/types.directory-entry-stream`; never given.
    DirectoryEntryStream,
    /// `wasi:sockets/network.network`: given, and good for nothing.
    Network,
    /// `wasi:sockets/tcp.tcp-socket`; never given.
    TcpSocket,
    /// `wasi:sockets/udp.udp-socket`; never given.
    UdpSocket,
    /// `wasi:sockets/udp.incoming-datagram-stream`; never given.
    IncomingDatagramStream,
    /// `wasi:sockets/udp.outgoing-datagram-stream`; never given.
    OutgoingDatagramStream,
    /// `wasi:sockets/ip-name-lookup.resolve-address-stream`; never given.
    ResolveAddressStream,
}

/// The number of standard input.
pub(crate) const STDIN: u32 = 0;
/// The number of standard output.
pub(crate) const STDOUT: u32 = 1;
/// The number of standard error.
pub(crate) const STDERR: u32 = 2;
/// The number of the network.
pub(crate) const NETWORK: u32 = 0;
/// The number of the pollables that are always ready; timers have those above.
pub(crate) const READY: u32 = 0;

/// A pollable that is always ready: no stream ever has to be waited for.
pub(crate) fn ready() -> Handle<Pollable> {
    Handle::new(READY)
}
