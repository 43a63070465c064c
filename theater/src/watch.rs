//! What a handler of a parent watches in its children: their exits, and the calls that they refuse.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use theater_chain::{Digest, TheaterId};

use crate::actor::{Actor, lock};
use crate::ending;
use crate::exits::ExitHook;

/// A call of a child answered `err`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChildErr {
    /// The child.
    pub child: TheaterId,
    /// The `name` in its manifest.
    pub name: String,
    /// Which of its lives.
    pub incarnation: u32,
    /// What it answered.
    pub message: String,
    /// In its chain: the `call_returned`.
    pub error_hash: Digest,
}

impl ChildErr {
    /// By the record.
    pub fn recorded(child: TheaterId, name: String, incarnation: u32, message: String, error_hash: Digest) -> Self {
        Self { child, name, incarnation, message, error_hash }
    }
}

/// Runs when an operator has restarted a child, on the operator's task: it must not wait.
pub(crate) type BeginHook = Box<dyn FnMut(TheaterId) + Send>;

/// Runs at each such call, on the child's task: it must not wait.
pub(crate) type ErrHook = Box<dyn FnMut(ChildErr) + Send>;

type Hook<H> = Option<Arc<Mutex<H>>>;

/// The hooks of one actor's handlers; gone when the actor ends.
#[derive(Default)]
pub(crate) struct Watch(Mutex<Option<Box<Hooks>>>);

#[derive(Default)]
struct Hooks {
    exits: Hook<ExitHook>,
    errs: Hook<ErrHook>,
    begins: Hook<BeginHook>,
}

impl Watch {
    /// Whether nobody listened before.
    pub(crate) fn exits(&self, hook: ExitHook) -> bool {
        set(&mut lock(&self.0).get_or_insert_default().exits, hook)
    }

    pub(crate) fn errs(&self, hook: ErrHook) -> bool {
        set(&mut lock(&self.0).get_or_insert_default().errs, hook)
    }

    pub(crate) fn begins(&self, hook: BeginHook) -> bool {
        set(&mut lock(&self.0).get_or_insert_default().begins, hook)
    }

    pub(crate) fn clear(&self) {
        *lock(&self.0) = None;
    }

    pub(crate) fn exit_hook(&self) -> Hook<ExitHook> {
        lock(&self.0).as_ref()?.exits.clone()
    }
}

fn set<H>(slot: &mut Hook<H>, hook: H) -> bool {
    let is_free = slot.is_none();
    if is_free {
        *slot = Some(Arc::new(Mutex::new(hook)));
    }
    is_free
}

/// Runs a hook of the actor's parent. One that panics is the parent's failure.
pub(crate) fn tell<T>(actor: &Actor, hook: &Mutex<Box<dyn FnMut(T) + Send>>, what: T) {
    if catch_unwind(AssertUnwindSafe(|| (lock(hook))(what))).is_err() {
        ending::fail_parent(actor);
    }
}

/// The hook of the actor's parent, if one listens.
fn parents<H>(actor: &Actor, which: impl FnOnce(&Hooks) -> Hook<H>) -> Hook<H> {
    let parent = actor.parent.as_ref()?.upgrade()?;
    which(lock(&parent.seldom_now()?.watch.0).as_ref()?)
}

/// Tells the parent's handler that an operator has restarted this actor.
pub(crate) fn tell_begun(actor: &Actor) {
    if let Some(hook) = parents(actor, |hooks| hooks.begins.clone()) {
        tell(actor, &hook, actor.id);
    }
}

/// Tells the parent's handler that a call of this actor answered `err`.
pub(crate) fn tell_err(actor: &Actor, message: &str, error_hash: Digest) {
    if let Some(hook) = parents(actor, |hooks| hooks.errs.clone()) {
        let erred = ChildErr {
            child: actor.id,
            name: actor.name().to_owned(),
            incarnation: actor.incarnation,
            message: message.to_owned(),
            error_hash,
        };
        tell(actor, &hook, erred);
    }
}
