//! A component, linked to the record: each import is answered from it, each export is found with its
//! types.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{
    Component, ComponentExportIndex, InstancePre, Linker, LinkerInstance, ResourceDynamic, ResourceType, Val,
};
use wasmtime::{AsContextMut as _, Engine, StoreContextMut};

use crate::answer::answer;
use crate::guest::Guest;
use crate::shape::{FuncShape, Resources, Shape};
use crate::{decode, encode, typed};

/// A component that is ready to be replayed.
pub(crate) struct Linked {
    pub(crate) pre: InstancePre<Guest>,
    /// What it imports.
    pub(crate) imports: Arc<Functions>,
    exports: HashMap<(String, String), Arc<ActorExport>>,
}

/// Functions by interface and name.
#[derive(Debug, Default)]
pub(crate) struct Functions(HashMap<(String, String), FuncShape>);

impl Functions {
    pub(crate) fn get(&self, interface: &str, function: &str) -> Option<&FuncShape> {
        self.0.get(&(interface.to_owned(), function.to_owned()))
    }

    /// As [`Functions::get`], whatever the version of the interface.
    pub(crate) fn find(&self, interface: &str, function: &str) -> Option<&FuncShape> {
        self.get(interface, function).or_else(|| {
            let same = |(name, _): &(&(String, String), _)| {
                name.1 == function && unversioned(&name.0) == unversioned(interface)
            };
            self.0.iter().find(same).map(|(_, shape)| shape)
        })
    }

    /// The functions that are not in `others`, or there with other types, as `interface#function`.
    pub(crate) fn beyond(&self, others: &Self) -> Vec<String> {
        let missing = self.0.iter().filter(|(name, shape)| others.0.get(*name) != Some(shape));
        let mut names: Vec<_> = missing.map(|((interface, function), _)| format!("{interface}#{function}")).collect();
        names.sort();
        names
    }
}

/// An import: what its events name, and its types.
pub(crate) struct Site {
    pub(crate) interface: String,
    pub(crate) function: String,
    pub(crate) shape: FuncShape,
    /// All imports of the component, to show recorded calls of others.
    pub(crate) others: Arc<Functions>,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.interface, self.function)
    }
}

/// An export that takes a state and params and returns the next state and results.
pub(crate) struct ActorExport {
    pub(crate) index: ComponentExportIndex,
    pub(crate) params: Shape,
    /// Without the state.
    pub(crate) results: Vec<Shape>,
    /// How it is called with typed values, where its types are known.
    pub(crate) typed: Option<typed::Prepare>,
}

impl Linked {
    /// Links a component. Everything that it imports is there; whether the record has it shows when it
    /// is called.
    ///
    /// # Errors
    /// It imports what no actor may.
    pub(crate) fn new(engine: &Engine, component: &Component) -> Result<Self, String> {
        let mut resources = Resources::default();
        let imports = Arc::new(imports(engine, component, &mut resources)?);
        let mut linker = Linker::new(engine);
        link(engine, &mut linker, component, &imports, &mut resources)?;
        let pre = linker.instantiate_pre(component).map_err(|error| format!("it cannot be linked: {error:#}"))?;
        let exports = exports(engine, component, &mut resources);
        Ok(Self { pre, imports, exports })
    }

    /// An export by the interface that a `call` names. A component built for another version of the
    /// interface has it under that version.
    pub(crate) fn export(&self, interface: &str, function: &str) -> Option<&Arc<ActorExport>> {
        let exact = self.exports.get(&(interface.to_owned(), function.to_owned()));
        exact.or_else(|| {
            let found = self
                .exports
                .iter()
                .find(|((other, name), _)| name == function && unversioned(other) == unversioned(interface));
            found.map(|(_, export)| export)
        })
    }
}

/// An interface's name without its version.
pub(crate) fn unversioned(interface: &str) -> &str {
    interface.split_once('@').map_or(interface, |(name, _)| name)
}

fn imports(engine: &Engine, component: &Component, resources: &mut Resources) -> Result<Functions, String> {
    let mut functions = Functions::default();
    for (interface, function, func) in imported(engine, component)? {
        let shape = FuncShape::of(&func, resources)
            .map_err(|error| format!("it imports {interface}#{function}, which has {error}"))?;
        functions.0.insert((interface, function), shape);
    }
    Ok(functions)
}

fn imported(engine: &Engine, component: &Component) -> Result<Vec<(String, String, ComponentFunc)>, String> {
    let mut functions = Vec::new();
    for (interface, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            return Err(format!("it imports `{interface}` outside of an interface, which no actor does"));
        };
        for (name, item) in instance.exports(engine) {
            if let ComponentItem::ComponentFunc(func) = item.ty {
                functions.push((interface.to_owned(), name.to_owned(), func));
            }
        }
    }
    Ok(functions)
}

fn link(
    engine: &Engine,
    linker: &mut Linker<Guest>,
    component: &Component,
    functions: &Arc<Functions>,
    resources: &mut Resources,
) -> Result<(), String> {
    for (interface, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let failed = |error: wasmtime::Error| format!("import {interface}: {error:#}");
        let mut into = linker.instance(interface).map_err(failed)?;
        for (name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    let Some(shape) = functions.get(interface, name) else { continue };
                    let site = Site {
                        interface: interface.to_owned(),
                        function: name.to_owned(),
                        shape: shape.clone(),
                        others: functions.clone(),
                    };
                    let site = Arc::new(site);
                    if !typed::import(&mut into, name, &site).map_err(failed)? {
                        define(&mut into, name, site).map_err(failed)?;
                    }
                }
                ComponentItem::Resource(ty) => {
                    let ty = ResourceType::host_dynamic(resources.number(ty));
                    into.resource(name, ty, |_, _| Ok(())).map_err(failed)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Links a function whose values are dynamic.
fn define(into: &mut LinkerInstance<'_, Guest>, name: &str, site: Arc<Site>) -> wasmtime::Result<()> {
    into.func_new_async(name, move |mut store, _, params, results| {
        let site = site.clone();
        Box::new(async move {
            let mut encoded = Vec::new();
            encode::values(&mut encoded, &site.shape.params, params, &mut |resource| {
                Ok(resource.try_into_resource_dynamic(store.as_context_mut())?.rep())
            })?;
            let answer = answer(store.data_mut(), &site, &encoded).await?;
            let values = decode::values(&answer, &site.shape.results, &mut |kind, rep| handle(&mut store, kind, rep))?;
            results.iter_mut().zip(values).for_each(|(result, value)| *result = value);
            Ok(())
        })
    })
}

/// A resource that the host gives to the guest.
fn handle(store: &mut StoreContextMut<'_, Guest>, kind: u32, rep: u32) -> wasmtime::Result<Val> {
    let resource = ResourceDynamic::new_own(rep, kind).try_into_resource_any(store.as_context_mut())?;
    Ok(Val::Resource(resource))
}

/// Every export that the core or a handler could call. Others are never called.
fn exports(
    engine: &Engine,
    component: &Component,
    resources: &mut Resources,
) -> HashMap<(String, String), Arc<ActorExport>> {
    let mut found = HashMap::new();
    for (interface, item) in component.component_type().exports(engine) {
        let (ComponentItem::ComponentInstance(instance), Some(place)) =
            (item.ty, component.get_export_index(None, interface))
        else {
            continue;
        };
        for (name, item) in instance.exports(engine) {
            let (ComponentItem::ComponentFunc(func), Some(index)) =
                (item.ty, component.get_export_index(Some(&place), name))
            else {
                continue;
            };
            if let Some(export) = FuncShape::of(&func, resources).ok().and_then(|shape| actor_export(index, &shape)) {
                found.insert((interface.to_owned(), name.to_owned()), Arc::new(export));
            }
        }
    }
    found
}

/// `f(state, params: P) -> result<tuple<state, R..>, string>`.
fn actor_export(index: ComponentExportIndex, shape: &FuncShape) -> Option<ActorExport> {
    let state = Shape::Option(Box::new(Shape::Bytes));
    let [passed, params @ Shape::Tuple(_)] = &*shape.params else { return None };
    let [Shape::Result(Some(ok), Some(err))] = &*shape.results else { return None };
    let Shape::Tuple(returned) = &**ok else { return None };
    let (first, results) = returned.split_first()?;
    let fits = *passed == state && *first == state && **err == Shape::Text;
    fits.then(|| ActorExport {
        index,
        params: params.clone(),
        results: results.to_vec(),
        typed: typed::export(params, results),
    })
}
