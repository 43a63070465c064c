//! Asking another actor and waiting for its answer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use theater_chain::{Digest, TheaterId};
use tokio::sync::oneshot;

use crate::actor::Actor;
use crate::error::CallError;
use crate::export::{Export, Params, Results, decode_result};
use crate::journal::Extras;
use crate::manifest::Durability;
use crate::message::{self, Answer};
use crate::waits::Edge;

/// Sends a request at once; the future waits for its answer.
pub(crate) fn request<P: Params, R: Results>(
    sender: Arc<Actor>,
    to: TheaterId,
    export: &Export<P, R>,
    params: &P,
    id: String,
    begun: Option<Digest>,
    limit: Duration,
) -> impl Future<Output = Result<R, CallError>> + Send + use<P, R> {
    let sent = send(&sender, to, export, params, id, begun);
    async move {
        let (receiver, answer, _edge) = sent?;
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            () = sender.control.stopping() => return Err(CallError::Stopping),
            () = sender.shared.sources.sleep(limit) => {
                let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                return Err(CallError::Deadline { actor: receiver.id, limit_ms });
            }
        };
        let answer = received(&receiver, answer);
        if sender.made.manifest.durability == Durability::Sync {
            match &answer {
                Ok(answer) => sender.shared.journal.durable(answer.position).await?,
                Err(_) => sender.shared.journal.flushed().await?,
            }
        }
        let answer = answer?;
        decoded(receiver.id, &answer)
    }
}

type Sent = (Arc<Actor>, oneshot::Receiver<Result<Answer, CallError>>, Edge);

fn send<P: Params, R: Results>(
    sender: &Arc<Actor>,
    to: TheaterId,
    export: &Export<P, R>,
    params: &P,
    id: String,
    begun: Option<Digest>,
) -> Result<Sent, CallError> {
    let mut reserved = message::reserve(sender, to, export, params, id)?;
    let edge = sender.shared.tree.waits.enter(sender.id, to, |id| sender.shared.tree.label(id))?;
    let (reply, answer) = oneshot::channel();
    if let Some(message) = reserved.message() {
        message.reply = Some(reply);
    }
    let receiver = reserved.receiver.clone();
    if let Some(pending) = reserved.pending(begun) {
        sender.recorder.append_extras(Extras { pending_added: vec![pending], ..Extras::default() });
    }
    reserved.deliver(begun);
    Ok((receiver, answer, edge))
}

/// An answer as it came through the channel; a dropped channel means that the actor has gone.
pub(crate) fn received(
    receiver: &Actor,
    answer: Result<Result<Answer, CallError>, oneshot::error::RecvError>,
) -> Result<Answer, CallError> {
    answer.unwrap_or_else(|_| Err(CallError::NotFound(receiver.id)))
}

/// The typed result of an answer.
pub(crate) fn decoded<R: Results>(actor: TheaterId, answer: &Answer) -> Result<R, CallError> {
    match decode_result::<R>(&answer.result) {
        Ok(Ok(results)) => Ok(results),
        Ok(Err(message)) => Err(CallError::Guest(message)),
        Err(error) => Err(CallError::Answer { actor, reason: error.to_string() }),
    }
}
