//! `theater:simple/supervisor-handlers`: an actor hears how its children end.

use theater::wit::WitActorError;
use theater::{ActorRef, CallError, ChildExit, ExitReason, Export, Params, StoppedBy};

/// A child failed or was killed.
pub(crate) const HANDLE_CHILD_ERROR: Export<(String, WitActorError), ()> =
    Export::new("theater:simple/supervisor-handlers", "handle-child-error");

/// A child ended well, or was stopped by this actor's `stop-child`.
pub(crate) const HANDLE_CHILD_EXIT: Export<(String, Option<Vec<u8>>), ()> =
    Export::new("theater:simple/supervisor-handlers", "handle-child-exit");

/// A child was stopped by an operator or the embedding program.
pub(crate) const HANDLE_CHILD_EXTERNAL_STOP: Export<(String,), ()> =
    Export::new("theater:simple/supervisor-handlers", "handle-child-external-stop");

/// Calls the callback that an exit asks for, if the actor exports it. Its place in the mailbox is
/// behind what the child sent before it ended, and before anything that others learn of the end.
pub(crate) fn tell(actor: &ActorRef, exit: ChildExit) {
    let id = exit.child.to_string();
    match (exit.stopped_by, exit.reason.error(), &exit.reason) {
        (StoppedBy::ParentQuietly, _, _) => {}
        (StoppedBy::Operator, _, _) => call(actor, &HANDLE_CHILD_EXTERNAL_STOP, &(id,), exit),
        (StoppedBy::Itself, Some(error), _) => {
            call(actor, &HANDLE_CHILD_ERROR, &(id, WitActorError::from(&error)), exit);
        }
        (StoppedBy::Itself, None, ExitReason::Normal(data)) => {
            call(actor, &HANDLE_CHILD_EXIT, &(id, data.clone()), exit);
        }
        _ => call(actor, &HANDLE_CHILD_EXIT, &(id, None), exit),
    }
}

fn call<P: Params>(actor: &ActorRef, export: &'static Export<P, ()>, params: &P, exit: ChildExit) {
    if !actor.exports(export) {
        return;
    }
    if let Some(mailbox) = &exit.mailbox {
        mailbox.wait_for_guest(); // it may restart the child
    }
    let told = actor.call(export, params, Some(exit.fact));
    let reporter = actor.clone();
    actor.spawn(async move {
        // A callback's `err` changes nothing; a trap or a timeout in it ends the supervisor.
        if let Err(CallError::Guest(message)) = told.await {
            reporter.record_error(format!("supervisor-handlers#{}", export.function()), &message);
        }
        // Until here the child's messages waited for a restart.
        drop(exit.mailbox);
    });
}
