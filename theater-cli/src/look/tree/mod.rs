//! `theater tree`: how every actor stands. Who is alive comes from the running process, everything
//! else from the chains, so that it is the same afterwards.

mod facts;
mod node;
mod print;
mod rate;

use std::collections::{HashMap, HashSet};
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use theater::chain::data::{ActorTerminated, EventData as _};
use theater::chain::{ActorEntry, Head, codec};
use theater::sources::{Sources as _, SystemSources};
use theater::{ActorProcess, ActorStatus, ChainStore, TheaterCommand, TheaterId, TheaterReply, status_of};

use self::facts::{Facts, LastError, kebab};
use self::node::{Known, Node, nested};
use super::record;
use crate::args::TreeArgs;
use crate::client::Client;
use crate::failure::{Failure, Outcome, Status};
use crate::output::{Output, say};

/// How often a tree that is followed is looked at.
const TICK: Duration = Duration::from_millis(250);

pub(crate) fn tree(args: &TreeArgs) -> Outcome {
    let dir = &args.data.data;
    let mut view = View::open(dir)?;
    let client = Client::connect(dir);
    if client.is_none() {
        say(format_args!("note: nothing runs in {}; this is what the chains say", dir.display()));
    }
    match client {
        Some(client) if args.follow => follow(args, &mut view, client)?,
        mut client => {
            if args.follow {
                say(format_args!("note: nothing runs in {}, so nothing follows", dir.display()));
            }
            let roots = view.look(client.as_mut())?;
            if roots.is_empty() {
                say(format_args!("note: no actor was started"));
            }
            show(args, &roots)?;
        }
    }
    Ok(Status::Yes)
}

/// Shows the tree again whenever it changed, until the process that runs it ends.
fn follow(args: &TreeArgs, view: &mut View, client: Client) -> Result<(), Failure> {
    let mut client = Some(client);
    let is_drawn = !args.json && io::stdout().is_terminal();
    let (mut heads, mut shown): (Vec<Head>, Vec<Node>) = (Vec::new(), Vec::new());
    loop {
        // Nothing changes without an event, but for the time that goes by.
        let now = view.heads()?;
        let is_new = now != heads || client.is_none();
        if is_new || (is_drawn && shown.iter().any(Node::is_waiting)) {
            heads = now;
            let roots = view.look(client.as_mut())?;
            let settled: Vec<Node> = roots.iter().map(Node::settled).collect();
            if is_drawn {
                redraw(args, &roots)?;
            } else if settled != shown {
                show(args, &roots)?;
            }
            shown = settled;
        }
        let Some(alive) = &mut client else { return Ok(()) };
        if alive.ended_within(TICK) {
            client = None;
        }
    }
}

/// Writes the tree in place of what the terminal shows.
fn redraw(args: &TreeArgs, roots: &[Node]) -> Result<(), Failure> {
    console::Term::stdout().clear_screen()?;
    show(args, roots)
}

fn show(args: &TreeArgs, roots: &[Node]) -> Result<(), Failure> {
    let mut out = Output::new();
    if args.json {
        for root in roots {
            out.json(root)?;
        }
    } else {
        let width = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        for line in print::lines(roots, width) {
            out.line(format_args!("{line}"))?;
        }
    }
    Ok(out.flush()?)
}

/// The record, and what was read of it.
struct View {
    store: Box<dyn ChainStore>,
    facts: HashMap<TheaterId, Facts>,
}

impl View {
    fn open(dir: &Path) -> Result<Self, Failure> {
        Ok(Self { store: Box::new(record::open(dir)?), facts: HashMap::new() })
    }

    /// The newest event of every actor.
    fn heads(&self) -> Result<Vec<Head>, Failure> {
        let actors = record::block_on(record::actors(&*self.store))?;
        Ok(actors.into_iter().map(|actor| actor.head).collect())
    }

    /// The tree as it stands: as the process says, else as the record does.
    fn look(&mut self, client: Option<&mut Client>) -> Result<Vec<Node>, Failure> {
        let reply = client.map(|client| client.wait(&TheaterCommand::Tree)).transpose()?.flatten();
        match reply {
            None => record::block_on(self.recorded()),
            Some(TheaterReply::Actors(actors)) => record::block_on(self.live(actors)),
            Some(_) => Err(Failure::new("the process that runs the tree answers something else")),
        }
    }

    async fn live(&mut self, actors: Vec<ActorProcess>) -> Result<Vec<Node>, Failure> {
        let entries = record::actors(&*self.store).await?;
        let parents: HashSet<TheaterId> = actors.iter().filter_map(|actor| actor.parent).collect();
        let shown: HashSet<TheaterId> = actors.iter().map(|actor| actor.actor_id).collect();
        self.update(entries.iter().filter(|entry| shown.contains(&entry.id)), &parents).await?;
        let now_ms = SystemSources::new().wall_ms();
        Ok(nested(actors.into_iter().map(alive).collect(), &self.facts, now_ms))
    }

    async fn recorded(&mut self) -> Result<Vec<Node>, Failure> {
        let entries = record::actors(&*self.store).await?;
        let parents: HashSet<TheaterId> = entries.iter().filter_map(|entry| entry.index.parent).collect();
        self.update(entries.iter(), &parents).await?;
        let mut actors = Vec::with_capacity(entries.len());
        for entry in entries {
            actors.push(ended(&*self.store, entry).await?);
        }
        // The time at which the record ends.
        let now_ms = self.facts.values().map(|facts| facts.newest_ms).max().unwrap_or_default();
        Ok(nested(actors, &self.facts, now_ms))
    }

    async fn update(
        &mut self,
        entries: impl Iterator<Item = &ActorEntry>,
        parents: &HashSet<TheaterId>,
    ) -> Result<(), Failure> {
        for entry in entries {
            let facts = self.facts.entry(entry.id).or_default();
            facts.update(&*self.store, entry, parents.contains(&entry.id)).await?;
        }
        Ok(())
    }
}

fn alive(actor: ActorProcess) -> Known {
    Known {
        id: actor.actor_id,
        parent: actor.parent,
        status: actor.status,
        parked: actor.parked,
        incarnation: actor.incarnation,
        is_up: actor.is_alive(),
        is_restarting: Some(actor.status == ActorStatus::Restarting),
        remark: None,
        error: actor.last_error.map(|error| LastError { kind: kebab(&error.kind), message: error.message }),
        name: actor.name,
    }
}

/// An actor as its chain says. Without an end in it the process went down while it ran.
async fn ended(store: &dyn ChainStore, entry: ActorEntry) -> Result<Known, Failure> {
    let status = match entry.index.ended {
        None => None,
        Some(seq) => {
            let event = store.events(entry.id, seq, 1).await?.pop();
            let event = event.filter(|event| event.event_type == ActorTerminated::TYPE).ok_or_else(|| {
                Failure::new(format!("event {seq} of actor {} is not the end that the index says", entry.id))
                    .help("`theater verify` says what is damaged")
            })?;
            Some(status_of(&codec::decode::<ActorTerminated>(&event.data)?.reason))
        }
    };
    Ok(Known {
        id: entry.id,
        parent: entry.index.parent,
        status: status.unwrap_or(ActorStatus::Stopped),
        parked: false,
        incarnation: entry.index.incarnation,
        is_up: status.is_none(),
        is_restarting: None,
        remark: status.is_none().then(|| "the process went down while it ran".to_owned()),
        error: None,
        name: entry.index.name,
    })
}
