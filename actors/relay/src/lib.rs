//! Passes messages on and supervises, as a message tells it, and records what it hears, for tests.
//!
//! Orders, as requests; `ID` is an actor or a child, what follows it is text:
//!
//! - messages: `request ID TEXT`, `send ID TEXT`, `send-then-trap ID TEXT`, `send-then-err ID TEXT`;
//!   TEXT may be an order for another relay (`request B request A ping`)
//! - children: `spawn PATH [INIT]`, `resume PATH [STATE]`, `stop ID`, `restart ID`, `state ID`,
//!   `events ID` (their types), `list`
//! - children in full: `start ID MANIFEST [OPTIONS]` (see `children`), `delete ID`, `spec ID`, `terminate ID`, `which`, `count`, `restart-with ID reset|resume|custom STATE`,
//!   `escalate REASON`, `keep reset|resume` (restarts each child that fails), `keep stop` (stops it),
//!   `keep fail|panic` (as a callback),
//!   `which-on-error` (notes how a child that fails is listed)
//! - itself: `ping`, `id`, `log`, `chain` (its event types), `panic`, `fail`, `shutdown [DATA]`, `decline`
//!   (in `init`), `say TEXT` (what it answers to `said`, `ping` before), `as ID` (asks that relay for
//!   `said` and obeys)
//!
//! The answer is what came back, or `error: ` and why not. A one-way message `do ORDER` is obeyed and
//! recorded with its answer; init bytes `do ORDER` and `as ID` too, and there an error fails the start.

mod children;

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Relay {
    log: Vec<String>,
    /// It restarts children that fail, with the state that this names.
    keep: Option<String>,
    /// The order for those that ask `said`.
    say: Option<String>,
}

impl Actor for Relay {
    fn init(start: &Start) -> Result<Self> {
        let mut relay = Relay::default();
        let text = String::from_utf8_lossy(start.bytes().unwrap_or_default()).into_owned();
        relay.log.push(format!("init {text}").trim_end().to_owned());
        if let Some(order) = text.strip_prefix("do ") {
            let answer = relay.obey(order)?;
            relay.log.push(answer);
        }
        if text.starts_with("as ") {
            let answer = relay.obey(&text)?;
            relay.log.push(answer);
        }
        Ok(relay)
    }
}

impl Messages for Relay {
    fn handle_send(&mut self, message: Message<'_>) -> Result<()> {
        let text = String::from_utf8_lossy(message.bytes());
        self.log.push(format!("send {text}"));
        if let Some(order) = text.strip_prefix("do ") {
            let answer = self.answer(order);
            self.log.push(answer);
        }
        Ok(())
    }

    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let order = message.text()?;
        if let Some(parcel) = order.strip_prefix("send-then-err ") {
            self.obey(&format!("send {parcel}"))?;
            bail!("told to fail after a send");
        }
        Ok(self.answer(order).into())
    }
}

impl Children for Relay {
    fn handle_child_error(&mut self, child: &str, error: &ActorError) -> Result<()> {
        self.log.push(format!("child-error {child} {error}"));
        match self.keep.as_deref() {
            Some("stop") => {
                let stopped = children::obey("stop", child).unwrap_or(Ok(String::new()))?;
                self.log.push(format!("gave up: {stopped}"));
            }
            Some("fail") => bail!("told to fail in a callback"),
            Some("panic") => panic!("told to panic in a callback"),
            Some("nothing") => self.log.push(children::seen_of(child)),
            Some(state) => drop(children::restart_with(child, state)?),
            None => {}
        }
        Ok(())
    }

    fn handle_child_exit(&mut self, child: &str, data: Option<&[u8]>) -> Result<()> {
        let data = data.map(String::from_utf8_lossy).unwrap_or("none".into());
        self.log.push(format!("child-exit {child} {data}"));
        Ok(())
    }

    fn handle_child_external_stop(&mut self, child: &str) -> Result<()> {
        self.log.push(format!("child-external-stop {child}"));
        Ok(())
    }
}

impl Relay {
    fn answer(&mut self, order: &str) -> String {
        self.obey(order).unwrap_or_else(|refused| format!("error: {refused}"))
    }

    fn obey(&mut self, order: &str) -> Result<String> {
        let (verb, rest) = split(order);
        if let Some(answer) = children::obey(verb, rest) {
            return answer;
        }
        let (id, text) = split(rest);
        Ok(match verb {
            "ping" => "pong".to_owned(),
            "which-on-error" => {
                self.keep = Some("nothing".to_owned());
                "watching".to_owned()
            }
            "keep" => {
                self.keep = Some(rest.to_owned());
                "keeping".to_owned()
            }
            "id" => runtime::self_id(),
            "log" => self.log.join("\n"),
            "chain" => types(runtime::chain()?),
            "panic" => panic!("told to panic"),
            "fail" => bail!("told to fail"),
            "decline" => {
                runtime::decline_start();
                "declining".to_owned()
            }
            "say" => {
                self.say = Some(rest.to_owned());
                "noted".to_owned()
            }
            "as" => {
                let order = text_of(message::request(id, "said")?);
                self.obey(&order)?
            }
            "said" => self.say.clone().unwrap_or("ping".to_owned()),
            "shutdown" => {
                runtime::shutdown((!rest.is_empty()).then_some(rest.as_bytes()));
                "shutting down".to_owned()
            }
            "request" => text_of(message::request(id, text)?),
            "send" => {
                message::send(id, text)?;
                "sent".to_owned()
            }
            "send-then-trap" => {
                message::send(id, text)?;
                panic!("told to panic after a send");
            }
            _ => bail!("unknown order `{verb}`"),
        })
    }
}

/// The first word and the rest.
fn split(order: &str) -> (&str, &str) {
    order.split_once(' ').unwrap_or((order, ""))
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The types of events, a line each.
fn types(chain: Vec<ChainEvent>) -> String {
    chain.into_iter().map(|event| event.event_type).collect::<Vec<_>>().join("\n")
}

theater_actor::export!(Relay: messages, children);
