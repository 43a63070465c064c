//! Components: linked once per set of handlers. Compiling is [`crate::compile`]'s.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use theater_chain::Digest;
use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, LinkerInstance};

use crate::actor_store::ActorStore;
use crate::export::ExportDef;
use crate::handler::ErasedHandler;
use crate::interface::InterfaceName;
use crate::wit_type;

/// Linked components that are kept while no actor uses them.
const KEPT: usize = 256;

/// A component with its imports linked to one set of handlers.
pub struct ActorComponent {
    pub(crate) pre: InstancePre<ActorStore>,
    exports: Vec<FoundExport>,
}

/// An export of a component that the core or a handler calls.
pub(crate) struct FoundExport {
    /// The interface as the component exports it.
    pub(crate) interface: String,
    pub(crate) def: Arc<dyn ExportDef>,
    pub(crate) index: ComponentExportIndex,
}

impl ActorComponent {
    /// What of it the core or a handler calls: interfaces without their versions, and functions.
    pub(crate) fn exports(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.exports.iter().map(|found| (found.def.interface(), found.def.function()))
    }

    /// The export with these names, the interface without its version.
    pub(crate) fn export(&self, interface: &str, function: &str) -> Option<&FoundExport> {
        self.exports.iter().find(|found| found.def.interface() == interface && found.def.function() == function)
    }
}

type LinkKey = (Digest, Vec<&'static str>);

/// The linked components of a runtime.
pub(crate) struct Components {
    engine: Engine,
    linked: Mutex<HashMap<LinkKey, Arc<ActorComponent>>>,
}

impl Components {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, linked: Mutex::default() }
    }

    /// The component linked to `listed`, the handlers of the actor in manifest order. `all` are the
    /// handlers of the runtime, to say what is missing.
    pub(crate) fn link(
        &self,
        digest: Digest,
        component: &Component,
        listed: &[Arc<dyn ErasedHandler>],
        all: &[Arc<dyn ErasedHandler>],
        core: &[Arc<dyn ExportDef>],
        manifest: &str,
    ) -> Result<Arc<ActorComponent>, String> {
        let key = (digest, listed.iter().map(|handler| handler.name()).collect::<Vec<_>>());
        if let Some(linked) = lock(&self.linked).get(&key) {
            return Ok(linked.clone());
        }
        let mut linker = Linker::new(&self.engine);
        link_imports(&self.engine, &mut linker, component, listed, all, manifest)?;
        let pre = linker.instantiate_pre(component).map_err(|error| {
            format!(
                "its imports have other types than the handlers provide: {error:#}; build it from the handler's own WIT"
            )
        })?;
        let defs: Vec<_> = core.iter().chain(listed.iter().flat_map(|handler| handler.exports())).collect();
        let exports = find_exports(&self.engine, component, &pre, &defs)?;
        let linked = Arc::new(ActorComponent { pre, exports });
        let mut known = lock(&self.linked);
        if known.len() >= KEPT {
            known.retain(|_, linked| Arc::strong_count(linked) > 1);
        }
        known.insert(key, linked.clone());
        Ok(linked)
    }
}

fn link_imports(
    engine: &Engine,
    linker: &mut Linker<ActorStore>,
    component: &Component,
    listed: &[Arc<dyn ErasedHandler>],
    all: &[Arc<dyn ErasedHandler>],
    manifest: &str,
) -> Result<(), String> {
    for (imported, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            return Err(format!("it imports `{imported}` outside of an interface, which no handler can provide"));
        };
        let items: Vec<_> = instance.exports(engine).filter_map(|(name, item)| Imported::of(name, item.ty)).collect();
        let mut into = linker.instance(imported).map_err(|error| format!("import {imported}: {error:#}"))?;
        let needs_handler = items.iter().any(|item| matches!(item, Imported::Function(..)));
        let name: InterfaceName = match imported.parse() {
            Ok(name) => name,
            Err(_) if !needs_handler => continue,
            Err(reason) => return Err(format!("it imports `{imported}`: {reason}")),
        };
        let slot = listed.iter().position(|handler| provided(&**handler, &name.name).is_some());
        let Some(slot) = slot else {
            if needs_handler {
                return Err(not_listed(&name, all, manifest));
            }
            continue; // an interface of types alone
        };
        let handler = &*listed[slot];
        if let Some(ours) = provided(handler, &name.name).filter(|ours| !ours.serves(&name)) {
            return Err(format!(
                "it imports {imported}, and handler `{}` provides {ours}, which is not compatible; build the guest \
                 against that version",
                handler.name()
            ));
        }
        link_interface(&mut into, handler, slot, (imported, &name), items)?;
    }
    Ok(())
}

/// What a component imports of an interface, with its name there.
enum Imported<'a> {
    Function(&'a str, ComponentFunc),
    Resource(&'a str),
}

impl<'a> Imported<'a> {
    /// None of what is no more than a name for a type.
    fn of(name: &'a str, item: ComponentItem) -> Option<Self> {
        match item {
            ComponentItem::ComponentFunc(func) => Some(Self::Function(name, func)),
            ComponentItem::Resource(_) => Some(Self::Resource(name)),
            _ => None,
        }
    }
}

fn link_interface(
    into: &mut LinkerInstance<'_, ActorStore>,
    handler: &dyn ErasedHandler,
    slot: usize,
    (imported, name): (&str, &InterfaceName),
    items: Vec<Imported<'_>>,
) -> Result<(), String> {
    let interface: Arc<str> = imported.into();
    let defs = || handler.imports().iter().filter(|def| def.interface.name == name.name);
    for item in items {
        let (def, item) = match &item {
            Imported::Function(function, func) => {
                let def = defs().find(|def| def.item.is_function(function)).ok_or_else(|| {
                    format!(
                        "it imports {imported}#{function}, which handler `{}` {} does not have; build the guest from \
                         that handler's own WIT",
                        handler.name(),
                        handler.version()
                    )
                })?;
                if !def.foreign {
                    wit_type::check(func).map_err(|reason| format!("{imported}#{function}: {reason}"))?;
                }
                (def, *function)
            }
            // One that the interface only uses is defined where it comes from.
            Imported::Resource(resource) => match defs().find(|def| def.item.is_resource(resource)) {
                Some(def) => (def, *resource),
                None => continue,
            },
        };
        def.define(into, &interface, item, slot).map_err(|error| format!("import {imported}: {error:#}"))?;
    }
    Ok(())
}

/// The interface of this name as the handler provides it.
fn provided<'h>(handler: &'h dyn ErasedHandler, interface: &str) -> Option<&'h InterfaceName> {
    handler.imports().iter().map(|def| &def.interface).find(|ours| ours.name == interface)
}

fn not_listed(interface: &InterfaceName, all: &[Arc<dyn ErasedHandler>], manifest: &str) -> String {
    match all.iter().find(|handler| provided(&***handler, &interface.name).is_some()) {
        Some(handler) => format!(
            "it imports {interface}, which handler `{name}` provides; add to {manifest}:\n\n[[handlers]]\ntype = \"{name}\"\n",
            name = handler.name()
        ),
        None => {
            let names: Vec<_> = all.iter().map(|handler| handler.name()).collect();
            format!(
                "it imports {interface}, which no handler of this runtime provides; it was composed with: {}",
                names.join(", ")
            )
        }
    }
}

fn find_exports(
    engine: &Engine,
    component: &Component,
    pre: &InstancePre<ActorStore>,
    defs: &[&Arc<dyn ExportDef>],
) -> Result<Vec<FoundExport>, String> {
    let mut found = Vec::new();
    for (exported, item) in component.component_type().exports(engine) {
        let (ComponentItem::ComponentInstance(_), Ok(name)) = (item.ty, exported.parse::<InterfaceName>()) else {
            continue;
        };
        let Some(instance) = component.get_export_index(None, exported) else {
            continue;
        };
        for def in defs.iter().filter(|def| def.interface() == name.name) {
            let function = def.function();
            let Some((ComponentItem::ComponentFunc(func), index)) = component.get_export(Some(&instance), function)
            else {
                return Err(format!(
                    "it exports {exported} without the function {function}; an interface is exported whole, or not at all"
                ));
            };
            def.typecheck(&func, pre).map_err(|error| {
                format!(
                    "its export {exported}#{function} has another type: {error:#}; build it from the interface's own WIT"
                )
            })?;
            wit_type::check(&func).map_err(|reason| format!("{exported}#{function}: {reason}"))?;
            found.push(FoundExport { interface: exported.to_owned(), def: Arc::clone(def), index });
        }
    }
    Ok(found)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
