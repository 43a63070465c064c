//! From a core module to a component.

use wit_component::{ComponentEncoder, DecodedWasm};

use crate::BuildError;

/// The first eight bytes of a core module: magic, version 1, layer 0.
const MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Turns a core module that carries its WIT types (as those built with wit-bindgen do) into a
/// component, and validates it. Imports that the module does not use are left out.
///
/// # Errors
/// The bytes are a component already, or no module, or import something that is in none of the WIT
/// types they carry.
pub fn componentize(core_wasm: &[u8]) -> Result<Vec<u8>, BuildError> {
    match core_wasm.get(..8) {
        Some(header) if header == MODULE => {}
        // The layer is the second half of the version field; components have layer 1.
        Some(header) if header.starts_with(b"\0asm") && header[6..] == [1, 0] => {
            return Err(BuildError::AlreadyComponent);
        }
        _ => return Err(BuildError::NotWasm),
    }
    ComponentEncoder::default()
        .validate(true)
        .module(core_wasm)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| BuildError::Componentize { reason: format!("{error:#}") })
}

/// Whether the component exports `theater:simple/actor`, with or without the package's version.
pub(crate) fn check_actor(component: &[u8]) -> Result<(), BuildError> {
    let decoded =
        wit_component::decode(component).map_err(|error| BuildError::Componentize { reason: format!("{error:#}") })?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(BuildError::NotAnActor);
    };
    let exports_actor = resolve.worlds[world].exports.keys().any(|key| {
        let name = resolve.name_world_key(key);
        name.split('@').next() == Some("theater:simple/actor")
    });
    if exports_actor { Ok(()) } else { Err(BuildError::NotAnActor) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_component_is_refused() {
        let component = componentize(&MODULE).unwrap();
        assert!(matches!(componentize(&component), Err(BuildError::AlreadyComponent)));
        assert!(matches!(check_actor(&component), Err(BuildError::NotAnActor)));
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [&b""[..], b"\0asm", b"#!/bin/sh\n", b"\0asm\x02\0\0\0"] {
            assert!(matches!(componentize(bytes), Err(BuildError::NotWasm)), "{bytes:?}");
        }
    }

    #[test]
    fn an_import_without_types_is_named() {
        // (module (import "env" "clock" (func)))
        let module = [&MODULE[..], b"\x01\x04\x01\x60\0\0", b"\x02\x0d\x01\x03env\x05clock\0\0"].concat();
        let error = componentize(&module).unwrap_err().to_string();
        assert!(error.contains("env"), "{error}");
    }
}
