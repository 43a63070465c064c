//! Carries messages as a request tells it and keeps those that it gets, for tests of the handler
//! `message-server`.
//!
//! Requests: `request ID TEXT` and `send ID TEXT` (TEXT may be an order for another courier),
//! `send-many ID N` (what came of each), `send-then-err ID TEXT`, `send-then-panic ID TEXT`,
//! `spawn PATH`, `mute` (no answer), `err TEXT`, `spin` (for ever) and `got` (the messages that it
//! got). Anything else is answered as it came. What was refused is an answer: `error: ` and why.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Courier {
    got: Vec<String>,
}

impl Actor for Courier {}

impl Messages for Courier {
    fn handle_send(&mut self, message: Message<'_>) -> Result<()> {
        self.got.push(message.text()?.to_owned());
        Ok(())
    }

    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let order = message.text()?;
        let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
        let (id, text) = rest.split_once(' ').unwrap_or((rest, ""));
        Ok(match verb {
            "request" => told(message::request(id, text).map(|answer| String::from_utf8_lossy(&answer).into_owned())),
            "send" => told(sent(id, text)),
            "send-many" => {
                let sends = (0..text.parse::<u64>()?).map(|n| sent(id, &n.to_string()));
                sends
                    .map(|sent| sent.unwrap_or_else(|refused| format!("error: {refused}")))
                    .collect::<Vec<_>>()
                    .join("\n")
                    .into()
            }
            "send-then-err" => {
                sent(id, text)?;
                bail!("told to fail after a send");
            }
            "send-then-panic" => {
                sent(id, text)?;
                panic!("told to panic after a send");
            }
            "spawn" => told(supervisor::spawn(rest, None)),
            "mute" => Reply::none(),
            "err" => bail!("{rest}"),
            "spin" => loop {
                std::hint::black_box(&self.got);
            },
            "got" => self.got.join("\n").into(),
            _ => order.into(),
        })
    }
}

fn sent(id: &str, text: &str) -> Result<String> {
    message::send(id, text)?;
    Ok("sent".to_owned())
}

fn told(result: Result<String>) -> Reply {
    result.unwrap_or_else(|refused| format!("error: {refused}")).into()
}

theater_actor::export!(Courier: messages);
