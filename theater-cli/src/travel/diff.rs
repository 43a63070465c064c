//! `theater diff`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use theater::TheaterId;
use theater::chain::diff::{Diff, Parting, Place, Side, diff as find};
use theater_store_sqlite::SqliteStore;

use super::show;
use crate::args::DiffArgs;
use crate::failure::{Failure, Outcome, Status};
use crate::look::find::Actors;
use crate::look::record;
use crate::output::{Output, say};

pub(crate) fn diff(args: &DiffArgs) -> Outcome {
    let store = record::open(&args.data.data)?;
    let other = args.other.as_deref().map(record::open).transpose()?;
    let ((a, b), found) = record::block_on(async {
        let a = named(&store, &args.a).await?;
        let b = named(other.as_ref().unwrap_or(&store), &args.b).await?;
        let sides =
            (Side { store: &store, actor: a.id }, Side { store: other.as_ref().unwrap_or(&store), actor: b.id });
        Ok(((a, b), find(sides.0, sides.1, &mut |_| {}).await?))
    })?;
    let mut out = Output::new();
    if args.json {
        out.json(&as_json(&a, &b, &found))?;
    } else {
        print(&mut out, &a, &b, &found)?;
    }
    out.flush()?;
    Ok(match &found.parting {
        Some(_) => Status::No,
        None if found.erased > 0 || !found.unchecked.is_empty() => Status::CannotTell,
        None => Status::Yes,
    })
}

/// An actor that was named.
struct Named {
    id: TheaterId,
    label: String,
}

async fn named(store: &SqliteStore, text: &str) -> Result<Named, Failure> {
    let actors = Actors::read(store).await?;
    let entry = actors.find(text)?;
    Ok(Named { id: entry.id, label: format!("{} {}", actors.path(entry), &entry.id.to_string()[..8]) })
}

fn as_json(a: &Named, b: &Named, found: &Diff) -> Value {
    let place = |place: &Option<Place>| {
        place.as_ref().map(|place| json!({ "actor_id": place.actor, "seq": place.seq, "event_type": place.event_type }))
    };
    let parting = found.parting.as_ref().map(|parting| {
        let [of_a, of_b] = &parting.events;
        let [in_a, in_b] = parting.values.each_ref().map(|value| value.as_deref().map(show::json));
        json!({
            "a": place(of_a),
            "b": place(of_b),
            "function": function(parting),
            "field": parting.field,
            "values": { "a": in_a, "b": in_b },
            "after": { "a": parting.after[0], "b": parting.after[1] },
        })
    });
    json!({
        "same": found.parting.is_none(),
        "a": a.id,
        "b": b.id,
        "common": found.common,
        "parting": parting,
        "other_component": found.other_component,
        "erased": found.erased,
        "unchecked": found.unchecked,
    })
}

fn function(parting: &Parting) -> Option<&str> {
    parting.events.iter().flatten().find_map(|place| place.function.as_deref())
}

fn print(out: &mut Output, a: &Named, b: &Named, found: &Diff) -> Result<(), Failure> {
    match &found.parting {
        None => out.line(format_args!("the same history: {} events", found.common))?,
        Some(parting) => {
            out.line(format_args!("{} events in common, then they part:", found.common))?;
            let values = parting.values.each_ref().map(|value| value.as_deref().map(show::json));
            let texts = show::side_by_side([values[0].as_ref(), values[1].as_ref()]);
            let sides = [a, b].into_iter().zip(&parting.events).zip(texts).zip(&parting.after);
            if let Some(function) = function(parting) {
                out.line(format_args!("  in {function}, {}", parting.field))?;
            } else {
                out.line(format_args!("  {}", parting.field))?;
            }
            for ((((name, place), text), after), letter) in sides.zip(["A", "B"]) {
                out.line(format_args!("{letter} {}", name.label))?;
                match place {
                    None => out.line(format_args!("  ends here"))?,
                    Some(place) => {
                        let of = if place.actor == name.id { String::new() } else { format!(" of {}", place.actor) };
                        let said = if parting.field == "end" { String::new() } else { format!(": {text}") };
                        out.line(format_args!("  event {}{of} {}{said}", place.seq, place.event_type))?;
                        out.line(format_args!("  from there on: {}", counts(after)))?;
                    }
                }
            }
        }
    }
    if found.other_component {
        say(format_args!("note: they run different components"));
    }
    if found.erased > 0 {
        say(format_args!(
            "note: {} of the events in common could not be compared, their payloads were erased",
            found.erased
        ));
    }
    for sentence in &found.unchecked {
        say(format_args!("note: not looked at: {sentence}"));
    }
    Ok(())
}

fn counts(after: &BTreeMap<String, u64>) -> String {
    let counted: Vec<String> = after.iter().map(|(event_type, count)| format!("{count} {event_type}")).collect();
    if counted.is_empty() { "nothing".to_owned() } else { counted.join(", ") }
}
