//! Misbehaves, each time exactly as a message tells it: what a runtime must contain.
//!
//! Its init bytes are `ok` (or none), `loop`, `trap`, `panic`, `err`, `decline` or `spin N`;
//! `later WHAT` is fine in its first life and in the next ones as WHAT, `later-once WHAT` in its second
//! one only. As a request or one way it takes: `trap`, `panic`, `err TEXT`, `recurse`, `loop`, `spin N` (N rounds of work),
//! `alloc`, `big-state N` and `big-reply N` (bytes), `flood-log [N]`, `flood-chain [N]`,
//! `flood-send ID [N]` (for ever without N), `sleepless` (sends itself a message for ever),
//! `start` (a child of a dynamic supervisor), `stop-foreign ID`, `restart-foreign ID`, `state-foreign ID`, `events-foreign ID`,
//! `request-then-panic ID TEXT`, `request-then-loop ID TEXT`, `shutdown [DATA]`, `calls` (how many it committed),
//! `tally` (how often it was told so since its instance was made: kept in a `static`, and logged).

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use theater_actor::prelude::*;

/// Kept in the instance's memory alone.
static TALLY: AtomicU64 = AtomicU64::new(0);

#[derive(Default, Serialize, Deserialize)]
struct Rogue {
    calls: u64,
    filler: String,
}

impl Actor for Rogue {
    fn init(start: &Start) -> Result<Self> {
        begin(std::str::from_utf8(start.bytes().unwrap_or_default())?.trim())?;
        Ok(Rogue::default())
    }
}

impl Messages for Rogue {
    fn handle_send(&mut self, message: Message<'_>) -> Result<()> {
        self.obey(message.text()?).map(drop)
    }

    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        self.obey(message.text()?)
    }
}

impl Rogue {
    fn obey(&mut self, order: &str) -> Result<Reply> {
        let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
        let mut reply = Reply::from("done");
        match verb {
            "trap" => std::process::abort(),
            "panic" => panic!("told to panic"),
            "err" => bail!("{rest}"),
            "recurse" => reply = dive(0).to_string().into(),
            "loop" => spin(u64::MAX),
            "spin" => spin(rest.parse()?),
            "alloc" => hoard(),
            "big-state" => self.filler = "x".repeat(rest.parse()?),
            "big-reply" => reply = vec![b'x'; rest.parse()?].into(),
            "flood-log" => flood(rest, || {
                info!("{}", "all work and no play ".repeat(50));
                Ok(())
            })?,
            "flood-chain" => flood(rest, || runtime::chain().map(|chain| drop(black_box(chain))))?,
            "flood-send" => {
                let (id, times) = rest.split_once(' ').unwrap_or((rest, ""));
                flood(times, || message::send(id, "flood"))?;
            }
            "sleepless" => message::send(&runtime::self_id(), "sleepless")?,
            "start" => {
                let spec = supervision::ChildSpec::new("", "");
                reply = supervision::start_child(&spec)?.unwrap_or_default().into();
            }
            "stop-foreign" => reply = told(supervisor::stop_child(rest).map(|()| "stopped")),
            "restart-foreign" => reply = told(supervisor::restart_child(rest).map(|()| "restarted")),
            "state-foreign" => reply = told(supervisor::child_state(rest).map(|_| "read")),
            "events-foreign" => reply = told(supervisor::child_events(rest).map(|_| "read")),
            "request-then-panic" => {
                ask(rest)?;
                panic!("told to panic after a request");
            }
            "request-then-loop" => {
                ask(rest)?;
                spin(u64::MAX);
            }
            "shutdown" => runtime::shutdown((!rest.is_empty()).then_some(rest.as_bytes())),
            "tally" => {
                let tally = TALLY.fetch_add(1, Ordering::Relaxed) + 1;
                info!("tally {tally}");
                self.filler = tally.to_string();
                reply = self.filler.clone().into();
            }
            "calls" => reply = self.calls.to_string().into(),
            _ => bail!("unknown order `{verb}`"),
        }
        self.calls += 1;
        Ok(reply)
    }
}

/// A request to another actor; its answer is left alone.
fn ask(parcel: &str) -> Result<()> {
    let (id, text) = parcel.split_once(' ').unwrap_or((parcel, ""));
    message::request(id, text).map(drop)
}

fn begin(order: &str) -> Result<()> {
    let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
    match verb {
        "" | "ok" => {}
        "loop" => spin(u64::MAX),
        "spin" => spin(rest.parse()?),
        "trap" => std::process::abort(),
        "panic" => panic!("told to panic in init"),
        "err" => bail!("told to fail in init"),
        "decline" => runtime::decline_start(),
        "later" if lives()? > 1 => begin(rest)?,
        "later-once" if lives()? == 2 => begin(rest)?,
        "later" | "later-once" => {}
        _ => bail!("unknown init bytes: {order}"),
    }
    Ok(())
}

/// Which of its lives this is.
fn lives() -> Result<usize> {
    Ok(runtime::chain()?.iter().filter(|event| event.event_type == "actor_started").count())
}

/// What an operation on another's child came to: an answer, so that a test can read it.
fn told(result: Result<&str>) -> Reply {
    match result {
        Ok(done) => done.into(),
        Err(refused) => format!("error: {refused}").into(),
    }
}

/// Work that the optimizer cannot remove.
fn spin(rounds: u64) {
    for round in 0..rounds {
        black_box(round);
    }
}

/// Recursion that the optimizer cannot make a loop of: it works after the call returns.
#[allow(unconditional_recursion, reason = "it is meant to overflow the stack")]
fn dive(depth: u64) -> u64 {
    let mut frame = black_box([depth; 8]);
    frame[0] += dive(black_box(depth + 1));
    black_box(frame).iter().sum()
}

/// Takes memory, a MiB at a time, and touches it.
fn hoard() {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Does something so many times, or for ever where no number is given.
fn flood(times: &str, mut act: impl FnMut() -> Result<()>) -> Result<()> {
    let times = if times.is_empty() { u64::MAX } else { times.parse()? };
    (0..times).try_for_each(|_| act())
}

theater_actor::export!(Rogue: messages);
