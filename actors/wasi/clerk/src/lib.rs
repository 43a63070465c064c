//! A clerk who uses what of Rust's standard library needs a system: the clocks, hash maps, printing,
//! the environment. Each request is a word, `entries` lists them.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Clerk {
    entries: u64,
}

impl Actor for Clerk {
    fn init(start: &Start) -> Result<Self> {
        println!("the clerk is in");
        start.state()
    }
}

impl Messages for Clerk {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        self.entries += 1;
        let words: Vec<&str> = message.text()?.split(' ').collect();
        let answer = match words[..] {
            ["entries"] => self.entries.to_string(),
            ["time"] => SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().to_string(),
            ["sleep", ms] => {
                let begun = Instant::now();
                thread::sleep(Duration::from_millis(ms.parse()?));
                begun.elapsed().as_millis().to_string()
            }
            ["order"] => order(),
            ["shift", ms] => {
                println!("a shift begins");
                print!("it is ");
                let begun = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
                let order = order();
                thread::sleep(Duration::from_millis(ms.parse()?));
                println!("over");
                format!("{begun} {order}")
            }
            ["env"] => format!("{:?} {:?}", env::vars().collect::<Vec<_>>(), env::args().collect::<Vec<_>>()),
            ["say", ..] => {
                println!("{}", words[1..].join(" "));
                print!("and ");
                print!("more\nto come");
                std::io::stdout().flush()?;
                eprintln!("careful");
                "said".to_owned()
            }
            ["flood", lines] => {
                let line = "x".repeat(1_000);
                for _ in 0..lines.parse()? {
                    println!("{line}");
                }
                "flooded".to_owned()
            }
            ["stdin"] => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                format!("{text:?}")
            }
            ["open", path] => match fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) => format!("no file: {:?}", error.kind()),
            },
            ["connect", address] => match TcpStream::connect(address) {
                Ok(_) => "connected".to_owned(),
                Err(error) => format!("no connection: {:?}", error.kind()),
            },
            ["exit", status] => process::exit(status.parse()?),
            ["panic"] => panic!("asked to panic"),
            ["complain"] => {
                eprintln!("something is wrong");
                process::abort()
            }
            _ => bail!("unknown request"),
        };
        Ok(answer.into())
    }
}

/// The order is that of a random seed.
fn order() -> String {
    let map: HashMap<u32, ()> = (0..10).map(|key| (key, ())).collect();
    format!("{:?}", map.keys().collect::<Vec<_>>())
}

theater_actor::export!(Clerk: messages);
