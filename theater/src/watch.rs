//! What a handler of a parent watches in its children: their exits, and the calls that they refuse.

use std::sync::{Arc, Mutex};

use theater_chain::{Digest, TheaterId};

use crate::actor::{Actor, lock};
use crate::exits::{ChildExit, ExitHook};

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
        let mut hooks = lock(&self.0);
        let exits = &mut hooks.get_or_insert_default().exits;
        exits.is_none() && exits.replace(Arc::new(Mutex::new(hook))).is_none()
    }

    pub(crate) fn errs(&self, hook: ErrHook) -> bool {
        let mut hooks = lock(&self.0);
        let errs = &mut hooks.get_or_insert_default().errs;
        errs.is_none() && errs.replace(Arc::new(Mutex::new(hook))).is_none()
    }

    pub(crate) fn begins(&self, hook: BeginHook) -> bool {
        let mut hooks = lock(&self.0);
        let begins = &mut hooks.get_or_insert_default().begins;
        begins.is_none() && begins.replace(Arc::new(Mutex::new(hook))).is_none()
    }

    pub(crate) fn clear(&self) {
        *lock(&self.0) = None;
    }

    pub(crate) fn exit_hook(&self) -> Hook<ExitHook> {
        lock(&self.0).as_ref()?.exits.clone()
    }

    fn err_hook(&self) -> Hook<ErrHook> {
        lock(&self.0).as_ref()?.errs.clone()
    }
}

/// Tells the parent's handler, if one listens, that an operator has restarted this actor.
pub(crate) fn tell_begun(actor: &Actor) {
    let parent = actor.parent.as_ref().and_then(std::sync::Weak::upgrade);
    let hook = parent.and_then(|parent| lock(&parent.watch.0).as_ref()?.begins.clone());
    let Some(hook) = hook else { return };
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (lock(&hook))(actor.id)));
    if told.is_err() {
        crate::ending::fail_parent(actor);
    }
}

/// Runs the parent's hook; `false`: it panicked.
pub(crate) fn tell_exit(hook: &Mutex<ExitHook>, exit: ChildExit) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (lock(hook))(exit))).is_ok()
}

/// Tells the parent's handler, if one listens, that a call of this actor answered `err`.
pub(crate) fn tell_err(actor: &Actor, message: &str, error_hash: Digest) {
    let Some(parent) = actor.parent.as_ref().and_then(std::sync::Weak::upgrade) else {
        return;
    };
    let Some(hook) = parent.watch.err_hook() else {
        return;
    };
    let erred = ChildErr {
        child: actor.id,
        name: actor.name().to_owned(),
        incarnation: actor.incarnation,
        message: message.to_owned(),
        error_hash,
    };
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (lock(&hook))(erred)));
    if told.is_err() {
        crate::ending::fail_parent(actor);
    }
}
