//! `theater build`.

use std::fs;
use std::path::{Path, PathBuf};

use theater_build::{Options, build_actors_in_place, build_guest};

use crate::args::BuildArgs;
use crate::failure::{Failure, Outcome, Status};
use crate::output::say;

pub(crate) fn build(args: &BuildArgs, quiet: bool) -> Outcome {
    let dir = &args.path;
    let cargo_toml = dir.join("Cargo.toml");
    let text = fs::read_to_string(&cargo_toml).map_err(|error| {
        Failure::new(format!("{} cannot be read", cargo_toml.display()))
            .because(&error)
            .help("name the folder of a guest crate; `theater new NAME` makes one")
    })?;
    let is_workspace = text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("workspace"));
    let options = Options { quiet, ..Options::default() };
    let components = if is_workspace {
        build_actors_in_place(dir, &options)?
    } else {
        // It says itself what it wrote.
        vec![build_guest(dir, &options)?]
    };
    for written in components {
        let component = named_by_manifest(&written)?;
        if !quiet && (is_workspace || component != written) {
            say(format_args!("wrote {}", component.display()));
        }
    }
    Ok(Status::Yes)
}

/// Gives a component the name that the manifest beside it says.
fn named_by_manifest(written: &Path) -> Result<PathBuf, Failure> {
    let wanted = wanted_name(written).unwrap_or_else(|| written.to_owned());
    if wanted != written {
        fs::rename(written, &wanted).map_err(|error| {
            Failure::new(format!("cannot write {}", wanted.display()))
                .because(&error)
                .help("the folder that the manifest's `component` names must exist")
        })?;
    }
    Ok(wanted)
}

fn wanted_name(written: &Path) -> Option<PathBuf> {
    let manifest = fs::read_to_string(written.with_extension("toml")).ok()?;
    let manifest: toml::Table = manifest.parse().ok()?;
    Some(written.parent()?.join(manifest.get("component")?.as_str()?))
}
