//! The actor's state as JSON bytes: what `theater state` shows is what the actor reads back.

use serde::{Serialize, de::DeserializeOwned};

use crate::Result;

/// The typed state; an actor that has no state yet starts from its default.
pub(crate) fn decode<A: Default + DeserializeOwned>(bytes: Option<&[u8]>) -> Result<A> {
    match bytes {
        None => Ok(A::default()),
        Some(bytes) => read("state", bytes),
    }
}

/// The bytes of a state.
pub(crate) fn encode<A: Serialize>(actor: &A) -> Result<Vec<u8>> {
    serde_json::to_vec(actor).map_err(|error| {
        let name = std::any::type_name::<A>();
        format!("the state cannot be written as JSON from `{name}`: {error}").into()
    })
}

/// Reads JSON; `what` names the bytes in the error.
pub(crate) fn read<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        let name = std::any::type_name::<T>();
        format!("the {what} cannot be read as JSON of `{name}`: {error}").into()
    })
}
