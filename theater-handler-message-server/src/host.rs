//! The functions of `theater:simple/message-server-host`.

use theater::{Call, CallError, Relation, Result, TheaterId};

use crate::{HANDLE_REQUEST, HANDLE_SEND, MessageServerHandler};

type Sender<'a> = Call<'a, MessageServerHandler>;
type WitResult<T> = std::result::Result<T, String>;

pub(crate) fn send(mut call: Sender<'_>, (to, message): (String, Vec<u8>)) -> Result<(WitResult<()>,)> {
    let sent = match receiver(&mut call, &to) {
        Ok(to) => told(call.send(to, &HANDLE_SEND, &(message,)))?,
        Err(refused) => Err(refused),
    };
    Ok((sent,))
}

pub(crate) async fn request(mut call: Sender<'_>, (to, message): (String, Vec<u8>)) -> Result<(WitResult<Vec<u8>>,)> {
    let to = match receiver(&mut call, &to) {
        Ok(to) => to,
        Err(refused) => return Ok((Err(refused),)),
    };
    let limit = call.state().config.request_timeout;
    let answer = call.request(to, &HANDLE_REQUEST, |id| (id.to_owned(), message), limit).await;
    let answer = told(answer)?.and_then(|(answer,)| answer.ok_or_else(|| format!("actor {to} gave no answer")));
    Ok((answer,))
}

/// The actor with this id, if the one that calls may talk to it.
fn receiver(call: &mut Sender<'_>, id: &str) -> WitResult<TheaterId> {
    let to: TheaterId = id.parse().map_err(|_| {
        let id: String = id.chars().take(64).collect();
        format!("{id:?} is not the id of an actor, which has 32 lower-case hex digits")
    })?;
    let relation = call.relation(to);
    if relation == Relation::Unknown {
        return Err(CallError::NotFound(to).to_string());
    }
    match call.state().permissions.permits(relation) {
        Ok(()) => Ok(to),
        Err(peer) => {
            let rule = format!("talk_to = [{peer}]");
            let held = call.state().permissions.to_string();
            let refused = format!(
                "actor {} may not talk to actor {to}, which needs {rule}; it holds {held}; add it to `permissions` \
                 of the handler `message-server` in its manifest",
                call.actor_name()
            );
            call.deny(rule);
            Err(refused)
        }
    }
}

/// What the guest is told of a failed message. When the store has failed nothing can be recorded any
/// more, so that the guest must not go on.
fn told<T>(result: std::result::Result<T, CallError>) -> Result<WitResult<T>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(CallError::Store(failure)) => Err(failure.into()),
        Err(error) => Ok(Err(error.to_string())),
    }
}
