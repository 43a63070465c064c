//! Bundles: the record of an actor, or of a tree, as one file that can be carried elsewhere.
//!
//! A bundle is a tar archive of text files, so that it can be looked at, and its chains verified,
//! without Theater; `docs/bundles.md` describes it. [`export`] writes one from any store,
//! [`check`] says whether a file is a whole and unchanged one, [`import`] brings it into any store.
//! Chains travel as they are stored: nothing is encoded anew that a hash covers, what was erased
//! stays erased and what was pruned stays pruned. The same record gives the same bytes.
//!
//! That a bundle is unchanged does not say that its events tell a possible life: verify the store
//! that it was brought into ([`verify_store`](crate::verify_store)).

mod content;
mod error;
mod export;
mod import;
mod layout;
mod lines;
mod open;
mod read;

pub use error::BundleError;
pub use export::{Exported, export};
pub use import::{Arrival, Imported, check, import};
pub use read::{BundledActor, Contents};
