//! Interfaces that Theater did not design, such as those of WASI: their handlers may use resources,
//! whose handles stand in the chain as numbers.
#![allow(unsafe_code, reason = "the traits of WIT values are unsafe; they are handed on as they are")]

use std::fmt;
use std::mem::MaybeUninit;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wasmtime::Result;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext};
use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, Resource};

use crate::actor_store::ActorStore;

/// A handle of a resource, owned or borrowed: in the params and results of a function of a
/// [foreign interface](crate::HostLinker::foreign), where WIT has `T` or `borrow<T>`.
///
/// A number that the handler chose stands for the resource, and is what the chain holds. The handler
/// sees to it that a number means the same in the record as it did live: the same calls on a fresh
/// instance get the same numbers.
pub struct Handle<T: 'static>(Resource<T>);

impl<T> Handle<T> {
    /// A handle to give to a guest, which owns it from then on.
    pub fn new(number: u32) -> Self {
        Self(Resource::new_own(number))
    }

    /// The number that stands for the resource.
    pub fn number(&self) -> u32 {
        self.0.rep()
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.number()).finish()
    }
}

impl<T> Serialize for Handle<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.number().serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Handle<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::new)
    }
}

// SAFETY: each item is that of the `Resource` which is all there is in a `Handle`.
unsafe impl<T: 'static> ComponentType for Handle<T> {
    const ABI: CanonicalAbiInfo = Resource::<T>::ABI;
    const MAY_REQUIRE_REALLOC: bool = Resource::<T>::MAY_REQUIRE_REALLOC;
    type Lower = <Resource<T> as ComponentType>::Lower;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        Resource::<T>::typecheck(ty, types)
    }
}

// SAFETY: as above.
unsafe impl<T: 'static> Lower for Handle<T> {
    fn linear_lower_to_flat<U>(
        &self,
        cx: &mut LowerContext<'_, U>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        self.0.linear_lower_to_flat(cx, ty, dst)
    }

    fn linear_lower_to_memory<U>(&self, cx: &mut LowerContext<'_, U>, ty: InterfaceType, offset: usize) -> Result<()> {
        self.0.linear_lower_to_memory(cx, ty, offset)
    }
}

// SAFETY: as above.
unsafe impl<T: 'static> Lift for Handle<T> {
    fn linear_lift_from_flat(cx: &mut LiftContext<'_>, ty: InterfaceType, src: &Self::Lower) -> Result<Self> {
        Resource::linear_lift_from_flat(cx, ty, src).map(Self)
    }

    fn linear_lift_from_memory(cx: &mut LiftContext<'_>, ty: InterfaceType, bytes: &[u8]) -> Result<Self> {
        Resource::linear_lift_from_memory(cx, ty, bytes).map(Self)
    }
}

/// Links a function that no guest can call, whatever its type.
pub(crate) fn absent(linker: &mut LinkerInstance<'_, ActorStore>, name: &str) -> Result<()> {
    linker.func_new(name, |_, _, _, _| Err(wasmtime::format_err!("a handle that was never given")))
}
