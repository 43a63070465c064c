//! Which Rust compiles for a guest's target: the installed one, the installed one after `rustup target
//! add`, or, for the plain target, one that has the sources of its libraries and compiles them too (a
//! distribution's Rust, for which rustup has nothing).

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{BuildError, cargo};

/// What a guest is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GuestTarget {
    /// No WASI, so that a component imports only what its actor calls. cargo makes a core module.
    Plain,
    /// WASI 0.2, for guests that use what of Rust's standard library needs a system, or crates that do.
    /// cargo makes a component.
    Wasi,
}

impl GuestTarget {
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Wasi];

    /// As rustc calls it.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::Plain => "wasm32-unknown-unknown",
            Self::Wasi => "wasm32-wasip2",
        }
    }
}

/// How to compile guests.
#[derive(Debug)]
pub(crate) enum Toolchain {
    /// The compiler that cargo uses by itself has the target.
    Installed,
    /// This compiler builds the standard library from its sources.
    BuildStd { rustc: PathBuf, linker: PathBuf },
}

impl Toolchain {
    /// Decides for the crate in `dir` (a `rust-toolchain.toml` there counts).
    pub(crate) fn decide(dir: &Path, target: GuestTarget) -> Result<Self, BuildError> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
        if has_target(&rustc, dir, target) {
            return Ok(Self::Installed);
        }
        let mut tried = vec![format!("`{}` does not have it", rustc.display())];
        match add_target(dir, target) {
            Ok(()) if has_target(&rustc, dir, target) => return Ok(Self::Installed),
            Ok(()) => tried.push("rustup added it to another toolchain".to_owned()),
            Err(why) => tried.push(why),
        }
        let no_toolchain =
            |tried: &[String]| BuildError::NoToolchain { target: target.triple(), tried: tried.join("; ") };
        if target == GuestTarget::Wasi {
            // Its standard library needs a C library, which the sources do not have.
            return Err(no_toolchain(&tried));
        }
        let found = distribution_compilers(rustc).into_iter().find_map(|rustc| with_library_sources(&rustc, dir));
        if let Some(Self::BuildStd { rustc, .. }) = &found {
            eprintln!(
                "building the standard library for {} with {} from its sources",
                target.triple(),
                rustc.display()
            );
        }
        tried.push("no compiler with its library sources was found".to_owned());
        found.ok_or_else(|| no_toolchain(&tried))
    }

    /// Arguments and environment for `cargo build`.
    pub(crate) fn apply(&self, command: &mut Command, target: GuestTarget) {
        command.args(["--target", target.triple()]);
        if let Self::BuildStd { rustc, linker } = self {
            command
                .arg("-Zbuild-std=std,panic_abort")
                // The option above is for nightly compilers; this makes a stable one take it.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTC", rustc)
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
    }
}

/// The output of a compiler's `--print`, trimmed; none where it cannot say.
fn print(rustc: &OsString, dir: &Path, what: &[&str]) -> Option<String> {
    let mut command = Command::new(rustc);
    cargo::clean_environment(&mut command);
    let output = command.current_dir(dir).args(what).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn has_target(rustc: &OsString, dir: &Path, target: GuestTarget) -> bool {
    print(rustc, dir, &["--print", "target-libdir", "--target", target.triple()])
        .and_then(|libraries| fs::read_dir(libraries).ok())
        .is_some_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
        })
}

fn add_target(dir: &Path, target: GuestTarget) -> Result<(), String> {
    eprintln!("running `rustup target add {}`", target.triple());
    let status = Command::new("rustup").current_dir(dir).args(["target", "add", target.triple()]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("rustup could not add it".to_owned()),
        Err(error) => Err(format!("rustup cannot be run ({error})")),
    }
}

/// The usual compiler, then those that distributions install beside it, as Debian's rustc-web in
/// `/usr/lib/rust-web`; the newest last by name, hence tried first.
fn distribution_compilers(usual: OsString) -> Vec<OsString> {
    let mut beside: Vec<PathBuf> = fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("rust-"))
        .map(|entry| entry.path().join("bin/rustc"))
        .filter(|rustc| rustc.is_file())
        .collect();
    beside.sort();
    let system = PathBuf::from("/usr/bin/rustc");
    let others = beside.into_iter().rev().chain([system]).map(PathBuf::into_os_string);
    [usual].into_iter().chain(others).collect()
}

fn with_library_sources(rustc: &OsString, dir: &Path) -> Option<Toolchain> {
    let sysroot = PathBuf::from(print(rustc, dir, &["--print", "sysroot"])?);
    if !sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file() {
        return None;
    }
    let host = print(rustc, dir, &["--print", "host-tuple"]).or_else(|| {
        let version = print(rustc, dir, &["-vV"])?;
        version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
    })?;
    let own = sysroot.join("lib/rustlib").join(host).join("bin/rust-lld");
    let linker = if own.is_file() { own } else { on_path(&["rust-lld", "wasm-ld"])? };
    // RUSTC in the environment of cargo must be a path that means the same in any folder.
    let rustc = sysroot.join("bin/rustc");
    rustc.is_file().then_some(Toolchain::BuildStd { rustc, linker })
}

fn on_path(programs: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    programs.iter().find_map(|program| env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file()))
}
