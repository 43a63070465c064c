//! Does to its own log and chain what a request tells it, for tests of the handler `runtime`.
//!
//! Requests: `log LEVEL TEXT`, `flood N BYTES` (so many lines at level info), `panic TEXT`, `id`,
//! `head` (in hex), `chain`, `chain FROM MAX` (the events, a line each: hash, parent, type,
//! timestamp and JSON, parted by spaces), `json BYTES`, `shutdown [TEXT]` and `decline`. The init
//! bytes `"decline"` make `init` decline.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Diarist {
    requests: u64,
}

impl Actor for Diarist {
    fn init(start: &Start) -> Result<Self> {
        if start.bytes() == Some(b"decline") {
            runtime::decline_start();
        }
        Ok(Diarist::default())
    }
}

impl Messages for Diarist {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        self.requests += 1;
        let order = message.text()?;
        let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        Ok(match verb {
            "log" => {
                runtime::log(level(first)?, second);
                "logged".into()
            }
            "flood" => {
                let line = "x".repeat(second.parse()?);
                (0..first.parse()?).for_each(|_: u64| runtime::log(runtime::LogLevel::Info, &line));
                "flooded".into()
            }
            "panic" => panic!("{rest}"),
            "id" => runtime::self_id().into(),
            "head" => hex(&runtime::chain_head()).into(),
            "chain" if rest.is_empty() => listed(runtime::chain()?)?.into(),
            "chain" => listed(runtime::chain_range(first.parse()?, second.parse()?)?)?.into(),
            "json" => runtime::event_json(rest.as_bytes())?.into(),
            "shutdown" => {
                runtime::shutdown((!rest.is_empty()).then_some(rest.as_bytes()));
                "shutting down".into()
            }
            "decline" => {
                runtime::decline_start();
                "declined".into()
            }
            _ => bail!("unknown order `{verb}`"),
        })
    }
}

fn level(name: &str) -> Result<runtime::LogLevel> {
    use runtime::LogLevel::{Debug, Error, Info, Trace, Warn};
    let levels = [("trace", Trace), ("debug", Debug), ("info", Info), ("warn", Warn), ("error", Error)];
    match levels.into_iter().find(|(known, _)| *known == name) {
        Some((_, level)) => Ok(level),
        None => bail!("no level `{name}`"),
    }
}

fn listed(chain: Vec<ChainEvent>) -> Result<String> {
    let mut lines = Vec::new();
    for event in chain {
        let parent = event.parent_hash.map_or("none".to_owned(), |hash| hex(&hash));
        let json = runtime::event_json(&event.data)?;
        lines.push(format!("{} {parent} {} {} {json}", hex(&event.hash), event.event_type, event.timestamp));
    }
    Ok(lines.join("\n"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

theater_actor::export!(Diarist: messages);
