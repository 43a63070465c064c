//! Named steps in the life of actors, at which a test may have something happen: that an actor's
//! supervisor is killed just there, for example. Behind the feature `testing`; without it the steps
//! are no code at all.
//!
//! The core's are `start.recorded`, `start.handlers`, `start.instantiated` and `start.ready`;
//! `stop.asked`; `restart.stopped`, `restart.verified` and `restart.registered`; `end.children`,
//! `end.recorded` and `end.told`; `send.recorded` and `request.recorded`, between the record of messages
//! that leave and their delivery. A handler has steps of its own, through
//! [`ActorRef::step`](crate::ActorRef).

/// A step that this actor has come to.
macro_rules! step {
    ($actor:expr, $name:literal) => {
        #[cfg(feature = "testing")]
        $crate::failpoint::reached(&$actor.shared, $name, $actor.id, $actor.parent_id).await;
    };
}

/// A step that this actor has come to in code that does not wait: the hook has the thread until it is
/// done, for which, should it wait, the runtime must have several threads.
macro_rules! step_at_once {
    ($actor:expr, $name:literal) => {
        #[cfg(feature = "testing")]
        $crate::failpoint::reached_at_once(&$actor.shared, $name, $actor.id, $actor.parent_id);
    };
}

pub(crate) use {step, step_at_once};

#[cfg(feature = "testing")]
pub use hooked::Step;
#[cfg(feature = "testing")]
pub(crate) use hooked::{Hook, reached, reached_at_once};

#[cfg(feature = "testing")]
mod hooked {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Waker};

    use theater_chain::TheaterId;
    use theater_chain::data::KillCause;
    use tokio::runtime::Handle;
    use tokio::task::block_in_place;

    use crate::exits::StoppedBy;
    use crate::runtime::{TheaterRuntime, TheaterRuntimeBuilder};
    use crate::shared::Shared;
    use crate::start::ActorRef;
    use crate::stop;

    /// A named step that was come to.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Step {
        /// Which.
        pub name: &'static str,
        /// Whose.
        pub actor: TheaterId,
        /// That actor's parent.
        pub parent: Option<TheaterId>,
    }

    /// Runs at each step, which goes on when the future is ready.
    pub(crate) type Hook = Arc<dyn Fn(Step) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

    pub(crate) async fn reached(shared: &Shared, name: &'static str, actor: TheaterId, parent: Option<TheaterId>) {
        if let Some(hook) = &shared.failpoints {
            hook(Step { name, actor, parent }).await;
        }
    }

    pub(crate) fn reached_at_once(shared: &Shared, name: &'static str, actor: TheaterId, parent: Option<TheaterId>) {
        let Some(hook) = &shared.failpoints else { return };
        let mut waits = hook(Step { name, actor, parent });
        // Most are about another step, and ready.
        if waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            block_in_place(|| Handle::current().block_on(waits));
        }
    }

    impl TheaterRuntimeBuilder {
        /// Has `hook` run at each named step, which goes on when its future is ready.
        #[must_use]
        pub fn at_steps<F>(mut self, hook: impl Fn(Step) -> F + Send + Sync + 'static) -> Self
        where
            F: Future<Output = ()> + Send + 'static,
        {
            self.failpoints = Some(Arc::new(move |step| Box::pin(hook(step))));
            self
        }
    }

    impl TheaterRuntimeBuilder {
        /// Commits each event, and what goes with it, by itself, so that a store that fails has the
        /// process go down between any two.
        #[must_use]
        pub fn each_alone(mut self) -> Self {
            self.each_alone = true;
            self
        }
    }

    impl TheaterRuntime {
        /// Kills an actor as a fault of its host does: nobody asked for it, so its supervisor
        /// decides. Does not wait; one that is not alive stays as it is.
        pub fn crash(&self, actor: TheaterId) {
            if let Some(found) = self.shared.tree.find(actor) {
                stop::kill(&found, KillCause::Host, StoppedBy::Itself);
            }
        }
    }

    impl ActorRef {
        /// A step of a handler, for `actor`: this one or a child of it.
        pub async fn step(&self, name: &'static str, actor: TheaterId) {
            let Some(shared) = self.shared() else { return };
            let parent = (actor != self.id()).then(|| self.id());
            reached(&shared, name, actor, parent).await;
        }
    }
}
