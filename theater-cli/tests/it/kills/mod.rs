//! The bank under load, killed (kill -9) at random moments and started again each time: while it
//! starts, while it goes on with what was open, and while it works.
//!
//! `cargo xtask kill` does it more often; see there. A seed gives the same moments, though not the
//! same interleaving.

mod book;

use std::env;
use std::fs;
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rustix::process::Signal;
use serde_json::Value;

use self::book::Book;
use crate::tool::Place;

/// How often the process is killed where `THEATER_KILLS` says nothing else.
const KILLS: u32 = 40;
/// After how many of them everything is verified.
const VERIFIED_EVERY: u32 = 50;
/// More than it comes to answer before it is killed.
const LINES: usize = 400;

/// Every how many transactions one crashes a worker.
const CRASH_EVERY: u64 = 7;
/// With a character that is cut in two where a worker shortens memos.
const CRASH: &str = "the one café";

/// When the process is killed.
#[derive(Debug)]
enum Moment {
    /// So long after it was started: often before it has gone on.
    Early(Duration),
    /// So long after so many answers.
    Busy(usize, Duration),
}

impl Moment {
    fn pick(random: &mut StdRng) -> Self {
        if random.random_ratio(1, 3) {
            return Self::Early(Duration::from_micros(random.random_range(0..250_000)));
        }
        Self::Busy(random.random_range(1..60), Duration::from_micros(random.random_range(0..5_000)))
    }
}

/// A bank with its record, which outlives its processes.
struct Bank {
    place: Place,
    transactions: Vec<Value>,
    /// Transactions that were sent; each has a number of its own.
    sent: u64,
    is_crowded: bool,
    book: Book,
}

impl Bank {
    fn new() -> Self {
        let manifest = theater_build::testing::manifest("bank");
        let folder = manifest.parent().unwrap();
        let lines = fs::read_to_string(folder.join("transactions.jsonl")).unwrap();
        // Without those that make no sense: they have no number.
        let is_whole = |line: &Value| line["from"].is_string() && line["to"].is_string() && line["amount"].is_u64();
        let transactions = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(is_whole).collect();
        let opening = serde_json::from_slice(&fs::read(folder.join("bank.json")).unwrap()).unwrap();
        let place = Place::with(&["bank"]);
        for child in ["ledger", "audit", "worker"] {
            fs::create_dir(place.path().join(child)).unwrap();
            for file in [format!("{child}/{child}.toml"), format!("{child}/{child}.wasm")] {
                fs::copy(folder.join(&file), place.path().join(&file)).unwrap();
            }
        }
        // Its workers crash more often than any budget allows.
        let supervisor = "type = \"supervisor\"\n";
        let manifest = fs::read_to_string(manifest).unwrap();
        assert!(manifest.contains(supervisor), "{manifest}");
        place.write("bank.toml", manifest.replace(supervisor, &format!("{supervisor}max_restarts = \"infinity\"\n")));
        Self { place, transactions, sent: 0, is_crowded: false, book: Book::new(&opening) }
    }

    /// The arguments of a run that is asked what it has, then for so many transactions, and again.
    fn args(&mut self, transactions: usize) -> [&'static str; 6] {
        let mut text = String::from("report\n");
        for _ in 0..transactions {
            let mut transaction = self.transactions[self.sent as usize % self.transactions.len()].clone();
            self.sent += 1;
            transaction["tx"] = self.sent.into();
            if self.sent.is_multiple_of(CRASH_EVERY) {
                transaction["memo"] = CRASH.into();
            }
            self.book.asks(self.sent, &transaction);
            text += &format!("{transaction}\n");
        }
        text += "report\n";
        self.place.write("lines", text);
        // Every other process has fewer places than actors: they are parked all the time.
        self.is_crowded = !self.is_crowded;
        let instances = if self.is_crowded { "2" } else { "1000" };
        ["run", "bank.toml", "--send", "lines", "--instances", instances]
    }

    /// Runs it until it is killed at this moment; how many answers were printed.
    fn killed(&mut self, moment: &Moment) -> usize {
        let args = self.args(LINES);
        let mut running = self.place.start(&args);
        let mut answers = Vec::new();
        match *moment {
            Moment::Early(after) => thread::sleep(after), // this is the moment: nothing is waited for
            Moment::Busy(count, after) => {
                answers.extend((0..count).map(|_| running.line()));
                thread::sleep(after);
            }
        }
        running.signal(Signal::KILL);
        answers.extend(std::iter::from_fn(|| running.try_line()));
        let status = running.wait();
        assert!(!status.success() && status.code().is_none(), "it ended by itself, {status}: {}", running.err());
        if !answers.is_empty() && self.book.has_begun() {
            assert!(running.err().contains("resuming bank"), "{}", running.err());
        }
        self.book.read(&self.place.path().join(".theater"));
        self.book.assert_has(&answers);
        answers.len()
    }

    /// Lets it do some work and end in order.
    fn ends(&mut self) {
        let args = self.args(20);
        let said = self.place.theater(&args);
        assert_eq!(said.status, Some(0), "{said:?}");
        let answers: Vec<_> = said.out.lines().map(str::to_owned).collect();
        assert_eq!(answers.len(), 22, "{said:?}");
        self.book.read(&self.place.path().join(".theater"));
        self.book.assert_has(&answers);
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("its record is kept: {}", self.place.keep().display());
        }
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn at_random_moments_nothing_is_lost_and_nothing_is_done_twice() {
    let kills = number("THEATER_KILLS").map_or(KILLS, |kills| u32::try_from(kills).unwrap());
    let seed = number("THEATER_KILL_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let mut random = StdRng::seed_from_u64(seed);
    let mut bank = Bank::new();
    let mut printed = 0;
    for kill in 1..=kills {
        let moment = Moment::pick(&mut random);
        // For whoever reads a failure.
        eprintln!("kill {kill} of {kills} with seed {seed}, {moment:?}, after {printed} answers");
        printed += bank.killed(&moment);
        if kill % VERIFIED_EVERY == 0 {
            bank.place.yes(&["verify", "--level", "full"]);
        }
    }
    bank.ends();
    bank.place.yes(&["verify", "--level", "full"]);
    bank.place.yes(&["replay", "bank", "--tree"]);
    eprintln!("{kills} kills: {printed} answers were printed, {}", bank.book);
}
