//! Running programs, and saying what runs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The repository.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap_or(root)
}

/// Says what comes next.
pub(crate) fn headline(text: &str) {
    eprintln!("\n== {text}");
}

/// The cargo that runs this task, in a folder of the repository.
pub(crate) fn cargo(folder: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root().join(folder));
    command
}

/// Runs a program to its end, under a headline that tells what it is for.
pub(crate) fn step(what: &str, command: &mut Command) -> Result<()> {
    headline(what);
    let shown = shown(command);
    let status = command.status().with_context(|| format!("cannot run `{shown}`"))?;
    if !status.success() {
        bail!("{what}: `{shown}` says no ({status})");
    }
    Ok(())
}

/// A command as one would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Builds the command line; returns its program.
pub(crate) fn theater() -> Result<PathBuf> {
    step("building the command line", cargo(".").args(["build", "--package", "theater-cli", "--bin", "theater"]))?;
    built("theater")
}

/// A program that cargo has built: it lies in the same folder as this one.
pub(crate) fn built(name: &str) -> Result<PathBuf> {
    let own = env::current_exe().context("cannot tell where this program is")?;
    let program = own.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX));
    if !program.is_file() {
        bail!("cargo built `{name}`, but not as {}; run `cargo xtask` as cargo runs it", program.display());
    }
    Ok(program)
}
