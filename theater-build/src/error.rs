//! Why a component could not be built.

use std::io;
use std::path::{Path, PathBuf};

/// Why a component could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A file or folder could not be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot run `{program}`: is it installed and on the PATH?")]
    Run {
        /// The program.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// The folder is not a crate that cargo can read.
    #[error("cargo cannot read the crate in {}", dir.display())]
    Metadata {
        /// The folder.
        dir: PathBuf,
        /// What cargo says.
        source: Box<cargo_metadata::Error>,
    },
    /// The folder holds no guest.
    #[error(
        "{} holds no guest: a guest's Cargo.toml has `[lib]` with `crate-type = [\"cdylib\"]`",
        dir.display()
    )]
    NoGuest {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder holds more than one guest where one was asked for.
    #[error("{} holds several guests ({names}): name the folder of one", dir.display())]
    SeveralGuests {
        /// The folder.
        dir: PathBuf,
        /// The names of the guests.
        names: String,
    },
    /// Two guests would be written to one file.
    #[error("two guests are named `{name}`: rename one of them")]
    SameName {
        /// The name.
        name: String,
    },
    /// A guest asks for a target that no actor is built for.
    #[error(
        "`{name}` asks for the target {target:?}: `[package.metadata.theater] target` is \"wasm32-wasip2\" for a \
         guest that needs WASI, and is left out otherwise"
    )]
    Target {
        /// The guest.
        name: String,
        /// What stands in its Cargo.toml.
        target: String,
    },
    /// There is no way to compile for WebAssembly here.
    #[error(
        "no Rust for {target}: {tried}. Run `rustup target add {target}`, or, for wasm32-unknown-unknown, \
         install the library sources of your Rust (Debian: rustc-web and rust-web-src)"
    )]
    NoToolchain {
        /// The target.
        target: &'static str,
        /// What was tried, and why it does not do.
        tried: String,
    },
    /// The compiler found errors; it has printed them.
    #[error("cargo could not build {} (see its messages above)", dir.display())]
    Compile {
        /// The folder it ran in.
        dir: PathBuf,
    },
    /// Cargo succeeded without making the module.
    #[error("cargo built `{name}` without making a .wasm file of it")]
    NoModule {
        /// The guest.
        name: String,
    },
    /// The bytes are a component, not a core module.
    #[error("it is a component already: use it as it is")]
    AlreadyComponent,
    /// The bytes are not WebAssembly.
    #[error("it is not a WebAssembly module")]
    NotWasm,
    /// The module cannot be turned into a component.
    #[error("the module cannot be turned into a component: {reason}")]
    Componentize {
        /// What wit-component says, causes included.
        reason: String,
    },
    /// The component is no actor.
    #[error("it does not export theater:simple/actor: add `theater_actor::export!(YourActor);` to its lib.rs")]
    NotAnActor,
    /// What went wrong with one guest.
    #[error("cannot build the guest `{name}`")]
    Guest {
        /// The guest.
        name: String,
        /// What went wrong.
        source: Box<BuildError>,
    },
}

impl BuildError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
