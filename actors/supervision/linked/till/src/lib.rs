//! Sells what the stock has: `sell ITEM COUNT`, and `sold`. It has a bug: its receipts have room for
//! counts of one digit, and it finds out when the stock has given the goods.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Till {
    /// The actor id of the stock.
    stock: String,
    sold: u64,
}

impl Actor for Till {}

impl Messages for Till {
    fn handle_send(&mut self, message: Message<'_>) -> Result<()> {
        self.stock = message.text()?.to_owned();
        Ok(())
    }

    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let words: Vec<&str> = message.text()?.split_whitespace().collect();
        let (item, count) = match words[..] {
            ["sell", item, count] => (item, count.parse::<u64>()?),
            ["sold"] => return Ok(self.sold.to_string().into()),
            _ => bail!("try sell ITEM COUNT or sold"),
        };
        // From here on the stock has less, whether this call commits or not ..
        message::request(&self.stock, format!("take {item} {count}"))?;
        // .. and here it may not.
        assert!(count < 10, "no room for {count} on the receipt");
        self.sold += count;
        Ok(format!("{count} {item}").into())
    }
}

theater_actor::export!(Till: messages);
