//! Running the user's cargo: which guests a folder holds, and the modules it makes of them.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::{CrateType, Message, MetadataCommand, Package, Target};

use crate::BuildError;
use crate::toolchain::{GuestTarget, Toolchain};

/// A guest crate.
#[derive(Debug)]
pub(crate) struct Guest {
    /// The package's name, which is also the component's.
    pub(crate) name: String,
    /// Where its Cargo.toml is.
    pub(crate) dir: PathBuf,
    /// What it is compiled for: `[package.metadata.theater] target`, else the plain target.
    pub(crate) target: GuestTarget,
    manifest: PathBuf,
    workspace: PathBuf,
}

/// The guests of the crate or workspace in `dir`, by name.
pub(crate) fn guests(dir: &Path) -> Result<Vec<Guest>, BuildError> {
    let mut command = MetadataCommand::new();
    command.cargo_path(program()).current_dir(dir).no_deps();
    for variable in harmful_variables() {
        command.env_remove(variable);
    }
    let metadata =
        command.exec().map_err(|source| BuildError::Metadata { dir: dir.to_owned(), source: Box::new(source) })?;
    let workspace = metadata.workspace_root.as_std_path();
    let packages = metadata.workspace_packages().into_iter();
    let guests = packages.filter(|package| package.targets.iter().any(is_guest));
    let mut guests: Vec<Guest> = guests.map(|package| guest(package, workspace)).collect::<Result<_, _>>()?;
    guests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(guests)
}

fn guest(package: &Package, workspace: &Path) -> Result<Guest, BuildError> {
    let manifest = package.manifest_path.clone().into_std_path_buf();
    let dir = manifest.parent().unwrap_or(Path::new(".")).to_owned();
    let name = package.name.to_string();
    let target = match package.metadata.get("theater").and_then(|theater| theater.get("target")) {
        None => GuestTarget::Plain,
        Some(asked) => {
            let found = GuestTarget::ALL.into_iter().find(|target| asked.as_str() == Some(target.triple()));
            found.ok_or_else(|| BuildError::Target { name: name.clone(), target: asked.to_string() })?
        }
    };
    Ok(Guest { name, dir, target, manifest, workspace: workspace.to_owned() })
}

fn is_guest(target: &Target) -> bool {
    target.crate_types.contains(&CrateType::CDyLib)
}

/// Compiles these guests of the workspace in `dir`, those of one target in one run; what cargo made of
/// each, in the order of `guests`.
pub(crate) fn build(
    dir: &Path,
    guests: &[Guest],
    target_dir: Option<&Path>,
    quiet: bool,
) -> Result<Vec<PathBuf>, BuildError> {
    let mut modules = BTreeMap::new();
    for target in GuestTarget::ALL {
        let guests: Vec<&Guest> = guests.iter().filter(|guest| guest.target == target).collect();
        if !guests.is_empty() {
            modules.append(&mut build_for(target, dir, &guests, target_dir, quiet)?);
        }
    }
    guests
        .iter()
        .map(|guest| {
            let module = modules.get(&guest.manifest).cloned();
            module.ok_or_else(|| BuildError::NoModule { name: guest.name.clone() })
        })
        .collect()
}

fn build_for(
    target: GuestTarget,
    dir: &Path,
    guests: &[&Guest],
    target_dir: Option<&Path>,
    quiet: bool,
) -> Result<BTreeMap<PathBuf, PathBuf>, BuildError> {
    let toolchain = Toolchain::decide(dir, target)?;
    let mut command = Command::new(program());
    clean_environment(&mut command);
    command.current_dir(dir).args(["build", "--release", "--lib"]);
    command.arg("--message-format=json-render-diagnostics");
    for guest in guests {
        command.args(["--package", &guest.name]);
    }
    if let Some(guest) = guests.first() {
        command.args(["--config", &portable_paths(&guest.workspace, target)]);
    }
    if let Some(target_dir) = target_dir {
        command.arg("--target-dir").arg(target_dir);
    }
    if quiet {
        command.arg("--quiet");
    }
    toolchain.apply(&mut command, target);
    run(command, dir)
}

/// Runs `cargo build`; the modules it made or found fresh, by the Cargo.toml they are made from.
fn run(mut command: Command, dir: &Path) -> Result<BTreeMap<PathBuf, PathBuf>, BuildError> {
    let cannot_run = |source| BuildError::Run { program: program().display().to_string(), source };
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(cannot_run)?;
    let mut modules = BTreeMap::new();
    if let Some(stdout) = child.stdout.take() {
        for message in Message::parse_stream(BufReader::new(stdout)).map_while(Result::ok) {
            let Message::CompilerArtifact(artifact) = message else {
                continue;
            };
            if !is_guest(&artifact.target) {
                continue;
            }
            let module = artifact.filenames.into_iter().find(|file| file.extension() == Some("wasm"));
            if let Some(module) = module {
                let manifest = artifact.manifest_path.into_std_path_buf();
                modules.insert(manifest, module.into_std_path_buf());
            }
        }
    }
    let status = child.wait().map_err(cannot_run)?;
    if status.success() { Ok(modules) } else { Err(BuildError::Compile { dir: dir.to_owned() }) }
}

/// The setting that keeps this machine's folders out of the components, whose panics name source
/// files: so that a component tells nothing about who built it, and is the same from anywhere.
fn portable_paths(workspace: &Path, target: GuestTarget) -> String {
    let home = env::home_dir().map(|home| home.join(".cargo"));
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let beside_workspace = workspace.parent().map(Path::to_owned);
    let flags: Vec<String> = [(cargo_home, "cargo"), (beside_workspace, "..")]
        .into_iter()
        .filter_map(|(from, to)| Some((from?.into_os_string().into_string().ok()?, to)))
        // Inside TOML's single quotes nothing can be escaped.
        .filter(|(from, _)| !from.contains(|c: char| c == '\'' || c.is_control()))
        .map(|(from, to)| format!("'--remap-path-prefix={from}={to}'"))
        .collect();
    format!("target.{}.rustflags=[{}]", target.triple(), flags.join(","))
}

fn program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

/// Removes what an outer cargo, or the user for the host's builds, has set and what would end up in
/// the guest's build: flags for another target, another output folder, wrappers around rustc, a
/// changed release profile, the outer cargo's job server.
pub(crate) fn clean_environment(command: &mut Command) {
    for variable in harmful_variables() {
        command.env_remove(variable);
    }
}

fn harmful_variables() -> Vec<OsString> {
    env::vars_os().map(|(name, _)| name).filter(|name| is_harmful(name)).collect()
}

fn is_harmful(name: &OsStr) -> bool {
    const NAMES: [&str; 18] = [
        "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_RUSTC_WRAPPER",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_MAKEFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_TARGET_TMPDIR",
        "CARGO_UNSTABLE_BUILD_STD",
        "MAKEFLAGS",
        "MFLAGS",
        "OUT_DIR",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTFLAGS",
        "TARGET",
        "__CARGO_DEFAULT_LIB_METADATA",
    ];
    const PREFIXES: [&str; 3] = ["CARGO_FEATURE_", "CARGO_PKG_", "CARGO_PROFILE_"];
    let name = name.to_string_lossy();
    NAMES.contains(&name.as_ref()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_the_build_is_dropped() {
        for name in ["RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_PROFILE_RELEASE_LTO", "RUSTC_WRAPPER"] {
            assert!(is_harmful(OsStr::new(name)), "{name} must go");
        }
        for name in ["PATH", "CARGO_HOME", "RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "CARGO_NET_OFFLINE"] {
            assert!(!is_harmful(OsStr::new(name)), "{name} must stay");
        }
    }
}
