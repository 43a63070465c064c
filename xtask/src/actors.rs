//! `cargo xtask actors`.

use anyhow::{Context as _, Result};

use crate::shell::{headline, root};

/// Builds all actors, each beside its manifest, and installs the target for it where it is missing.
pub(crate) fn build() -> Result<()> {
    headline("building the actors");
    let built = theater_build::build_actors_in_place(&root().join("actors")).context("the actors cannot be built")?;
    eprintln!("{} components, each beside its manifest in actors", built.len());
    Ok(())
}
