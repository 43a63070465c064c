//! `wasi:filesystem` and `wasi:sockets`: there for programs that import them, and denied whenever
//! they are used.

use serde::{Deserialize, Serialize};
use theater::wasmtime;
use theater::wasmtime::component::{ComponentType, Lift, Lower};
use theater::{Effect, Handle, HostLinker, Result};

use crate::handles::{
    Descriptor, DirectoryEntryStream, IncomingDatagramStream, NETWORK, Network, OutgoingDatagramStream,
    ResolveAddressStream, TcpSocket, UdpSocket,
};
use crate::timers::Timers;
use crate::{Wasi, WasiHandler};

/// The rule under which uses of the file system are recorded.
const NO_FILES: &str = "wasi.filesystem";
/// The rule under which uses of the network are recorded.
const NO_SOCKETS: &str = "wasi.sockets";

/// WIT `ip-address-family`.
#[derive(Debug, Clone, Copy, ComponentType, Lift, Serialize, Deserialize)]
#[component(enum)]
#[repr(u8)]
enum IpAddressFamily {
    #[component(name = "ipv4")]
    Ipv4,
    #[component(name = "ipv6")]
    Ipv6,
}

pub(crate) fn link(host: &mut HostLinker<'_, WasiHandler>) -> Result<()> {
    files(host)?;
    sockets(host)
}

fn files(host: &mut HostLinker<'_, WasiHandler>) -> Result<()> {
    host.foreign("wasi:filesystem/types@0.2.12")?
        .absent_resource::<Descriptor>("descriptor")?
        .absent_resource::<DirectoryEntryStream>("directory-entry-stream")?
        .absent_func("filesystem-error-code")?;
    host.foreign("wasi:filesystem/preopens@0.2.12")?.func("get-directories", Effect::Read, directories)?;
    Ok(())
}

/// A folder and its path.
type Preopen = (Handle<Descriptor>, String);

/// None: everything else begins with one of these.
fn directories(mut call: Wasi<'_>, (): ()) -> Result<(Vec<Preopen>,)> {
    call.deny(NO_FILES);
    Ok((Vec::new(),))
}

fn sockets(host: &mut HostLinker<'_, WasiHandler>) -> Result<()> {
    host.foreign("wasi:sockets/network@0.2.12")?.resource::<Network, Timers>("network", |_, _| ())?;
    host.foreign("wasi:sockets/instance-network@0.2.12")?.func(
        "instance-network",
        Effect::Read,
        |_: Wasi<'_>, ()| Ok((Handle::<Network>::new(NETWORK),)),
    )?;
    host.foreign("wasi:sockets/tcp@0.2.12")?.absent_resource::<TcpSocket>("tcp-socket")?;
    host.foreign("wasi:sockets/tcp-create-socket@0.2.12")?.func(
        "create-tcp-socket",
        Effect::Read,
        create::<TcpSocket>,
    )?;
    host.foreign("wasi:sockets/udp@0.2.12")?
        .absent_resource::<UdpSocket>("udp-socket")?
        .absent_resource::<IncomingDatagramStream>("incoming-datagram-stream")?
        .absent_resource::<OutgoingDatagramStream>("outgoing-datagram-stream")?;
    host.foreign("wasi:sockets/udp-create-socket@0.2.12")?.func(
        "create-udp-socket",
        Effect::Read,
        create::<UdpSocket>,
    )?;
    host.foreign("wasi:sockets/ip-name-lookup@0.2.12")?
        .absent_resource::<ResolveAddressStream>("resolve-address-stream")?
        .func("resolve-addresses", Effect::Read, resolve)?;
    Ok(())
}

type Refused<T> = Result<(std::result::Result<Handle<T>, ErrorCode>,)>;

fn create<T: 'static>(mut call: Wasi<'_>, _: (IpAddressFamily,)) -> Refused<T> {
    call.deny(NO_SOCKETS);
    Ok((Err(ErrorCode::AccessDenied),))
}

fn resolve(mut call: Wasi<'_>, _: (Handle<Network>, String)) -> Refused<ResolveAddressStream> {
    call.deny(NO_SOCKETS);
    Ok((Err(ErrorCode::AccessDenied),))
}

/// WIT `error-code` of `wasi:sockets/network`.
#[derive(Debug, Clone, Copy, ComponentType, Lower, Serialize, Deserialize)]
#[component(enum)]
#[repr(u8)]
enum ErrorCode {
    #[component(name = "unknown")]
    Unknown,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "not-supported")]
    NotSupported,
    #[component(name = "invalid-argument")]
    InvalidArgument,
    #[component(name = "out-of-memory")]
    OutOfMemory,
    #[component(name = "timeout")]
    Timeout,
    #[component(name = "concurrency-conflict")]
    ConcurrencyConflict,
    #[component(name = "not-in-progress")]
    NotInProgress,
    #[component(name = "would-block")]
    WouldBlock,
    #[component(name = "invalid-state")]
    InvalidState,
    #[component(name = "new-socket-limit")]
    NewSocketLimit,
    #[component(name = "address-not-bindable")]
    AddressNotBindable,
    #[component(name = "address-in-use")]
    AddressInUse,
    #[component(name = "remote-unreachable")]
    RemoteUnreachable,
    #[component(name = "connection-refused")]
    ConnectionRefused,
    #[component(name = "connection-reset")]
    ConnectionReset,
    #[component(name = "connection-aborted")]
    ConnectionAborted,
    #[component(name = "datagram-too-large")]
    DatagramTooLarge,
    #[component(name = "name-unresolvable")]
    NameUnresolvable,
    #[component(name = "temporary-resolver-failure")]
    TemporaryResolverFailure,
    #[component(name = "permanent-resolver-failure")]
    PermanentResolverFailure,
}
