//! `cargo xtask actors`.

use anyhow::{Context as _, Result};
use theater_build::{Options, build_actors_in_place};

use crate::shell::{headline, root};

/// Builds all actors, each beside its manifest, and installs the target for it where it is missing.
pub(crate) fn build() -> Result<()> {
    headline("building the actors");
    let built = build_actors_in_place(&root().join("actors"), &Options::default());
    let built = built.context("the actors cannot be built")?;
    eprintln!("{} components, each beside its manifest in actors", built.len());
    Ok(())
}
