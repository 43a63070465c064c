//! From exported functions, which pass bytes, to the traits of [`actor`](crate::actor), which pass
//! typed state; and the macro that exports them.

use std::marker::PhantomData;

use crate::actor::{Actor, Children, Events, Messages, Migrate, Policy, Resumed, Start};
use crate::bindings;
use crate::supervision::{ActorError, ChildFailure, Decision};
use crate::{ChainEvent, Result, error, panics, state};

/// Exports the actor: `actor` always, and of the optional interfaces those that are named.
///
/// | name | trait | interface |
/// |---|---|---|
/// | `messages` | [`Messages`] | `message-server-client` |
/// | `children` | [`Children`] | `supervisor-handlers` |
/// | `resumed` | [`Resumed`] | `resumed` |
/// | `migrate` | [`Migrate`] | `migrate` |
/// | `policy` | [`Policy`] | `supervision-policy` |
/// | `events` | [`Events`] | `supervision-events` |
///
/// ```
/// use theater_actor::prelude::*;
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Echo;
///
/// impl Actor for Echo {}
///
/// impl Messages for Echo {
///     fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
///         Ok(message.bytes().into())
///     }
/// }
///
/// theater_actor::export!(Echo: messages);
/// ```
#[macro_export]
macro_rules! export {
    ($actor:ty $(: $($interface:ident),+ $(,)?)?) => {
        const _: () = {
            type Exported = $crate::Export<$actor>;
            $crate::__export_interface!(actor Exported);
            $($($crate::__export_interface!($interface Exported);)+)?
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_interface {
    (actor $exported:ident) => {
        $crate::bindings::actor::export!($exported with_types_in $crate::bindings::actor);
    };
    (messages $exported:ident) => {
        $crate::bindings::messages::export!($exported with_types_in $crate::bindings::messages);
    };
    (children $exported:ident) => {
        $crate::bindings::children::export!($exported with_types_in $crate::bindings::children);
    };
    (resumed $exported:ident) => {
        $crate::bindings::resumed::export!($exported with_types_in $crate::bindings::resumed);
    };
    (migrate $exported:ident) => {
        $crate::bindings::migrate::export!($exported with_types_in $crate::bindings::migrate);
    };
    (policy $exported:ident) => {
        $crate::bindings::policy::export!($exported with_types_in $crate::bindings::policy);
    };
    (events $exported:ident) => {
        $crate::bindings::events::export!($exported with_types_in $crate::bindings::events);
    };
    ($unknown:ident $exported:ident) => {
        ::core::compile_error!(::core::concat!(
            "there is no interface `",
            ::core::stringify!($unknown),
            "` to export: use messages, children, resumed, migrate, policy or events",
        ));
    };
}

/// The exported functions of the actor `A`. Named by the macro, not by people.
#[doc(hidden)]
#[derive(Debug)]
pub struct Export<A>(PhantomData<A>);

type State = Option<Vec<u8>>;

/// One turn: the state as the actor's type, the work, and the next state.
fn turn<A: Actor, R>(bytes: State, work: impl FnOnce(&mut A) -> Result<R>) -> Result<(State, R), String> {
    panics::report();
    let run = || {
        let mut actor = state::decode::<A>(bytes.as_deref())?;
        // A large state need not be in memory twice while the actor works.
        drop(bytes);
        let result = work(&mut actor)?;
        Ok((Some(state::encode(&actor)?), result))
    };
    run().map_err(|failure| error::message(&failure))
}

/// A turn without a result of its own.
fn plain_turn<A: Actor>(bytes: State, work: impl FnOnce(&mut A) -> Result<()>) -> Result<(State,), String> {
    turn(bytes, work).map(|(next, ())| (next,))
}

impl<A: Actor> bindings::actor::exports::theater::simple::actor::Guest for Export<A> {
    fn init(bytes: State, (id,): (String,)) -> Result<(State,), String> {
        panics::report();
        let start = Start::new(id, bytes);
        A::init(&start)
            .and_then(|actor| state::encode(&actor))
            .map(|next| (Some(next),))
            .map_err(|failure| error::message(&failure))
    }
}

impl<A: Resumed> bindings::resumed::exports::theater::simple::resumed::Guest for Export<A> {
    fn resumed(bytes: State, (id,): (String,)) -> Result<(State,), String> {
        plain_turn(bytes, |actor: &mut A| actor.resumed(&id))
    }
}

impl<A: Migrate> bindings::migrate::exports::theater::simple::migrate::Guest for Export<A> {
    fn migrate(bytes: State, (version,): (String,)) -> Result<(State,), String> {
        panics::report();
        // An actor that had no state has none to be changed.
        let Some(bytes) = bytes else { return Ok((None,)) };
        let migrate = || {
            let old = state::read("state of the old version", &bytes)?;
            drop(bytes);
            state::encode(&A::migrate(old, &version)?)
        };
        migrate().map(|next| (Some(next),)).map_err(|failure| error::message(&failure))
    }
}

impl<A: Messages> bindings::messages::exports::theater::simple::message_server_client::Guest for Export<A> {
    fn handle_send(bytes: State, (message,): (Vec<u8>,)) -> Result<(State,), String> {
        plain_turn(bytes, |actor: &mut A| actor.handle_send(message.as_slice().into()))
    }

    fn handle_request(bytes: State, (id, message): (String, Vec<u8>)) -> Result<(State, Option<Vec<u8>>), String> {
        let (next, reply) = turn(bytes, |actor: &mut A| actor.handle_request(&id, message.as_slice().into()))?;
        Ok((next, reply.into_bytes()))
    }
}

impl<A: Children> bindings::children::exports::theater::simple::supervisor_handlers::Guest for Export<A> {
    fn handle_child_error(bytes: State, (child, failure): (String, ActorError)) -> Result<(State,), String> {
        plain_turn(bytes, |actor: &mut A| actor.handle_child_error(&child, &failure))
    }

    fn handle_child_exit(bytes: State, (child, data): (String, Option<Vec<u8>>)) -> Result<(State,), String> {
        plain_turn(bytes, |actor: &mut A| actor.handle_child_exit(&child, data.as_deref()))
    }

    fn handle_child_external_stop(bytes: State, (child,): (String,)) -> Result<(State,), String> {
        plain_turn(bytes, |actor: &mut A| actor.handle_child_external_stop(&child))
    }
}

impl<A: Policy> bindings::policy::exports::theater::simple::supervision_policy::Guest for Export<A> {
    fn decide(bytes: State, (failure,): (ChildFailure,)) -> Result<(State, Decision), String> {
        turn(bytes, |actor: &mut A| actor.decide(&failure))
    }
}

impl<A: Events> bindings::events::exports::theater::simple::supervision_events::Guest for Export<A> {
    fn handle_child_event(bytes: State, (child, event): (String, ChainEvent)) -> Result<(State,), String> {
        plain_turn(bytes, |actor: &mut A| actor.handle_child_event(&child, &event))
    }
}
