//! Two small handlers, and a runtime that has them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use theater::chain::{ChainStore, Level, verify_actor};
use theater::{
    ActorHandle, Call, CallError, Denied, Effect, Export, ExportLinker, Handler, HostLinker, ManifestConfig, NoConfig,
    NoPermissions, Outside, Result, Start, TheaterId, TheaterRuntime,
};

type Request = (String, Vec<u8>);
type Reply = (Option<Vec<u8>>,);

pub(crate) const HANDLE_REQUEST: Export<Request, Reply> =
    Export::new("theater:simple/message-server-client", "handle-request");
pub(crate) const HANDLE_SEND: Export<(Vec<u8>,), ()> =
    Export::new("theater:simple/message-server-client", "handle-send");

/// `theater:simple/runtime`, as far as the tests' guests use it.
pub(crate) struct Voice;

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    theater::wasmtime::component::ComponentType,
    theater::wasmtime::component::Lift,
    serde::Serialize,
)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only lifted from guests")]
pub(crate) enum LogLevel {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

use theater::wasmtime;

impl Handler for Voice {
    const NAME: &'static str = "runtime";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = u64;

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        host.interface("theater:simple/runtime@0.1.0")?
            .func("log", Effect::Read, |mut call: Call<'_, Self>, (level, text): (LogLevel, String)| {
                *call.state() += 1;
                if level == LogLevel::Error {
                    call.explain_failure(text);
                }
                Ok(())
            })?
            .func("self-id", Effect::Read, |call: Call<'_, Self>, ()| Ok((call.actor_id().to_string(),)))?
            .func("shutdown", Effect::Read, |mut call: Call<'_, Self>, (data,): (Option<Vec<u8>>,)| {
                call.shutdown(data);
                Ok(())
            })?;
        Ok(())
    }

    async fn start(&self, _: Start<'_>, _: NoConfig, _: NoPermissions) -> Result<u64> {
        Ok(0)
    }

    fn narrow(_: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }
}

/// `theater:simple/message-server-host` without permissions, and the exports that take messages.
pub(crate) struct Post;

impl Handler for Post {
    const NAME: &'static str = "message-server";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = ();

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        host.interface("theater:simple/message-server-host@0.1.0")?
            .within_tree()
            .func("send", Effect::Read, |mut call: Call<'_, Self>, (to, message): (String, Vec<u8>)| {
                let to: TheaterId = to.parse()?;
                Ok((call.send(to, &HANDLE_SEND, &(message,)).map_err(|error| error.to_string()),))
            })?
            .func_async("request", Effect::WriteIdempotent, request)?;
        Ok(())
    }

    fn add_export_functions(exports: &mut ExportLinker<'_, Self>) -> Result<()> {
        exports.func(&HANDLE_REQUEST)?.func(&HANDLE_SEND)?;
        Ok(())
    }

    async fn start(&self, _: Start<'_>, _: NoConfig, _: NoPermissions) -> Result<()> {
        Ok(())
    }

    fn narrow(_: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }
}

async fn request(
    mut call: Call<'_, Post>,
    (to, message): (String, Vec<u8>),
) -> Result<(std::result::Result<Vec<u8>, String>,)> {
    let to: TheaterId = to.parse()?;
    let limit = Duration::from_secs(5);
    let answer = call.request(to, &HANDLE_REQUEST, |id| (id.to_owned(), message), limit).await;
    Ok((answer.map(|(answer,)| answer.unwrap_or_default()).map_err(|error| error.to_string()),))
}

pub(crate) fn runtime() -> TheaterRuntime {
    TheaterRuntime::builder().handler(Voice).handler(Post).build().unwrap()
}

/// A manifest of one of the repository's actors, with this text added.
pub(crate) fn manifest(folder: &Path, actor: &str, more: &str) -> ManifestConfig {
    ManifestConfig::from_file(manifest_file(folder, actor, more)).unwrap()
}

pub(crate) fn manifest_file(folder: &Path, actor: &str, more: &str) -> PathBuf {
    std::fs::copy(theater_build::testing::component(actor), folder.join(format!("{actor}.wasm"))).unwrap();
    let path = folder.join(format!("{actor}.toml"));
    let handlers = "[[handlers]]\ntype = \"runtime\"\n\n[[handlers]]\ntype = \"message-server\"\n";
    std::fs::write(&path, format!("name = \"{actor}\"\ncomponent = \"{actor}.wasm\"\n{more}\n{handlers}")).unwrap();
    path
}

/// One request to an actor, numbered by the caller.
pub(crate) async fn ask(actor: &ActorHandle, n: u64, message: &str) -> std::result::Result<String, CallError> {
    let from = Outside { source: "test", n };
    let (answer,) =
        actor.call_durable(&HANDLE_REQUEST, from, |id| (id.to_owned(), message.as_bytes().to_vec())).await?;
    Ok(String::from_utf8(answer.unwrap_or_default()).unwrap())
}

/// The event types of a chain, in order.
pub(crate) async fn types(runtime: &TheaterRuntime, actor: TheaterId) -> Vec<String> {
    let events = runtime.get_actor_events(actor, 0, usize::MAX).await.unwrap();
    events.iter().map(|event| event.event_type.to_string()).collect()
}

/// Every chain of the store verifies in full.
pub(crate) async fn verify_all(store: &dyn ChainStore) {
    for entry in store.actors(None, usize::MAX).await.unwrap() {
        let report = verify_actor(store, &entry, Level::Full).await.unwrap();
        assert!(report.fault.is_none(), "{} {}: {:?}", entry.index.name, entry.id, report.fault);
    }
}
