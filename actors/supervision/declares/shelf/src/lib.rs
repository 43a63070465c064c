//! Values by name: `set NAME VALUE` and `get NAME`. It has a bug: `set NAME` crashes it.

use std::collections::BTreeMap;

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Shelf {
    values: BTreeMap<String, String>,
}

impl Actor for Shelf {}

impl Messages for Shelf {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let words: Vec<&str> = message.text()?.split_whitespace().collect();
        match words.first() {
            // The bug: nobody looked whether there is a third word.
            Some(&"set") => drop(self.values.insert(words[1].to_owned(), words[2].to_owned())),
            Some(&"get") if words.len() == 2 => {
                return Ok(self.values.get(words[1]).map_or("nothing", String::as_str).to_owned().into());
            }
            _ => bail!("try set NAME VALUE or get NAME"),
        }
        Ok("set".into())
    }
}

theater_actor::export!(Shelf: messages);
