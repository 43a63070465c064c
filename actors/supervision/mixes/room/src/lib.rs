//! A room: `say TEXT` adds a line, `read` shows all of them, `close` ends it. It refuses spam. It
//! has a bug: what begins with a `/` crashes it.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Room {
    lines: Vec<String>,
}

impl Actor for Room {}

impl Messages for Room {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        match message.text()?.split_once(' ').unwrap_or((message.text()?, "")) {
            ("say", text) if text.contains("spam") => bail!("no spam, please"),
            ("say", text) if text.starts_with('/') => panic!("there is no command {text}"),
            ("say", text) => self.lines.push(text.to_owned()),
            ("read", _) => return Ok(self.lines.join(" | ").into()),
            ("close", _) => runtime::shutdown(Some(format!("{} lines", self.lines.len()).as_bytes())),
            _ => bail!("try say TEXT, read or close"),
        }
        Ok(self.lines.len().to_string().into())
    }
}

theater_actor::export!(Room: messages);
