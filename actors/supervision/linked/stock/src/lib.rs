//! What there is to sell: `take ITEM COUNT` and `left ITEM`. It begins with what `stock.json` says.

use std::collections::BTreeMap;

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Stock {
    left: BTreeMap<String, u64>,
}

impl Actor for Stock {}

impl Messages for Stock {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let words: Vec<&str> = message.text()?.split_whitespace().collect();
        let (item, count) = match words[..] {
            ["take", item, count] => (item, count.parse()?),
            ["left", item] => (item, 0),
            _ => bail!("try take ITEM COUNT or left ITEM"),
        };
        let left = self.left.get_mut(item).ok_or("there is no such item")?;
        *left = left.checked_sub(count).ok_or("there is not so much left")?;
        Ok(left.to_string().into())
    }
}

theater_actor::export!(Stock: messages);
