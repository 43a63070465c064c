//! `theater:simple/supervision-policy`: the guest decides before the declared policy does.

use std::future::Future;
use std::sync::Arc;

use theater::wit::WitActorError;
use theater::{CallError, ChildExit, Export};
use theater_supervision_policy::{Class, GuestDecision, Question};

use crate::callbacks;
use crate::supervision::{Cause, Supervision};
use crate::wit::{ChildFailure, Decision};

/// Asked at each failure of a child that no rule decided.
pub(crate) const DECIDE: Export<(ChildFailure,), (Decision,)> =
    Export::new("theater:simple/supervision-policy", "decide");

/// Asks the guest, before every message in its mailbox, and does what follows from its answer. An
/// `err` is recorded and leaves it to the declared policy; a trap ends the supervisor.
pub(crate) fn ask(supervision: &Arc<Supervision>, exit: Box<ChildExit>, question: Question) {
    let actor = &supervision.actor;
    if let Some(mailbox) = &exit.mailbox {
        mailbox.wait_for_guest(); // before the guest can begin
    }
    let answer = actor.call_to_decide(&DECIDE, &(failure(supervision, &exit, question),), Some(exit.fact));
    answered(supervision, exit, answer);
}

/// Does what follows from an answer that is on its way.
pub(crate) fn answered(
    supervision: &Arc<Supervision>,
    exit: Box<ChildExit>,
    answer: impl Future<Output = Result<(Decision,), CallError>> + Send + 'static,
) {
    if let Some(mailbox) = &exit.mailbox {
        mailbox.wait_for_guest();
    }
    let asking = supervision.clone();
    let actor = supervision.actor.clone();
    actor.spawn(async move {
        let (actor, phase) = (&asking.actor, "supervision-policy#decide");
        let decision = match answer.await {
            Ok((decision,)) => GuestDecision::try_from(decision).unwrap_or_else(|reason| {
                actor.record_error(phase, &reason);
                GuestDecision::Policy
            }),
            Err(CallError::Guest(message)) => {
                actor.record_error(phase, &message);
                GuestDecision::Policy
            }
            Err(_) => return,
        };
        let mut state = asking.lock();
        asking.revive(&mut state);
        if lives_again(&asking, &exit) {
            state.engine.up(exit.child);
            drop(state);
            return callbacks::tell(&asking.actor, *exit);
        }
        let step = state.engine.answered(exit.child, decision, asking.actor.at_ms());
        asking.follow(state, step, Cause::Exit(exit));
    });
}

/// Whether an operator has started the child again meanwhile: then the question is moot.
fn lives_again(supervision: &Supervision, exit: &ChildExit) -> bool {
    let incarnation = supervision.tree().and_then(|tree| tree.incarnation(exit.child));
    incarnation.is_some_and(|incarnation| incarnation > exit.incarnation)
}

fn failure(supervision: &Supervision, exit: &ChildExit, question: Question) -> ChildFailure {
    let actor_id = exit.child.to_string();
    let child_id = supervision.lock().engine.spec(exit.child).map_or_else(|| actor_id.clone(), |spec| spec.id.clone());
    let state_hash = supervision.tree().and_then(|tree| tree.state_hash(exit.child));
    let error = exit.reason.error();
    ChildFailure {
        child_id,
        actor_id,
        incarnation: exit.incarnation,
        error: WitActorError::from(
            &error.unwrap_or_else(|| theater::ActorError::new(theater::ErrorType::GuestError, exit.reason.to_string())),
        ),
        class: match question.class {
            Class::Temporary => "temporary",
            Class::Permanent => "permanent",
            Class::Expected => "expected",
        }
        .to_owned(),
        attempts: question.attempts,
        error_hash: exit.error_hash.as_bytes().to_vec(),
        state_hash: state_hash.filter(|hash| !hash.is_zero()).map(|hash| hash.as_bytes().to_vec()),
    }
}
