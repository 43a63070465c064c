//! `theater events`.

use std::collections::HashMap;

use theater::chain::data::EVENT_TYPES;
use theater::chain::{ActorEntry, document};
use theater::{ChainEvent, ChainStore, TheaterCommand, TheaterId, TheaterReply};

use super::find::Actors;
use super::merge::Merge;
use super::{record, render};
use crate::args::EventsArgs;
use crate::client::Client;
use crate::failure::{Failure, Outcome, Status};
use crate::output::{Output, say};

/// How many events are read at once.
const PAGE: usize = 256;

pub(crate) fn events(args: &EventsArgs) -> Outcome {
    if let Some(unknown) = args.event_type.as_deref().filter(|wanted| !EVENT_TYPES.contains(wanted)) {
        return Err(Failure::new(format!("no event is of type {unknown:?}"))
            .help(format!("the types are {}", EVENT_TYPES.join(", "))));
    }
    let store = record::open(&args.data.data)?;
    if args.tree {
        record::block_on(subtree(args, &store))?;
        return Ok(Status::Yes);
    }
    let actor = record::block_on(async { Ok(Actors::read(&store).await?.find(&args.actor)?.clone()) })?;
    let mut printer = Printer { args, out: Output::new(), actor: actor.id, next: 0 };
    record::block_on(printer.up_to_date(&store))?;
    if args.follow {
        follow(&mut printer, &store, &actor)?;
    }
    Ok(Status::Yes)
}

/// Prints what is new until the process that writes it ends. That process only says that there is
/// something; the events are read from the store.
fn follow(printer: &mut Printer<'_>, store: &dyn ChainStore, actor: &ActorEntry) -> Result<(), Failure> {
    let dir = &printer.args.data.data;
    let Some(mut client) = Client::connect(dir) else {
        say(format_args!("note: nothing runs in {}, so nothing follows", dir.display()));
        return Ok(());
    };
    loop {
        let subscribe = TheaterCommand::SubscribeToActor { actor: actor.id, from: printer.next, max: 1 };
        let reply = client.wait(&subscribe)?;
        // Also after the last answer: what was written at the end.
        record::block_on(printer.up_to_date(store))?;
        match reply {
            Some(TheaterReply::Events(events)) if !events.is_empty() => {}
            _ => return Ok(()),
        }
    }
}

/// The longest name in front of an event, in characters.
const NAME: usize = 24;

/// Prints the events of an actor and of everything below it, in causal order.
async fn subtree(args: &EventsArgs, store: &dyn ChainStore) -> Result<(), Failure> {
    let actors = Actors::read(store).await?;
    let subtree = actors.subtree(actors.find(&args.actor)?);
    let names: HashMap<TheaterId, String> =
        subtree.iter().map(|actor| (actor.id, render::cut(&render::plain_text(actors.name(actor)), NAME))).collect();
    let width = names.values().map(|name| name.chars().count()).max().unwrap_or_default();
    let mut merge = Merge::open(store, &subtree).await?;
    let mut out = Output::new();
    while let Some((actor, event)) = merge.next().await? {
        if args.event_type.as_ref().is_some_and(|wanted| event.event_type != wanted.as_str()) {
            continue;
        }
        if args.json {
            out.json(&document::event_json(&actor, &event)?)?;
        } else {
            let (name, id) = (&names[&actor], actor.to_string());
            out.line(format_args!("{name:<width$}  {}  {}", &id[..8], render::line(&event)))?;
        }
    }
    Ok(out.flush()?)
}

struct Printer<'a> {
    args: &'a EventsArgs,
    out: Output,
    actor: TheaterId,
    /// The seq of the first event that was not looked at.
    next: u64,
}

impl Printer<'_> {
    /// Prints all that is in the store and was not printed yet.
    async fn up_to_date(&mut self, store: &dyn ChainStore) -> Result<(), Failure> {
        loop {
            let page = store.events(self.actor, self.next, PAGE).await?;
            let Some(last) = page.last() else { break };
            self.next = last.seq + 1;
            for event in &page {
                self.event(event)?;
            }
        }
        Ok(self.out.flush()?)
    }

    fn event(&mut self, event: &ChainEvent) -> Result<(), Failure> {
        if self.args.event_type.as_ref().is_some_and(|wanted| event.event_type != wanted.as_str()) {
            return Ok(());
        }
        if self.args.json {
            self.out.json(&document::event_json(&self.actor, event)?)?;
        } else {
            self.out.line(format_args!("{}", render::line(event)))?;
        }
        Ok(())
    }
}
