//! The declared children: started with their supervisor, in their order.

use std::collections::HashSet;
use std::sync::Arc;

use theater::chain::data::SupervisionActionKind;
use theater::{ActorError, ChildError, Digest, SpawnError, StoppedBy, Subtree, TheaterId};
use theater_supervision_policy::{Spec, Strategy};

use crate::manifests;
use crate::supervision::{Cause, Supervision};
use crate::wit::restart_from;

impl Supervision {
    /// Starts the declared children, each after the one before runs. The first that fails has
    /// those that were started stopped in reverse, and is why the supervisor fails.
    pub(crate) async fn start_declared(
        self: &Arc<Self>,
        tree: &Subtree,
        again: Option<Digest>,
        waiting: Vec<Cause>,
    ) -> Result<(), ActorError> {
        if self.policy.strategy == Strategy::Dynamic || self.policy.children.is_empty() {
            return Ok(());
        }
        self.permitted(tree)?;
        let ended = waiting.iter().map(Cause::child).collect();
        self.lock().beginning = Some(waiting);
        self.start_all(tree, again, &ended).await?;
        self.all_started();
        Ok(())
    }

    /// Of a fork, which has none of them: their specs are there, as of children that declined to start.
    pub(crate) fn without_declared(&self) {
        if self.policy.strategy == Strategy::Dynamic {
            return;
        }
        for spec in &self.policy.children {
            let child = TheaterId::of_spec(&self.actor.id(), &spec.id);
            let mut state = self.lock();
            state.engine.specified(child, spec.clone());
            state.declined(child);
        }
    }

    /// `ended`: those that were started before the process went down, and ended again.
    async fn start_all(
        self: &Arc<Self>,
        tree: &Subtree,
        again: Option<Digest>,
        ended: &HashSet<TheaterId>,
    ) -> Result<(), ActorError> {
        let mut started = Vec::new();
        for spec in &self.policy.children {
            let child = TheaterId::of_spec(&self.actor.id(), &spec.id);
            self.lock().engine.specified(child, spec.clone());
            if ended.contains(&child) {
                continue;
            }
            match self.start_one(tree, child, spec, again).await {
                Ok(true) => {
                    started.push(child);
                    self.follow_events(child);
                }
                Ok(false) => {
                    self.lock().declined(child);
                }
                Err(error) => {
                    for child in started.into_iter().rev() {
                        // One that has ended is stopped.
                        let _ = tree.stop(child, None, StoppedBy::ParentQuietly).await;
                    }
                    return Err(failed(spec, &error));
                }
            }
        }
        Ok(())
    }

    fn permitted(&self, tree: &Subtree) -> Result<(), ActorError> {
        let refused = |reason: String| Err(ActorError::new(theater::ErrorType::InstantiateFailed, reason));
        let (children, max) = (self.policy.children.len(), self.permissions.max_children);
        if children > max as usize {
            return refused(format!(
                "{children} children are declared and {max} are permitted; write `permissions = {{ max_children = {children} }}` in the supervisor entry of its manifest"
            ));
        }
        let (depth, max) = (tree.depth() + 1, self.permissions.max_depth);
        if depth > max {
            return refused(format!(
                "a child would stand {depth} deep in the tree, and {max} is permitted; write `permissions = {{ max_depth = .. }}` in the supervisor entry of its manifest"
            ));
        }
        Ok(())
    }

    /// Whether it runs; `false`: its `init` declined. `again`: the start of a supervisor that lived
    /// before, whose children go on.
    async fn start_one(
        &self,
        tree: &Subtree,
        child: TheaterId,
        spec: &Spec,
        again: Option<Digest>,
    ) -> Result<bool, SpawnError> {
        let tree = self.for_child(tree, child);
        if tree.is_running(child) {
            tree.declare(child);
            return Ok(true); // it was started before the process went down
        }
        if let Some(started) = again {
            match tree.require(child).await {
                Ok(()) => {
                    // Where its record cannot be read the restart says so.
                    if let Ok(known) = tree.status(child).await {
                        self.note_kind(child, known.handlers.iter().map(String::as_str));
                    }
                    let from = restart_from(self.lock().engine.declared_state(child));
                    let restarted = tree.restart(child, from, Some(started)).await;
                    if let Err(SpawnError::Rejected { .. }) = &restarted {
                        let rejected = self.lock().engine.rejected(child, None, self.actor.at_ms());
                        for decision in
                            rejected.iter().filter(|decision| decision.action == SupervisionActionKind::Reject)
                        {
                            self.actor.record_decision(|parent| decision.record(None, parent, None));
                        }
                    }
                    return restarted.map(|started| started.is_some());
                }
                Err(ChildError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let folder = tree.folder().to_owned();
        let manifest = manifests::open(&folder, &spec.manifest, &self.permissions)
            .map_err(|refused| SpawnError::Refused(refused.error.to_string()))?;
        self.note_kind(child, manifest.handlers.iter().map(|entry| entry.name.as_str()));
        tree.spawn_declared(&spec.id, manifest).await.map(|started| started.is_some())
    }

    /// Notes whether a child supervises, by its handlers: one that declines to start is counted, too.
    pub(crate) fn note_kind<'a>(&self, child: TheaterId, mut handlers: impl Iterator<Item = &'a str>) {
        let supervises = handlers.any(|handler| handler == "supervisor");
        self.lock().supervisors.insert(child, supervises);
    }
}

fn failed(spec: &Spec, error: &SpawnError) -> ActorError {
    let cause = error.as_actor_error();
    let mut failed = ActorError::new(cause.kind, format!("child `{}` did not start: {}", spec.id, cause.message));
    (failed.data, failed.deterministic) = (cause.data, false);
    failed
}
