//! Makes `transactions.jsonl`, the lines that the bank is shown with, and `expected.json`, what its
//! `report` must say after them. Both come from `bank.json` and a fixed seed:
//! `cargo run -p bank-generate` in the `actors` workspace always writes the same bytes.
//!
//! The expectation is worked out here from the rules, without the bank's code: a line that makes no
//! sense or overdraws changes nothing, nor does one that crashes a worker.

mod chance;
mod model;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use chance::Chance;
use model::{Line, Model};
use serde::Deserialize;

const LINES: u64 = 2_400;
/// Every so many lines one that crashes a worker, ten in all.
const CRASH_EVERY: u64 = 240;
const SEED: u64 = 0x7468_6561_7465_7201;

#[derive(Deserialize)]
struct Config {
    groups: BTreeMap<String, BTreeMap<String, u64>>,
}

const MEMOS: [&str; 10] = [
    "rent",
    "",
    "lunch",
    "invoice 2024-117",
    "café",
    "gift for our Zoë",
    "electricity, march",
    "школа",
    "tickets",
    "back to you, thank you",
];

/// The first 12 bytes of each end inside a character.
const CRASHING_MEMOS: [&str; 5] =
    ["thanks, café!", "für die Grüße", "for 学费第二学期", "see you, Zoë.", "dinner 🍜🍜🍜"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let config: Config = serde_json::from_slice(&fs::read(folder.join("bank.json"))?)?;
    let mut chance = Chance::new(SEED);
    let mut model = Model::new(config.groups);
    let mut text = String::new();
    for tx in 1..=LINES {
        let line = line(tx, &mut chance, &model);
        model.apply(&line);
        text.push_str(&line.text());
        text.push('\n');
    }
    if model.failed() != LINES / CRASH_EVERY {
        return Err(format!("{} lines crash a worker: check the memos", model.failed()).into());
    }
    fs::write(folder.join("transactions.jsonl"), text)?;
    let expected = serde_json::to_string_pretty(&model.expected())?;
    fs::write(folder.join("expected.json"), expected + "\n")?;
    Ok(())
}

fn line(tx: u64, chance: &mut Chance, model: &Model) -> Line {
    if tx % CRASH_EVERY == CRASH_EVERY / 2 {
        return payment(tx, chance, model, &CRASHING_MEMOS);
    }
    match chance.below(100) {
        0..3 => nonsense(tx, chance, model),
        3..7 => {
            let (from, to) = two_accounts(chance, model);
            let amount = model.balance(&from) + 1 + chance.below(50_000);
            Line::Payment { tx, from, to, amount, memo: "too much".to_owned() }
        }
        _ => payment(tx, chance, model, &MEMOS),
    }
}

/// A payment that the sender can afford.
fn payment(tx: u64, chance: &mut Chance, model: &Model, memos: &[&str]) -> Line {
    loop {
        let (from, to) = two_accounts(chance, model);
        let most = model.balance(&from).min(20_000);
        if most > 0 {
            let amount = 1 + chance.below(most);
            let memo = (*chance.pick(memos)).to_owned();
            return Line::Payment { tx, from, to, amount, memo };
        }
    }
}

fn two_accounts(chance: &mut Chance, model: &Model) -> (String, String) {
    let accounts = model.accounts();
    let from = chance.pick(&accounts).clone();
    loop {
        let to = chance.pick(&accounts).clone();
        if to != from {
            return (from, to);
        }
    }
}

/// A line that makes no sense, in one of ten ways.
fn nonsense(tx: u64, chance: &mut Chance, model: &Model) -> Line {
    let (from, to) = two_accounts(chance, model);
    let amount = 1 + chance.below(20_000);
    Line::Nonsense(match chance.below(10) {
        0 => format!("pay {amount} from {from} to {to}"),
        1 => format!(r#"{{"tx":{tx},"from":"{from}","to":"{to}","amount":"#),
        2 => format!(r#"{{"tx":{tx},"from":"{from}","to":"{to}"}}"#),
        3 => format!(r#"{{"tx":{tx},"from":"{from}","amount":{amount}}}"#),
        4 => format!(r#"{{"from":"{from}","to":"{to}","amount":{amount}}}"#),
        5 => format!(r#"{{"tx":{tx},"from":"{from}","to":"{to}","amount":-{amount}}}"#),
        6 => format!(r#"{{"tx":{tx},"from":"{from}","to":"{to}","amount":0}}"#),
        7 => format!(r#"{{"tx":{tx},"from":"{from}","to":"z-99","amount":{amount}}}"#),
        8 => format!(r#"{{"tx":{tx},"from":"{from}","to":"{from}","amount":{amount}}}"#),
        _ => format!(r#"{{"tx":{tx},"from":"{from}","to":"{to}","amount":"{amount}.00"}}"#),
    })
}
