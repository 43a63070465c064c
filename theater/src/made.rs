//! What an actor is made of. Actors from one manifest share it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use theater_chain::Digest;

use crate::actor::lock;
use crate::handler::{ErasedHandler, Held};
use crate::manifest::ManifestConfig;
use crate::program::Program;

/// What an actor is made of: checked, compiled and linked, and but for its program the same for each
/// incarnation.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) manifest: ManifestConfig,
    /// What an incarnation starts with; what it runs is [`Actor::program`](crate::actor::Actor::program).
    pub(crate) begins_with: Arc<Program>,
    /// The listed handlers in manifest order.
    pub(crate) handlers: Vec<Arc<dyn ErasedHandler>>,
    /// What the actor holds, listed or granted, by handler name.
    pub(crate) held: Vec<(&'static str, Held)>,
}

impl Made {
    pub(crate) fn held(&self, handler: &str) -> Option<&Held> {
        self.held.iter().find(|(name, _)| *name == handler).map(|(_, held)| held)
    }

    /// Whether an actor that is made of the one cannot be told from an actor that is made of the other.
    fn is_same(&self, other: &Self) -> bool {
        let (ours, others) = (&self.begins_with, &other.begins_with);
        self.manifest.digest == other.manifest.digest
            && self.manifest.path == other.manifest.path
            && Arc::ptr_eq(&ours.component, &others.component)
            && (ours.since, &ours.version) == (others.since, &others.version)
            && self.held.len() == other.held.len()
            && self.held.iter().zip(&other.held).all(|((a, ours), (b, others))| a == b && ours.json == others.json)
    }
}

/// What the actors of a runtime are made of, by the digests of their manifests.
#[derive(Default)]
pub(crate) struct Templates(Mutex<HashMap<Digest, Vec<Weak<Made>>>>);

/// Templates that are known while nobody uses them.
const KEPT: usize = 256;

impl Templates {
    /// The one that there is already, where there is one.
    pub(crate) fn share(&self, made: Made) -> Arc<Made> {
        let mut known = lock(&self.0);
        if known.len() >= KEPT && known.len().is_power_of_two() {
            known.retain(|_, mades| mades.iter().any(|made| made.strong_count() > 0));
        }
        let mades = known.entry(made.manifest.digest).or_default();
        if let Some(same) = mades.iter().filter_map(Weak::upgrade).find(|other| other.is_same(&made)) {
            return same;
        }
        mades.retain(|made| made.strong_count() > 0);
        let made = Arc::new(made);
        mades.push(Arc::downgrade(&made));
        made
    }
}
