//! For the tests of handler crates: does a handler fit its WIT? Behind the feature `testing`, for
//! `[dev-dependencies]`.
//!
//! Not for running actors: tests do that with a [`TheaterRuntime`](crate::TheaterRuntime) as programs
//! do.

use std::fmt::{Display, Write as _};
use std::path::Path;
use std::sync::Arc;

use theater_chain::Digest;
use wasmtime::component::Component;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{Interface, ManglingAndAbi, Resolve, TypeDefKind, TypeId};

use crate::component::Components;
use crate::engine;
use crate::handler::{ErasedHandler, Handler, Registered};
use crate::interface::InterfaceName;
use crate::linker::Item;

/// Asserts that a handler and its WIT say the same: see [`links`].
///
/// # Panics
/// They do not; the message says where.
#[track_caller]
#[expect(clippy::panic, reason = "an assertion")]
pub fn assert_links<H: Handler>(handler: H, wit: impl AsRef<Path>) {
    if let Err(reason) = links(handler, wit) {
        panic!("handler `{}` does not fit its WIT: {reason}", H::NAME);
    }
}

/// Whether a handler and its WIT say the same: every interface that the handler names is in the WIT,
/// has the same functions there, and a component that imports (and exports) all of them links, with
/// the types that the WIT gives them. `wit` is a file, or a folder with a package and its `deps`.
///
/// # Errors
/// What does not fit, in a sentence.
pub fn links<H: Handler>(handler: H, wit: impl AsRef<Path>) -> Result<(), String> {
    let wit = wit.as_ref();
    let mut resolve = Resolve::default();
    resolve.push_path(wit).map_err(|error| format!("{}: {error:#}", wit.display()))?;
    let handler = Registered::new(handler).map_err(said)?;
    let world = world(&resolve, &handler)?;
    let component = dummy(&mut resolve, &world).map_err(|error| format!("no component can be made: {error}"))?;
    link(Arc::new(handler), &component)
}

/// A world of all interfaces that the handler names, after their functions are compared by name.
fn world(resolve: &Resolve, handler: &dyn ErasedHandler) -> Result<String, String> {
    let mut world = String::from("package theater-testing:links;\nworld all {\n");
    let imports = handler.imports().iter().map(|def| (def.interface.clone(), def.item));
    for (interface, items) in grouped(imports) {
        let name = checked(resolve, &interface, &items)?;
        _ = writeln!(world, "  import {name};");
    }
    let exports = handler.exports().iter().map(|def| {
        let interface = InterfaceName { name: def.interface().to_owned(), version: None };
        (interface, Item::Function(def.function()))
    });
    for (interface, items) in grouped(exports) {
        let name = checked(resolve, &interface, &items)?;
        _ = writeln!(world, "  export {name};");
    }
    world.push_str("}\n");
    Ok(world)
}

type Group = (InterfaceName, Vec<Item>);

fn grouped(items: impl Iterator<Item = (InterfaceName, Item)>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (interface, item) in items {
        match groups.iter_mut().find(|(known, _)| known.name == interface.name) {
            Some((_, items)) => items.push(item),
            None => groups.push((interface, vec![item])),
        }
    }
    groups
}

/// The full name of the WIT's interface, if it has exactly these functions and resources.
fn checked(resolve: &Resolve, interface: &InterfaceName, items: &[Item]) -> Result<String, String> {
    let (name, found) = find(resolve, interface).ok_or_else(|| format!("the WIT has no interface {interface}"))?;
    for item in items {
        let (kind, known) = match item {
            Item::Function(function) | Item::Absent(function) => ("function", found.functions.contains_key(*function)),
            Item::Resource(resource) | Item::AbsentResource(resource) => {
                ("resource", found.types.get(*resource).is_some_and(|id| is_resource(resolve, *id)))
            }
        };
        if !known {
            return Err(format!("the WIT's {name} has no {kind} {}, which the handler names", item.name()));
        }
    }
    if let Some(missing) = found.functions.keys().find(|function| !items.iter().any(|item| item.is_function(function)))
    {
        return Err(format!("the WIT's {name} has the function {missing}, which the handler leaves out"));
    }
    let resources = found.types.iter().filter(|(_, id)| is_resource(resolve, **id)).map(|(name, _)| name);
    if let Some(missing) = resources.into_iter().find(|resource| !items.iter().any(|item| item.is_resource(resource))) {
        return Err(format!("the WIT's {name} has the resource {missing}, which the handler leaves out"));
    }
    Ok(name)
}

fn is_resource(resolve: &Resolve, id: TypeId) -> bool {
    matches!(resolve.types[id].kind, TypeDefKind::Resource)
}

fn find<'a>(resolve: &'a Resolve, wanted: &InterfaceName) -> Option<(String, &'a Interface)> {
    resolve.interfaces.iter().find_map(|(id, interface)| {
        let name = resolve.id_of(id)?;
        let parsed: InterfaceName = name.parse().ok()?;
        wanted.serves(&parsed).then_some((name, interface))
    })
}

/// A component with this world whose functions do nothing.
fn dummy(resolve: &mut Resolve, world: &str) -> Result<Vec<u8>, String> {
    let package = resolve.push_str("links.wit", world).map_err(said)?;
    let world = resolve.select_world(&[package], None).map_err(said)?;
    let mut module = dummy_module(resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).map_err(said)?;
    ComponentEncoder::default().module(&module).and_then(|encoder| encoder.validate(true).encode()).map_err(said)
}

fn link(handler: Arc<dyn ErasedHandler>, component: &[u8]) -> Result<(), String> {
    let engine = engine::build(1).map_err(said)?;
    let compiled = Component::from_binary(&engine, component).map_err(said)?;
    let handlers = [handler];
    let components = Components::new(engine);
    components.link(Digest::of(component), &compiled, &handlers, &handlers, &[], "its manifest").map(drop)
}

/// An error with its causes.
fn said(error: impl Display) -> String {
    format!("{error:#}")
}
