//! From guest crates to component files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use crate::BuildError;
use crate::cargo::{self, Guest};
use crate::component::{check_actor, componentize};
use crate::toolchain::GuestTarget;

/// How to build guests. `Options::default()` is what a user at a terminal wants.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where cargo keeps its own files; none: where it does for this crate by itself.
    pub target_dir: Option<PathBuf>,
    /// The component file to write; none: `<package>.wasm` beside the actor's manifest, that is
    /// beside `<package>.toml` in the crate's folder or the one above, else in the crate's folder.
    pub component: Option<PathBuf>,
    /// Say nothing but errors.
    pub quiet: bool,
}

/// Builds the guest crate in `crate_dir` and returns the path of its component.
///
/// # Errors
/// See [`BuildError`]; a component that was there before is untouched then.
pub fn build_guest(crate_dir: &Path, options: &Options) -> Result<PathBuf, BuildError> {
    let dir = fs::canonicalize(crate_dir).map_err(BuildError::io("find", crate_dir))?;
    let guest = select(&dir, cargo::guests(&dir)?)?;
    let guests = [guest];
    let modules = cargo::build(&dir, &guests, options.target_dir.as_deref(), options.quiet)?;
    let [guest] = guests;
    let file = options.component.clone().unwrap_or_else(|| beside_manifest(&guest));
    for module in &modules {
        write_component(&guest, module, &file)?;
    }
    if !options.quiet {
        eprintln!("wrote {}", file.display());
    }
    Ok(file)
}

/// The guest whose own folder `dir` is, or the only one of the workspace there.
fn select(dir: &Path, mut guests: Vec<Guest>) -> Result<Guest, BuildError> {
    if let Some(own) = guests.iter().position(|guest| guest.dir == dir) {
        return Ok(guests.swap_remove(own));
    }
    guests.retain(|guest| guest.dir.starts_with(dir));
    let names = guests.iter().map(|guest| guest.name.as_str()).collect::<Vec<_>>().join(", ");
    match (guests.pop(), guests.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(BuildError::SeveralGuests { dir: dir.to_owned(), names }),
        (None, _) => Err(BuildError::NoGuest { dir: dir.to_owned() }),
    }
}

/// Builds all guests of a workspace in one run of cargo and writes `<out_dir>/<package>.wasm` for
/// each. Returns the paths, by name.
///
/// # Errors
/// See [`BuildError`].
pub fn build_actors(actors_dir: &Path, out_dir: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let options = Options::default();
    let place = |guest: &Guest| out_dir.join(format!("{}.wasm", guest.name));
    Ok(files(build_all(actors_dir, &options, place)?))
}

/// Like [`build_actors`], but each component goes beside its actor's manifest, as [`build_guest`]
/// does it by default: for running the actors from where they are. `options.component` is not used.
///
/// # Errors
/// See [`BuildError`].
pub fn build_actors_in_place(actors_dir: &Path, options: &Options) -> Result<Vec<PathBuf>, BuildError> {
    Ok(files(build_all(actors_dir, options, beside_manifest)?))
}

fn files(built: Vec<(Guest, PathBuf)>) -> Vec<PathBuf> {
    built.into_iter().map(|(_, file)| file).collect()
}

/// Builds all guests of a workspace; `place` says where each component goes. Returns where each went.
pub(crate) fn build_all(
    actors_dir: &Path,
    options: &Options,
    place: impl Fn(&Guest) -> PathBuf,
) -> Result<Vec<(Guest, PathBuf)>, BuildError> {
    let dir = fs::canonicalize(actors_dir).map_err(BuildError::io("find", actors_dir))?;
    let guests = cargo::guests(&dir)?;
    if guests.is_empty() {
        return Err(BuildError::NoGuest { dir });
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = guests.iter().find(|guest| !names.insert(&guest.name)) {
        return Err(BuildError::SameName { name: twice.name.clone() });
    }
    let modules = cargo::build(&dir, &guests, options.target_dir.as_deref(), options.quiet)?;
    let write = |(guest, module): (Guest, PathBuf)| {
        let file = place(&guest);
        write_component(&guest, &module, &file)?;
        Ok((guest, file))
    };
    guests.into_iter().zip(modules).map(write).collect()
}

fn beside_manifest(guest: &Guest) -> PathBuf {
    let above = guest.dir.parent().map(Path::to_owned);
    let dir = [Some(guest.dir.clone()), above]
        .into_iter()
        .flatten()
        .find(|dir| dir.join(format!("{}.toml", guest.name)).is_file())
        .unwrap_or_else(|| guest.dir.clone());
    dir.join(format!("{}.wasm", guest.name))
}

fn write_component(guest: &Guest, module: &Path, file: &Path) -> Result<(), BuildError> {
    let write = || {
        let built = fs::read(module).map_err(BuildError::io("read", module))?;
        let component = match guest.target {
            GuestTarget::Plain => componentize(&built)?,
            GuestTarget::Wasi => built,
        };
        check_actor(&component)?;
        replace(file, &component)
    };
    write().map_err(|source| BuildError::Guest { name: guest.name.clone(), source: Box::new(source) })
}

/// Writes the file by rename, so that nobody sees half of it; a file with these bytes is left alone.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    if fs::read(file).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).map_err(BuildError::io("create", dir))?;
    }
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", process::id()));
    let temporary = PathBuf::from(temporary);
    fs::write(&temporary, bytes).map_err(BuildError::io("write", &temporary))?;
    fs::rename(&temporary, file).map_err(BuildError::io("write", file))
}
