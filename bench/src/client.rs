//! Who sends messages from outside: each client numbers its own messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use theater::{ActorHandle, Outside};
use theater_handler_message_server::HANDLE_REQUEST;

/// A client of a runtime in this process.
pub(crate) struct Client {
    source: String,
    sent: u64,
}

impl Client {
    /// A new one: no other of this process has its name.
    pub(crate) fn new() -> Self {
        static CLIENTS: AtomicU64 = AtomicU64::new(0);
        Self { source: format!("client-{}", CLIENTS.fetch_add(1, Ordering::Relaxed)), sent: 0 }
    }

    /// Its name, the first part of its messages' ids.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The number of its next message.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Asks; the answer stays in this process, so nothing waits for the disk.
    pub(crate) async fn ask(&mut self, actor: &ActorHandle, text: &str) -> Result<Vec<u8>> {
        let from = Outside { source: &self.source, n: self.sent };
        self.sent += 1;
        let (answer,) = actor.call(&HANDLE_REQUEST, from, |id| (id.to_owned(), text.as_bytes().to_vec())).await?;
        answer.context("the actor gave no answer")
    }

    /// Asks, and waits until the answer is durable.
    pub(crate) async fn ask_durable(&mut self, actor: &ActorHandle, text: &str) -> Result<Vec<u8>> {
        let from = Outside { source: &self.source, n: self.sent };
        self.sent += 1;
        let (answer,) =
            actor.call_durable(&HANDLE_REQUEST, from, |id| (id.to_owned(), text.as_bytes().to_vec())).await?;
        answer.context("the actor gave no answer")
    }
}

/// Has `clients` clients do `work` at the same time, each in a task of its own, and waits for all.
pub(crate) async fn together<F>(clients: usize, work: impl Fn(usize) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let tasks: Vec<_> = (0..clients).map(|n| task(work(n))).collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// A task: whoever calls an actor is one, since the main thread would be woken for each answer.
pub(crate) fn task<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    #[expect(clippy::disallowed_methods, reason = "the client of a benchmark")]
    tokio::spawn(work)
}

/// `messages` requests of `clients` clients, the nth to the nth actor.
pub(crate) async fn asked(actors: &Arc<[ActorHandle]>, clients: usize, messages: usize, durable: bool) -> Result<()> {
    ensure!(!actors.is_empty(), "there is nobody to ask");
    together(clients, |n| {
        let actor = actors[n % actors.len()].clone();
        async move {
            let mut client = Client::new();
            for _ in 0..messages / clients {
                if durable {
                    client.ask_durable(&actor, "inc").await?
                } else {
                    client.ask(&actor, "inc").await?
                };
            }
            Ok(())
        }
    })
    .await
}
