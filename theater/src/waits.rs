//! Who waits for whom: one edge per actor, so that a cycle is found before it is closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use theater_chain::TheaterId;

use crate::actor::lock;
use crate::error::CycleError;

#[derive(Default, Clone)]
pub(crate) struct Waits(Arc<Mutex<Edges>>);

#[derive(Default)]
struct Edges {
    to: HashMap<TheaterId, (TheaterId, Token)>,
    last: Token,
}

/// Tells an edge from one that took its place.
type Token = u64;

/// An actor that waits; dropped when it does no more.
pub(crate) struct Edge {
    waits: Waits,
    from: TheaterId,
    token: Token,
}

impl Waits {
    /// Notes that `from` waits for `to`, unless `to` waits, over any number of others, for `from`.
    pub(crate) fn enter(
        &self,
        from: TheaterId,
        to: TheaterId,
        label: impl Fn(TheaterId) -> String,
    ) -> Result<Edge, CycleError> {
        let mut edges = lock(&self.0);
        let mut path = vec![from];
        let mut next = Some(to);
        while let Some(actor) = next {
            path.push(actor);
            if actor == from {
                drop(edges);
                let names: Vec<String> = path.into_iter().map(label).collect();
                return Err(CycleError { path: names.join(" -> ") });
            }
            // A cycle that does not go through `from` was noted, not entered; it ends the search.
            next = edges.to.get(&actor).map(|(to, _)| *to).filter(|to| *to == from || !path.contains(to));
        }
        Ok(self.insert(&mut edges, from, to))
    }

    /// As [`Waits::enter`], for what cannot be refused: a failed child waits for its supervisor.
    pub(crate) fn note(&self, from: TheaterId, to: TheaterId) -> Edge {
        self.insert(&mut lock(&self.0), from, to)
    }

    /// Forgets what `from` waits for.
    pub(crate) fn forget(&self, from: TheaterId) {
        lock(&self.0).to.remove(&from);
    }

    fn insert(&self, edges: &mut Edges, from: TheaterId, to: TheaterId) -> Edge {
        edges.last += 1;
        let token = edges.last;
        edges.to.insert(from, (to, token));
        Edge { waits: self.clone(), from, token }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let mut edges = lock(&self.waits.0);
        if edges.to.get(&self.from).is_some_and(|(_, token)| *token == self.token) {
            edges.to.remove(&self.from);
        }
    }
}
