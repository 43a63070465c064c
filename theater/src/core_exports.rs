//! The exports that the core itself calls.

use std::sync::Arc;

use crate::export::{Export, ExportDef, TypedExport};

/// What makes a component an actor.
pub(crate) const INIT: Export<(String,), ()> = Export::new("theater:simple/actor", "init");

/// Runs after state was installed without `init`, where exported.
pub(crate) const RESUMED: Export<(String,), ()> = Export::new("theater:simple/resumed", "resumed");

/// Makes the state of this version from that of an earlier one, where exported.
pub(crate) const MIGRATE: Export<(String,), ()> = Export::new("theater:simple/migrate", "migrate");

pub(crate) fn defs() -> [Arc<dyn ExportDef>; 3] {
    [Arc::new(TypedExport(INIT)), Arc::new(TypedExport(RESUMED)), Arc::new(TypedExport(MIGRATE))]
}
