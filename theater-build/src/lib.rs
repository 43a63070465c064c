//! Builds actors: from a Rust crate (or a workspace of them) to WebAssembly components.
//!
//! `theater build`, `cargo xtask` and the tests of other crates use it. It runs the user's own
//! `cargo` for the target `wasm32-unknown-unknown`, says on standard error what it does, and turns
//! the core module into a component, in which no path of the building machine is left (for that it
//! sets `target.wasm32-unknown-unknown.rustflags`, beside those of the user's cargo configuration;
//! RUSTFLAGS in the environment are meant for the host and dropped). A guest that needs WASI says so in
//! its Cargo.toml, and is compiled for that target then:
//!
//! ```toml
//! [package.metadata.theater]
//! target = "wasm32-wasip2"
//! ```
//!
//! It is not for other languages than Rust: for those, their own
//! tools make the component.
//!
//! ```no_run
//! use std::path::Path;
//! use theater_build::{Options, build_guest};
//!
//! # fn main() -> Result<(), theater_build::BuildError> {
//! let component = build_guest(Path::new("actors/counter"), &Options::default())?;
//! println!("{}", component.display());
//! # Ok(())
//! # }
//! ```

mod cargo;
mod component;
mod error;
mod guest;
pub mod testing;
mod toolchain;

pub use component::componentize;
pub use error::BuildError;
pub use guest::{Options, build_actors, build_actors_in_place, build_guest};
