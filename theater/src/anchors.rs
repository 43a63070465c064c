//! Anchors: a parent's chain says now and then how far the chains of its children have come, so
//! that a child's chain cannot be cut or rewritten without its parent's.

use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use theater_chain::data::{ChildAnchor, ChildrenAnchored};

use crate::actor::{Actor, lock};
use crate::recorder::Recorder;

/// Between two anchors of active children, with [`Anchor::Batched`].
const TICK: Duration = Duration::from_millis(100);

/// How often the children of an actor are anchored in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Anchor {
    /// Every 100 ms while they are active, and at each exit.
    #[default]
    Batched,
    /// At each transition, and at each exit.
    Every,
    /// At each exit.
    Lifecycle,
}

/// The anchoring of one parent.
#[derive(Default)]
pub(crate) struct Anchors(OnceLock<Box<Anchoring>>);

struct Anchoring {
    mode: Anchor,
    /// Held while a range is taken and recorded, so that the ranges of a child follow each other.
    active: Mutex<Active>,
}

#[derive(Default)]
struct Active {
    children: Vec<Arc<Actor>>,
    ticking: bool,
}

impl Anchors {
    /// Begins to anchor; only the first time counts.
    pub(crate) fn begin(&self, mode: Anchor) {
        let _ = self.0.set(Box::new(Anchoring { mode, active: Mutex::default() }));
    }
}

fn anchoring(parent: &Actor) -> Option<&Anchoring> {
    Some(parent.seldom_now()?.anchors.0.get()?)
}

/// Notes that a child's chain has a new transition.
pub(crate) fn touch(child: &Arc<Actor>) {
    let Some(parent) = child.parent.as_ref().and_then(Weak::upgrade) else {
        return;
    };
    let Some(anchoring) = anchoring(&parent) else {
        return;
    };
    match anchoring.mode {
        Anchor::Lifecycle => {}
        Anchor::Every => {
            let _active = lock(&anchoring.active);
            record(&parent, std::slice::from_ref(child));
        }
        // While all is stopped each exit is anchored, and no timer can be waited for.
        Anchor::Batched if child.recorder.anchored.is_active() || parent.shared.tree.is_closing() => {}
        Anchor::Batched => {
            let mut active = lock(&anchoring.active);
            if child.recorder.anchored.set_active() {
                active.children.push(child.clone());
            }
            if !std::mem::replace(&mut active.ticking, true) {
                let parent = parent.clone();
                let tick = parent.shared.sources.sleep(TICK);
                parent.clone().shared.spawn(async move {
                    // Not longer than the parent: the program may be about to drop its timers.
                    tokio::select! {
                        biased;
                        _ = parent.wait_ended() => {}
                        () = tick => self::tick(&parent),
                    }
                });
            }
        }
    }
}

fn tick(parent: &Arc<Actor>) {
    if let Some(anchoring) = anchoring(parent) {
        let mut active = lock(&anchoring.active);
        active.ticking = false;
        let children = std::mem::take(&mut active.children);
        if parent.ended().is_none() {
            record(parent, &children);
        }
    }
}

/// Anchors a child whose incarnation has ended.
pub(crate) fn exited(child: &Arc<Actor>) {
    if let Some(parent) = child.parent.as_ref().and_then(Weak::upgrade)
        && let Some(anchoring) = anchoring(&parent)
    {
        let _active = lock(&anchoring.active);
        record(&parent, std::slice::from_ref(child));
    }
}

fn record(parent: &Actor, children: &[Arc<Actor>]) {
    let entries: Vec<ChildAnchor> = children.iter().filter_map(|child| range(&child.recorder, child)).collect();
    if !entries.is_empty() {
        parent.recorder.append(&ChildrenAnchored { entries }, None);
    }
}

fn range(recorder: &Recorder, child: &Actor) -> Option<ChildAnchor> {
    let (head, incarnation) = recorder.position()?;
    let from = recorder.anchored.up_to(head.seq)?;
    Some(ChildAnchor {
        child: child.id,
        incarnation,
        from,
        to: head.seq,
        head: head.hash,
        volatile: recorder.ephemeral,
    })
}
