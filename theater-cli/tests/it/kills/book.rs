//! What the bank should have, going by what its chain says it answered.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use theater::ChainStore as _;
use theater::chain::document;
use theater_store_sqlite::SqliteStore;

/// The bank as a model that is told its transactions in the order of its chain.
pub(super) struct Book {
    balances: BTreeMap<String, u64>,
    sum: u64,
    /// The seq of the first event that was not read yet.
    next: u64,
    /// Ids of messages whose calls began.
    calls: HashSet<String>,
    /// Whether a request is being answered.
    is_open: bool,
    /// Whether the call is one for a report.
    is_report: bool,
    /// The answer to each transaction.
    answers: HashMap<u64, String>,
    /// Who pays whom how much in each transaction.
    asked: HashMap<u64, (String, String, u64)>,
    counts: HashMap<&'static str, u64>,
    volume: u64,
    reports: HashSet<String>,
    recovered: u64,
}

impl Book {
    /// With these accounts.
    pub(super) fn new(opening: &Value) -> Self {
        let groups = opening["groups"].as_object().unwrap().values();
        let accounts = groups.flat_map(|group| group.as_object().unwrap());
        let balances: BTreeMap<_, _> = accounts.map(|(name, has)| (name.clone(), has.as_u64().unwrap())).collect();
        Self {
            sum: balances.values().sum(),
            balances,
            next: 0,
            calls: HashSet::new(),
            is_open: false,
            is_report: false,
            answers: HashMap::new(),
            asked: HashMap::new(),
            counts: HashMap::new(),
            volume: 0,
            reports: HashSet::new(),
            recovered: 0,
        }
    }

    /// Takes notice of a transaction that will be sent.
    pub(super) fn asks(&mut self, tx: u64, transaction: &Value) {
        let text = |key: &str| transaction[key].as_str().unwrap().to_owned();
        self.asked.insert(tx, (text("from"), text("to"), transaction["amount"].as_u64().unwrap()));
    }

    /// Whether a request was answered once.
    pub(super) fn has_begun(&self) -> bool {
        !self.reports.is_empty()
    }

    /// Reads what is new in the bank's chain.
    #[tokio::main(flavor = "current_thread")]
    pub(super) async fn read(&mut self, folder: &Path) {
        if !folder.join("theater.db").is_file() {
            return; // killed before it made one
        }
        let Ok(store) = SqliteStore::open_read_only(folder) else {
            assert_eq!(self.next, 0, "the store cannot be read any more");
            return;
        };
        let Some(root) = store.actors(None, 1).await.unwrap().pop() else { return };
        loop {
            let events = store.events(root.id, self.next, 1_000).await.unwrap();
            let Some(last) = events.last() else { return };
            self.next = last.seq + 1;
            for event in &events {
                self.follow(&document::event_json(&root.id, event).unwrap());
            }
        }
    }

    fn follow(&mut self, event: &Value) {
        let data = &event["data"];
        match event["event_type"].as_str().unwrap() {
            "call" => {
                let id = data["message_id"].as_str().unwrap_or_default().to_owned();
                self.is_open = id.starts_with("cli-");
                self.is_report = data["params"].to_string().contains(&STANDARD.encode("report"));
                assert!(id.is_empty() || self.calls.insert(id), "a message was processed twice: {event}");
            }
            "state_updated" | "call_returned" if std::mem::take(&mut self.is_open) => {
                match data["result"]["Ok"][0].as_str() {
                    Some(answer) => self.answered(String::from_utf8(STANDARD.decode(answer).unwrap()).unwrap()),
                    // Of workers that it has not restarted yet it cannot report.
                    None => assert!(std::mem::take(&mut self.is_report), "a transaction was refused: {event}"),
                }
            }
            "instance_dropped" if data["reason"] == "recovered" => self.recovered += 1,
            "actor_error" | "actor_terminated" if data["reason"] != "shutdown" => panic!("the bank failed: {event}"),
            _ => {}
        }
    }

    fn answered(&mut self, answer: String) {
        let value: Value = serde_json::from_str(&answer).unwrap();
        let Some(status) = value["status"].as_str() else {
            self.assert_reported(&value);
            self.reports.insert(answer);
            return;
        };
        let tx = value["tx"].as_u64().unwrap();
        match status {
            "applied" => {
                let (from, to, amount) = &self.asked[&tx];
                *self.balances.get_mut(from).unwrap() -= amount;
                *self.balances.get_mut(to).unwrap() += amount;
                self.volume += amount;
                *self.counts.entry("applied").or_default() += 1;
            }
            "rejected" => *self.counts.entry("rejected").or_default() += 1,
            _ => *self.counts.entry("failed").or_default() += 1,
        }
        let before = self.answers.insert(tx, answer);
        assert_eq!(before, None, "transaction {tx} was answered twice");
    }

    /// What the bank reports is what it answered up to then: nothing is lost, and nothing done twice.
    fn assert_reported(&self, report: &Value) {
        let wrong = "what the bank has is not what it answered";
        let count = |kind| self.counts.get(kind).copied().unwrap_or_default();
        assert_eq!(report["sum"], self.sum, "{wrong}: {report}");
        assert_eq!(report["ledger"]["count"], count("applied"), "{wrong}: {report}");
        assert_eq!(report["ledger"]["volume"], self.volume, "{wrong}: {report}");
        assert_eq!(report["audit"]["rejected"], count("rejected"), "{wrong}: {report}");
        assert_eq!(report["audit"]["failed"], count("failed"), "{wrong}: {report}");
        if report["owed"] == 0 {
            assert_eq!(report["balances"], serde_json::to_value(&self.balances).unwrap(), "{wrong}: {report}");
        }
    }

    /// Everything that was printed is in the chain.
    #[track_caller]
    pub(super) fn assert_has(&self, printed: &[String]) {
        for line in printed.iter().filter(|line| !line.is_empty()) {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("a request failed: {printed:?}"));
            let has = match value["tx"].as_u64() {
                Some(tx) => self.answers.get(&tx) == Some(line),
                None => self.reports.contains(line),
            };
            assert!(has, "it is not in the chain that this was answered: {line}");
        }
    }
}

impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |kind| self.counts.get(kind).copied().unwrap_or_default();
        let (applied, rejected, failed) = (count("applied"), count("rejected"), count("failed"));
        write!(f, "{applied} transactions applied, {rejected} rejected, {failed} failed")?;
        write!(f, "; the root went on {} times, and nothing was lost or done twice", self.recovered)
    }
}
