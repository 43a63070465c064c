//! Asking another actor and waiting for its answer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use theater_chain::{Digest, TheaterId};
use tokio::sync::oneshot;

use crate::actor::Actor;
use crate::entry::Extras;
use crate::error::CallError;
use crate::export::{Export, Params, Results, decode_result};
use crate::failpoint::step_at_once;
use crate::manifest::Durability;
use crate::message::{self, Answer, Reserved};
use crate::resent;
use crate::waits::Edge;

/// Which request.
pub(crate) struct Asked {
    /// Its id.
    pub(crate) id: String,
    /// The event with which it began.
    pub(crate) begun: Option<Digest>,
    /// It was sent, or was about to be, when the process went down.
    pub(crate) before: bool,
}

/// Sends a request at once; the future waits for its answer.
pub(crate) fn request<P: Params, R: Results>(
    sender: Arc<Actor>,
    to: TheaterId,
    export: &Export<P, R>,
    params: &P,
    asked: Asked,
    limit: Duration,
) -> impl Future<Output = Result<R, CallError>> + Send + use<P, R> {
    let prepared = prepare(&sender, to, export, params, asked);
    async move {
        let (answer, _edge) = match prepared? {
            Prepared::Sent(sent) => sent,
            Prepared::Again(again) => {
                let (reserved, id, begun) = *again;
                match resent::answer(&sender.shared, to, &id).await? {
                    Some(answer) => return decoded(to, &answer?),
                    None => send(&sender, reserved?, begun)?,
                }
            }
        };
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            () = sender.control.stopping() => return Err(CallError::Stopping),
            () = sender.shared.sources.sleep(limit) => {
                let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                return Err(CallError::Deadline { actor: to, limit_ms });
            }
        };
        let answer = received(to, answer);
        if sender.made.manifest.durability == Durability::Sync {
            match &answer {
                Ok(answer) => sender.shared.journal.durable(answer.position).await?,
                Err(_) => sender.shared.journal.flushed().await?,
            }
        }
        let answer = answer?;
        decoded(to, &answer)
    }
}

/// An answer that is on its way, and that the sender waits for it.
type Sent = (oneshot::Receiver<Result<Answer, CallError>>, Option<Edge>);

/// A request as it begins.
enum Prepared {
    Sent(Sent),
    /// Whether it was sent before the process went down is to be found out.
    Again(Box<(Result<Reserved, CallError>, String, Option<Digest>)>),
}

fn prepare<P: Params, R: Results>(
    sender: &Arc<Actor>,
    to: TheaterId,
    export: &Export<P, R>,
    params: &P,
    asked: Asked,
) -> Result<Prepared, CallError> {
    let Asked { id, begun, before } = asked;
    if let Some(answer) = sender.shared.resent.take(&id).filter(|_| before) {
        // One that has gone since has answered: then nobody is waited for.
        let edge = sender.shared.tree.find(to).map(|_| enter(sender, to)).transpose()?;
        return Ok(Prepared::Sent((answer, edge)));
    }
    let reserved = message::reserve(sender, to, export, params, id.clone());
    if before {
        return Ok(Prepared::Again(Box::new((reserved, id, begun))));
    }
    send(sender, reserved?, begun).map(Prepared::Sent)
}

fn enter(sender: &Arc<Actor>, to: TheaterId) -> Result<Edge, CallError> {
    Ok(sender.shared.tree.waits.enter(sender.id, to, |id| sender.shared.tree.label(id))?)
}

fn send(sender: &Arc<Actor>, mut reserved: Reserved, begun: Option<Digest>) -> Result<Sent, CallError> {
    let receiver = reserved.receiver.clone();
    let edge = enter(sender, receiver.id)?;
    let (reply, answer) = oneshot::channel();
    if let Some(message) = reserved.message() {
        message.reply = Some(reply);
    }
    if let Some(pending) = reserved.pending(begun) {
        sender.recorder.append_extras(Extras { pending_added: vec![pending], ..Extras::default() });
    }
    step_at_once!(sender, "request.recorded");
    reserved.deliver(begun);
    Ok((answer, Some(edge)))
}

/// An answer as it came through the channel; a dropped channel means that the actor has gone.
pub(crate) fn received(
    receiver: TheaterId,
    answer: Result<Result<Answer, CallError>, oneshot::error::RecvError>,
) -> Result<Answer, CallError> {
    answer.unwrap_or_else(|_| Err(CallError::NotFound(receiver)))
}

/// The typed result of an answer.
pub(crate) fn decoded<R: Results>(actor: TheaterId, answer: &Answer) -> Result<R, CallError> {
    match decode_result::<R>(&answer.result) {
        Ok(Ok(results)) => Ok(results),
        Ok(Err(message)) => Err(CallError::Guest(message)),
        Err(error) => Err(CallError::Answer { actor, reason: error.to_string() }),
    }
}
