//! Bare tokio: a task with a mailbox and a guest, and a chain by hand.

use anyhow::{Context as _, Result};
use tokio::sync::{mpsc, oneshot};

use super::frames::Frames;
use super::guest::Guest;
use crate::client::{task, together};

/// Messages that wait, as by default in a manifest.
const ROOM: usize = 1_000;

struct Letter {
    text: Vec<u8>,
    reply: oneshot::Sender<Result<Vec<u8>>>,
}

/// Where to ask.
#[derive(Clone)]
pub(crate) struct Mailbox(mpsc::Sender<Letter>);

impl Mailbox {
    /// Starts the task. Of `frames`, one is written before each call and the rest after it, but for those
    /// that a request inside writes.
    pub(crate) async fn start(guest: &Guest, frames: Frames, peer: Option<Self>) -> Result<Self> {
        let (mailbox, mut letters) = mpsc::channel::<Letter>(ROOM);
        let mut live = guest.live(frames, peer).await?;
        let mut state = live.init().await?;
        task(async move {
            let mut n = 0_u64;
            while let Some(Letter { text, reply }) = letters.recv().await {
                live.store.data_mut().frames.next();
                let answer = live.request(state.clone(), format!("client/{n}"), text).await;
                n += 1;
                live.store.data_mut().frames.rest();
                let answer = answer.and_then(|(next, answer)| {
                    state = next;
                    answer.context("the guest gave no answer")
                });
                // Whoever asked may have gone.
                let _ = reply.send(answer);
            }
        });
        Ok(Self(mailbox))
    }

    /// Asks and waits for the answer.
    pub(crate) async fn ask(&self, text: Vec<u8>) -> Result<Vec<u8>> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Letter { text, reply }).await.ok().context("the bare actor has ended")?;
        answer.await?
    }
}

/// `messages` requests of `clients` clients, the nth to the nth mailbox.
pub(crate) async fn asked(mailboxes: &[Mailbox], clients: usize, messages: usize) -> Result<()> {
    together(clients, |n| {
        let mailbox = mailboxes[n % mailboxes.len()].clone();
        async move {
            for _ in 0..messages / clients {
                mailbox.ask(b"inc".to_vec()).await?;
            }
            Ok(())
        }
    })
    .await
}
