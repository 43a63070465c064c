//! Of guest projects and components: new, build, inspect.

use std::path::PathBuf;

use clap::ValueEnum;

/// Make a guest project that builds and runs as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// The project's name, and the folder to make it in: `hello`, or a path such as `actors/hello`.
    pub(crate) name: PathBuf,
    /// What the project begins with.
    #[arg(long, value_enum, default_value_t = Template::Basic)]
    pub(crate) template: Template,
    /// The folder of the crate `theater-actor` that the project is to use. Default: the one beside
    /// the sources of this program where there is one, else the published crate of its version.
    #[arg(long, value_name = "PATH")]
    pub(crate) sdk: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// One actor with a state that answers requests.
    Basic,
    /// An actor that starts another, passes requests on to it, and restarts it when it fails.
    Supervisor,
}

/// Build a guest crate to a component, beside its manifest.
///
/// The component gets the name that the manifest's `component` says, `<crate>.wasm` where there is no
/// manifest. In a folder with a [workspace] all its guests are built. The toolchain's part for
/// WebAssembly is installed by `rustup` where it is missing.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The folder of the crate or workspace.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
}

/// Show what a component imports and exports, its digest, and the [[handlers]] lines that it needs.
///
/// With --json: `{component, bytes, digest, imports, exports, handlers, missing}`; imports and exports
/// are `{interface, functions, handler}`. Exit status 0: this runtime can run it, 1: it cannot, 2: it
/// is no component.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The component file.
    pub(crate) component: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
