//! Components that are no actors, or none of this runtime: one sentence with manifest, component
//! and interface, and what to do; nothing is started or recorded.

use std::os::unix::fs::symlink;
use std::path::Path;

use theater::{
    Call, Denied, Effect, ErrorType, Export, ExportLinker, Handler, HostLinker, ManifestConfig, NoConfig,
    NoPermissions, Result, SpawnError, Start, TheaterRuntime,
};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use crate::support::{Post, Voice};

fn runtime() -> TheaterRuntime {
    TheaterRuntime::builder().handler(Voice).handler(Post).handler(Odd).build().unwrap()
}

const INIT: &str = "interface actor { init: func(state: option<list<u8>>, params: tuple<string>) \
                    -> result<tuple<option<list<u8>>>, string>; }";
const EXPORTS: &str = "world guest { export theater:simple/actor@0.1.0; }";
/// An actor that can do nothing.
pub(crate) const ACTOR: &str = EXPORTS;

/// The package `theater:simple` with these interfaces and no others.
fn simple(interfaces: &str) -> String {
    format!("package theater:simple@0.1.0 {{ {interfaces} }}")
}

/// An actor that imports an interface.
fn importing(interface: &str) -> String {
    format!("world guest {{ import {interface}; export theater:simple/actor@0.1.0; }}")
}

/// A component of the world `guest` in a WIT text whose functions do nothing but trap.
pub(crate) fn component(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    if !wit.contains("package theater:simple") {
        resolve.push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).unwrap();
    }
    let package = resolve.push_str("guest.wit", &format!("package test:guest;\n{wit}")).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

/// The error of a spawn of a manifest with this text, in a folder that `fill` has filled.
async fn refused(manifest: &str, fill: impl FnOnce(&Path)) -> String {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    fill(&folder);
    let path = folder.join("a.toml");
    std::fs::write(&path, format!("name = \"a\"\n{manifest}")).unwrap();
    let runtime = runtime();
    let error = runtime.spawn_actor(ManifestConfig::from_file(path).unwrap()).await.err().unwrap();
    assert!(runtime.actors().is_empty());
    assert!(runtime.store().actors(None, 1).await.unwrap().is_empty(), "nothing is recorded");
    error.to_string().replace(&format!("{}/", outer.path().display()), "")
}

/// The error of a spawn of a component with these handlers listed.
async fn not_linked(wit: &str, handlers: &[&str]) -> String {
    let entries: Vec<_> = handlers.iter().map(|name| format!("[[handlers]]\ntype = \"{name}\"\n")).collect();
    let manifest = format!("component = \"a.wasm\"\n{}", entries.concat());
    let bytes = component(wit);
    let error = refused(&manifest, |folder| std::fs::write(folder.join("a.wasm"), bytes).unwrap()).await;
    error.strip_prefix("folder/a.toml: component folder/a.wasm: ").unwrap_or_else(|| panic!("{error}")).to_owned()
}

/// The error of a spawn whose `component` is this path, in a folder with a file `text` in it.
async fn not_read(path: &str, fill: impl FnOnce(&Path)) -> String {
    let error = refused(&format!("component = \"{path}\""), fill).await;
    let start = format!("folder/a.toml: `component` names {path}: ");
    let start = if error.starts_with(&start) { start } else { start.replace(path, &format!("folder/{path}")) };
    error.strip_prefix(&start).unwrap_or_else(|| panic!("{error}")).to_owned()
}

#[tokio::test]
async fn a_component_that_is_not_there() {
    let missing = "there is no such file in folder; build it with `theater build`";
    let fill = |folder: &Path| {
        std::fs::create_dir(folder.join("sub")).unwrap();
        symlink("nothing.wasm", folder.join("dangling.wasm")).unwrap();
    };
    for path in ["a.wasm", "sub/a.wasm", "none/a.wasm", "dangling.wasm"] {
        assert_eq!(not_read(path, fill).await, missing, "{path}");
    }
}

#[tokio::test]
async fn a_component_outside_of_the_folder() {
    let outside =
        "it leads out of folder; a path in a manifest is relative to the manifest's folder and stays below it";
    let fill = |folder: &Path| {
        std::fs::create_dir(folder.join("sub")).unwrap();
        std::fs::write(folder.join("../b.wasm"), "").unwrap();
        symlink("../b.wasm", folder.join("link.wasm")).unwrap();
        symlink("/etc/hostname", folder.join("absolute.wasm")).unwrap();
        symlink("../..", folder.join("sub/up")).unwrap();
    };
    for path in [
        "../b.wasm",
        "/etc/hostname",
        "sub/../../b.wasm",
        "sub/../a.wasm",
        "link.wasm",
        "absolute.wasm",
        "sub/up/b.wasm",
    ] {
        assert_eq!(not_read(path, fill).await, outside, "{path}");
    }
}

#[tokio::test]
async fn a_component_that_is_no_file() {
    let fill = |folder: &Path| {
        std::fs::create_dir(folder.join("sub.wasm")).unwrap();
        symlink("loop.wasm", folder.join("loop.wasm")).unwrap();
        std::os::unix::net::UnixListener::bind(folder.join("socket.wasm")).unwrap();
    };
    for (path, expected) in [
        ("sub.wasm", "it is not a file"),
        (".", "it is not a file"),
        ("socket.wasm", "it is not a file"),
        ("loop.wasm", "it cannot be read: Too many levels of symbolic links (os error 40)"),
    ] {
        assert_eq!(not_read(path, fill).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_component() {
    let whole = component(ACTOR);
    let no_wasm = "it is not a WebAssembly file; name the component that `theater build` wrote";
    let module =
        "it is a core WebAssembly module, not a component; build the guest with `theater build`, which makes one";
    for (bytes, expected) in [
        (b"(component)", no_wasm),
        (b"", no_wasm),
        (&whole[..6], no_wasm),
        (b"\x7fELF\0\0\0\0", no_wasm),
        (b"\0asm\x01\0\0\0", module),
        (b"\0asm\x0e\0\x01\0", no_wasm),
        (
            &whole[..500],
            "it cannot be compiled: unexpected end-of-file (at offset 0x1f4); build it again with `theater build`",
        ),
        (
            &[&whole[..8], &[0xff; 100]].concat(),
            "it cannot be compiled: malformed section id (at offset 0x8); build it again with `theater build`",
        ),
    ] as [(&[u8], &str); 8]
    {
        let error = not_read("a.wasm", |folder| std::fs::write(folder.join("a.wasm"), bytes).unwrap()).await;
        assert_eq!(error, expected, "{}", String::from_utf8_lossy(bytes));
    }
}

#[tokio::test]
async fn every_cut_of_a_component_is_refused() {
    let whole = component(ACTOR);
    // Every place in the header and in the first sections, then some.
    let places = (0..64).chain((64..whole.len()).step_by(whole.len() / 50));
    for at in places {
        let error = refused_bytes(&whole[..at]).await;
        assert!(!error.contains('\n') && error.contains("a.wasm: it "), "{at}: {error}");
    }
}

async fn refused_bytes(bytes: &[u8]) -> String {
    refused("component = \"a.wasm\"", |folder| std::fs::write(folder.join("a.wasm"), bytes).unwrap()).await
}

#[tokio::test]
async fn a_component_that_is_no_actor() {
    let no_actor =
        "it does not export theater:simple/actor, so it is not an actor; an actor exports at least that interface";
    assert_eq!(not_linked("world guest {}", &[]).await, no_actor);
    let wit = "world guest { export theater:simple/message-server-client@0.1.0; }";
    assert_eq!(not_linked(wit, &["message-server"]).await, no_actor);
    // The whole component is a header and nothing else.
    let error = refused_bytes(b"\0asm\x0d\0\x01\0").await;
    assert!(error.ends_with(no_actor), "{error}");
}

#[tokio::test]
async fn exports_with_other_types_or_without_a_function() {
    let typed = "; build it from the interface's own WIT";
    for (init, expected) in [
        (
            "func(state: option<list<u8>>, params: tuple<u32>) -> result<tuple<option<list<u8>>>, string>",
            "expected `string` found `u32`",
        ),
        (
            "func(state: list<u8>, params: tuple<string>) -> result<tuple<option<list<u8>>>, string>",
            "expected `option` found `list`",
        ),
        ("func()", "expected 2-tuple, found 0-tuple"),
    ] {
        let error =
            not_linked(&format!("{} {EXPORTS}", simple(&format!("interface actor {{ init: {init}; }}"))), &[]).await;
        assert_eq!(error, format!("its export theater:simple/actor@0.1.0#init has another type: {expected}{typed}"));
    }
    let whole = "; an interface is exported whole, or not at all";
    let error = not_linked(&format!("{} {EXPORTS}", simple("interface actor { start: func(); }")), &[]).await;
    assert_eq!(error, format!("it exports theater:simple/actor@0.1.0 without the function init{whole}"));
    let client = "interface message-server-client { handle-send: func(state: option<list<u8>>, params: tuple<list<u8>>) \
                  -> result<tuple<option<list<u8>>>, string>; }";
    let wit = format!(
        "{} world guest {{ export theater:simple/actor@0.1.0; export theater:simple/message-server-client@0.1.0; }}",
        simple(&format!("{INIT} {client}"))
    );
    assert_eq!(
        not_linked(&wit, &["message-server"]).await,
        format!("it exports theater:simple/message-server-client@0.1.0 without the function handle-request{whole}")
    );
}

#[tokio::test]
async fn an_import_that_nobody_provides_or_lists() {
    let composed = "which no handler of this runtime provides; it was composed with: runtime, message-server, odd";
    for interface in ["acme:clock/clock@1.0.0", "acme:clock/clock", "wasi:cli/environment@0.2.6"] {
        let (package, interface_name) = interface.split_once('/').unwrap();
        let (name, version) = interface_name.split_once('@').unwrap_or((interface_name, ""));
        let package = if version.is_empty() { package.to_owned() } else { format!("{package}@{version}") };
        let wit =
            format!("package {package} {{ interface {name} {{ now: func() -> u64; }} }} {}", importing(interface));
        assert_eq!(not_linked(&wit, &["runtime"]).await, format!("it imports {interface}, {composed}"));
    }
    for listed in [&[][..], &["message-server"], &["odd", "message-server"]] {
        assert_eq!(
            not_linked(&importing("theater:simple/runtime@0.1.0"), listed).await,
            "it imports theater:simple/runtime@0.1.0, which handler `runtime` provides; add to folder/a.toml:\n\n\
             [[handlers]]\ntype = \"runtime\"\n"
        );
    }
    let wit = "world guest { import now: func() -> u64; export theater:simple/actor@0.1.0; }";
    let error = "it imports `now` outside of an interface, which no handler can provide";
    assert_eq!(not_linked(wit, &["runtime"]).await, error);
    let wit = "world guest { import clock: interface { now: func() -> u64; } export theater:simple/actor@0.1.0; }";
    assert_eq!(
        not_linked(wit, &["runtime"]).await,
        "it imports `clock`: \"clock\" is not the name of an interface: namespace:package/interface[@version]"
    );
}

#[tokio::test]
async fn the_lines_that_a_refusal_shows_make_the_component_link() {
    let bytes = component(&importing("theater:simple/message-server-host@0.1.0"));
    let write = |folder: &Path| std::fs::write(folder.join("a.wasm"), bytes.clone()).unwrap();
    let error = refused("component = \"a.wasm\"\n", write).await;
    let (_, lines) = error.split_once(":\n\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let path = folder.path().join("a.toml");
    std::fs::write(&path, format!("name = \"a\"\ncomponent = \"a.wasm\"\n{lines}")).unwrap();
    // It links and starts; its init, which does nothing but trap, is what fails now.
    let failed = runtime().spawn_actor(ManifestConfig::from_file(path).unwrap()).await.err().unwrap();
    assert!(matches!(failed, SpawnError::Failed { ref error, .. } if error.kind == ErrorType::Trap), "{failed}");
}

#[tokio::test]
async fn an_import_that_its_handler_has_otherwise() {
    let from = "build it from the handler's own WIT";
    assert_eq!(
        not_linked(&importing("theater:simple/runtime@0.1.0"), &["runtime"]).await,
        "it imports theater:simple/runtime@0.1.0#decline-start, which handler `runtime` 1.0.0 does not have; build the \
         guest from that handler's own WIT"
    );
    for (function, expected) in [
        ("func() -> u32", "expected `string` found `u32`"),
        ("func(of: u32) -> string", "expected 0-tuple, found 1-tuple"),
    ] {
        let interface = format!("interface runtime {{ self-id: {function}; }} {INIT}");
        let error =
            not_linked(&format!("{} {}", simple(&interface), importing("theater:simple/runtime@0.1.0")), &["runtime"])
                .await;
        for part in ["its imports have other types", "theater:simple/runtime@0.1.0", "`self-id`", expected, from] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

#[tokio::test]
async fn an_import_of_another_version() {
    let interface = format!("interface runtime {{ self-id: func() -> string; }} {INIT}");
    for version in ["0.2.0", "1.0.0", "0.1.0-rc.1"] {
        let import = format!("theater:simple/runtime@{version}");
        let wit = format!("package theater:simple@{version} {{ {interface} }} world guest {{ import {import}; }}");
        assert_eq!(
            not_linked(&wit, &["runtime"]).await,
            format!(
                "it imports {import}, and handler `runtime` provides theater:simple/runtime@0.1.0, which is not \
                 compatible; build the guest against that version"
            )
        );
    }
    // A compatible one links: what is missing now is an export.
    for version in ["@0.1.0", "@0.1.9", ""] {
        let wit = format!(
            "package theater:simple{version} {{ {interface} }} world guest {{ import theater:simple/runtime{version}; }}"
        );
        assert!(not_linked(&wit, &["runtime"]).await.starts_with("it does not export theater:simple/actor"));
    }
}

#[tokio::test]
async fn types_that_a_chain_cannot_hold() {
    let refusal = "which cannot be recorded; use another type in the handler's WIT";
    for (items, expected) in [
        (
            "flags f { a, b } record r { x: list<tuple<u8, f>> } %flags: func(r: option<r>);",
            "test:odd/odd#flags: r.some.x.item.1 is of a flags type",
        ),
        ("resource thing; hold: func(t: list<borrow<thing>>);", "test:odd/odd#hold: t.item is a resource"),
        ("resource thing; hold: func() -> result<thing, string>;", "test:odd/odd#hold: result.ok is a resource"),
        ("deep: func(o: option<option<u32>>);", "test:odd/odd#deep: o is an option directly in an option"),
        (
            "variant v { none, some(result<string, option<option<u32>>>) } deep: func() -> v;",
            "test:odd/odd#deep: result.some.err is an option directly in an option",
        ),
    ] {
        let wit = format!("package test:odd {{ interface odd {{ {items} }} }} {}", importing("test:odd/odd"));
        assert_eq!(not_linked(&wit, &["odd"]).await, format!("{expected}, {refusal}"));
    }
    let deep = "on-deep: func(state: option<list<u8>>, params: tuple<option<option<u32>>>) \
                -> result<tuple<option<list<u8>>>, string>;";
    let wit = format!(
        "package test:odd {{ interface odd-client {{ {deep} }} }} \
         world guest {{ export test:odd/odd-client; export theater:simple/actor@0.1.0; }}"
    );
    assert_eq!(
        not_linked(&wit, &["odd"]).await,
        format!("test:odd/odd-client#on-deep: params.0 is an option directly in an option, {refusal}")
    );
}

#[tokio::test]
async fn an_initial_state_that_is_missing_or_too_large() {
    let head = "component = \"bare.wasm\"\ninit_state = \"state\"\n[limits]\nstate = \"1KiB\"\n\
                [[handlers]]\ntype = \"runtime\"\n";
    let bare = theater_build::testing::component("bare");
    let fill = |folder: &Path| _ = std::fs::copy(&bare, folder.join("bare.wasm")).unwrap();
    let start = "folder/a.toml: `init_state` names state: ";
    assert_eq!(refused(head, fill).await, format!("{start}there is no such file in folder"));
    let large = |folder: &Path| {
        fill(folder);
        std::fs::write(folder.join("state"), [0; 1025]).unwrap();
    };
    assert_eq!(refused(head, large).await, format!("{start}it is larger than 1024 bytes"));
    let elsewhere = |folder: &Path| {
        fill(folder);
        symlink("/etc/hostname", folder.join("state")).unwrap();
    };
    assert_eq!(
        refused(head, elsewhere).await,
        format!(
            "{start}it leads out of folder; a path in a manifest is relative to the manifest's folder and stays below it"
        )
    );
}

#[tokio::test]
async fn handlers_that_are_in_each_others_way() {
    let error = TheaterRuntime::builder().handler(Voice).handler(Odd).handler(Voice).build().err().unwrap();
    assert_eq!(error.to_string(), "two handlers are named `runtime`; list each handler once");
    let error = TheaterRuntime::builder().handler(Odd).handler(Odder).build().err().unwrap();
    assert_eq!(error.to_string(), "handlers `odd` and `odder` both provide test:odd/odd; list one of them");
    let error = TheaterRuntime::builder().handler(Nameless).build().err().unwrap();
    assert_eq!(
        error.to_string(),
        "handler `nameless` cannot be set up: \"clock\" is not the name of an interface: \
         namespace:package/interface[@version]"
    );
}

/// A handler with types that the chain cannot hold, in its imports and in an export.
struct Odd;

const ON_DEEP: Export<(Option<Option<u32>>,), ()> = Export::new("test:odd/odd-client", "on-deep");

impl Handler for Odd {
    const NAME: &'static str = "odd";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = ();

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        host.interface("test:odd/odd")?
            .func("flags", Effect::Read, |_: Call<'_, Self>, (_,): (u32,)| Ok(()))?
            .func("hold", Effect::Read, |_: Call<'_, Self>, (_,): (u32,)| Ok(()))?
            .func("deep", Effect::Read, |_: Call<'_, Self>, (_,): (Option<Option<u32>>,)| Ok(()))?;
        Ok(())
    }

    fn add_export_functions(exports: &mut ExportLinker<'_, Self>) -> Result<()> {
        exports.func(&ON_DEEP)?;
        Ok(())
    }

    async fn start(&self, _: Start<'_>, _: NoConfig, _: NoPermissions) -> Result<()> {
        Ok(())
    }

    fn narrow(_: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }
}

/// Handlers that a runtime refuses: one with the interface of [`Odd`], one with a name that is none.
macro_rules! refused_handler {
    ($handler:ident, $name:literal, $interface:literal) => {
        struct $handler;

        impl Handler for $handler {
            const NAME: &'static str = $name;
            const VERSION: &'static str = "1.0.0";
            type Config = NoConfig;
            type Permissions = NoPermissions;
            type State = ();

            fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
                host.interface($interface)?.func("now", Effect::Read, |_: Call<'_, Self>, ()| Ok(()))?;
                Ok(())
            }

            async fn start(&self, _: Start<'_>, _: NoConfig, _: NoPermissions) -> Result<()> {
                Ok(())
            }

            fn narrow(_: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
                Ok(asked)
            }
        }
    };
}

refused_handler!(Odder, "odder", "test:odd/odd@2.0.0");
refused_handler!(Nameless, "nameless", "clock");
