//! `theater inspect`: what a component imports and exports, and what its manifest needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Serialize;
use theater::{Digest, HandlerInterfaces, TheaterRuntimeBuilder};
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldItem, WorldKey};

use crate::args::InspectArgs;
use crate::failure::{Failure, Outcome, Status};
use crate::output::Output;

/// The interface that makes a component an actor.
const ACTOR: &str = "theater:simple/actor";
/// What the core itself calls beside it.
const RESUMED: &str = "theater:simple/resumed";

#[derive(Debug, Serialize)]
struct Inspection {
    component: String,
    bytes: usize,
    digest: String,
    imports: Vec<Interface>,
    exports: Vec<Interface>,
    /// The handlers that the manifest must list.
    handlers: Vec<&'static str>,
    /// Why this runtime cannot run it.
    missing: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Interface {
    interface: String,
    functions: Vec<String>,
    /// Who provides or calls it; none: the core, or nobody.
    handler: Option<&'static str>,
}

pub(crate) fn inspect(args: &InspectArgs, builder: &TheaterRuntimeBuilder) -> Outcome {
    let inspection = examine(&args.component, &builder.interfaces())?;
    let mut out = Output::new();
    if args.json {
        out.json(&inspection)?;
    } else {
        print(&mut out, &inspection)?;
    }
    out.flush()?;
    Ok(if inspection.missing.is_empty() { Status::Yes } else { Status::No })
}

fn examine(path: &Path, handlers: &[HandlerInterfaces]) -> Result<Inspection, Failure> {
    let shown = path.display();
    let bytes = fs::read(path).map_err(|error| {
        Failure::new(format!("{shown} cannot be read")).because(&error).help("`theater build` writes components")
    })?;
    let (resolve, world) = decode(&bytes).map_err(|why| Failure::new(format!("{shown} {why}")))?;
    let world = &resolve.worlds[world];
    let provider = |name: &str| handlers.iter().find(|h| h.imports.iter().any(|import| import == plain(name)));
    let caller = |name: &str| handlers.iter().find(|h| h.exports.iter().any(|export| export == plain(name)));
    let imports = interfaces(&resolve, world.imports.iter(), provider);
    let exports = interfaces(&resolve, world.exports.iter(), caller);

    let mut missing: Vec<String> = imports
        .iter()
        // An interface of types alone needs nobody.
        .filter(|import| import.handler.is_none() && !import.functions.is_empty())
        .map(|import| format!("it imports {}, which no handler of this runtime provides", import.interface))
        .collect();
    if !exports.iter().any(|export| plain(&export.interface) == ACTOR) {
        missing.push(format!("it does not export {ACTOR}, so it is not an actor"));
    }
    // In the order in which the runtime lists its handlers.
    let used: BTreeSet<&str> = imports.iter().chain(&exports).filter_map(|interface| interface.handler).collect();
    let handlers = handlers.iter().map(|h| h.handler).filter(|name| used.contains(name)).collect();
    Ok(Inspection {
        component: shown.to_string(),
        bytes: bytes.len(),
        digest: Digest::of(&bytes).to_string(),
        imports,
        exports,
        handlers,
        missing,
    })
}

fn decode(bytes: &[u8]) -> Result<(Resolve, wit_parser::WorldId), String> {
    match bytes {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => {}
        [0, b'a', b's', b'm', ..] => {
            return Err("is a core WebAssembly module, not a component; `theater build` makes one of a guest".into());
        }
        _ => return Err("is not a WebAssembly file; name the component that `theater build` wrote".into()),
    }
    match wit_component::decode(bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => Ok((resolve, world)),
        Ok(DecodedWasm::WitPackage(..)) => Err("is a WIT package, not a component".into()),
        Err(error) => Err(format!("is not a valid component: {}", error.root_cause())),
    }
}

fn interfaces<'a, 'h>(
    resolve: &Resolve,
    items: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)>,
    handler: impl Fn(&str) -> Option<&'h HandlerInterfaces>,
) -> Vec<Interface> {
    items
        .map(|(key, item)| {
            let interface = resolve.name_world_key(key);
            let functions = match item {
                WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.keys().cloned().collect(),
                _ => Vec::new(),
            };
            let handler = handler(&interface).map(|found| found.handler);
            Interface { interface, functions, handler }
        })
        .collect()
}

/// The name of an interface without its version.
fn plain(interface: &str) -> &str {
    interface.split('@').next().unwrap_or(interface)
}

fn print(out: &mut Output, inspection: &Inspection) -> Result<(), Failure> {
    out.line(format_args!("component  {} ({} bytes)", inspection.component, inspection.bytes))?;
    out.line(format_args!("digest     {}", inspection.digest))?;
    for (title, interfaces) in [("imports", &inspection.imports), ("exports", &inspection.exports)] {
        out.line(format_args!("\n{title}"))?;
        for Interface { interface, functions, handler } in interfaces {
            let by = match handler {
                Some(name) => format!("handler `{name}`"),
                None if title == "exports" && [ACTOR, RESUMED].contains(&plain(interface)) => "the runtime".into(),
                None if functions.is_empty() => "types".into(),
                None => "nobody".into(),
            };
            out.line(format_args!("  {interface}  ({by})"))?;
            if !functions.is_empty() {
                out.line(format_args!("    {}", functions.join(", ")))?;
            }
        }
    }
    if !inspection.handlers.is_empty() {
        out.line(format_args!("\nits manifest needs:"))?;
        for handler in &inspection.handlers {
            out.line(format_args!("\n[[handlers]]\ntype = \"{handler}\""))?;
        }
    }
    for missing in &inspection.missing {
        out.line(format_args!("\nthis runtime cannot run it: {missing}"))?;
    }
    Ok(())
}
