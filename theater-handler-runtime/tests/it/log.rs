//! The log: where it goes, what is recorded of it, and how much of it passes.

use std::io::Write;
use std::sync::{Arc, Mutex};

use theater::chain::codec;
use theater::{CallError, Digest, ErrorType};

use crate::support::Stage;

/// What the subscriber of one test printed.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Printed {
    /// Prints the actors' lines of this thread, on which the test's actors run as well.
    fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        // With a single subscriber `tracing` would ask whichever thread comes first whether a line matters
        // to anybody; this one sees to it that there are always others. It may be there already.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        let printed = Self::default();
        let writer = printed.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .without_time()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (printed, tracing::subscriber::set_default(subscriber))
    }

    fn actor_lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains("theater::actor")).map(|line| line.trim().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_line_is_printed_and_recorded() {
    let stage = Stage::new();
    let (printed, _guard) = Printed::capture();
    let actor = stage.diarist("").await;
    for level in ["trace", "debug", "info", "warn", "error"] {
        stage.ask(&actor, &format!("log {level} it is {level}")).await;
    }
    let expected = ["trace", "debug", "info", "warn", "error"].map(|level| {
        format!("{} theater::actor: it is {level} actor={} name=\"diarist\"", level.to_uppercase(), actor.id())
    });
    assert_eq!(printed.actor_lines(), expected);
    let recorded = stage.host_calls(actor.id(), "log").await;
    assert_eq!(recorded.len(), 5);
    assert_eq!(recorded[3]["params"].to_string(), r#"["Warn","it is warn"]"#);
    assert_eq!(recorded[3]["outcome"], "ok");
    assert_eq!(recorded[3].get("params_digest"), None, "what is recorded as it is needs no digest");
}

#[tokio::test]
async fn the_message_of_a_panic_stands_in_the_actors_error() {
    let stage = Stage::new();
    let actor = stage.diarist("").await;
    let CallError::Failed { error, .. } = stage.try_ask(&actor, "panic out of ink").await.unwrap_err() else {
        panic!("the call trapped");
    };
    assert_eq!(error.kind, ErrorType::Trap);
    assert!(error.message.contains("out of ink"), "{error}");
    let recorded = &stage.documents(actor.id(), "actor_error").await[0];
    assert_eq!(recorded["message"], error.message);
}

#[tokio::test]
async fn a_long_line_is_cut_and_the_chain_holds_its_digest() {
    let stage = Stage::new();
    let (printed, _guard) = Printed::capture();
    let actor = stage.diarist("").await;
    // Two bytes each, and one in front: the cut at 64 KiB would fall inside of a character.
    let long = format!("x{}", "é".repeat(40_000));
    stage.ask(&actor, &format!("log info {long}")).await;
    let kept = format!("x{}", "é".repeat(32_767));
    assert!(printed.actor_lines()[0].contains(&format!(" {kept} ")));
    let recorded = &stage.host_calls(actor.id(), "log").await[0];
    assert_eq!(recorded["params"][1], kept);
    let whole = Digest::of(&codec::encode(&("Info", long)));
    assert_eq!(recorded["params_digest"], base64_of(&whole));
    assert_eq!(recorded["outcome"], "ok");
    stage.verify(actor.id()).await;
}

#[tokio::test]
async fn a_flood_does_not_fill_the_chain() {
    let stage = Stage::new();
    let (printed, _guard) = Printed::capture();
    let noisy = stage.diarist("log = \"64KiB/s\"").await;
    let quiet = stage.diarist("log = \"64KiB/s\"").await;
    // 100 MB of text.
    stage.ask(&noisy, "flood 1000 100000").await;
    let recorded = stage.host_calls(noisy.id(), "log").await;
    assert_eq!(recorded.len(), 1_000, "every host call is an event");
    let kept: usize = recorded.iter().map(|call| call["params"][1].as_str().unwrap().len()).sum();
    // How long the flood took is not known, but not a second for each of a hundred lines.
    assert!((64 << 10..100 * (64 << 10)).contains(&kept), "{kept} bytes were recorded");
    let dropped: Vec<_> = recorded.iter().filter(|call| call["params"][1] == "").collect();
    assert!(dropped.len() >= 900, "{} lines were dropped", dropped.len());
    let whole = Digest::of(&codec::encode(&("Info", "x".repeat(100_000))));
    for call in dropped.iter().take(3) {
        assert_eq!(call["outcome"]["denied"], "limits.log", "{call}");
        assert_eq!(call["params_digest"], base64_of(&whole));
    }

    stage.ask(&quiet, "log info still here").await;
    assert_eq!(stage.host_calls(quiet.id(), "log").await[0]["outcome"], "ok", "each actor has its own limit");
    stage.runtime.shutdown().await.unwrap();
    let told: u64 = printed.actor_lines().iter().filter_map(|line| dropped_lines(line)).sum();
    assert_eq!(told, dropped.len() as u64, "what was dropped is said, at the latest at the end");
    stage.verify(noisy.id()).await;
}

fn dropped_lines(line: &str) -> Option<u64> {
    let (before, _) = line.split_once(" log lines were dropped")?;
    before.rsplit(' ').next()?.parse().ok()
}

fn base64_of(digest: &Digest) -> serde_json::Value {
    let bytes = theater::chain::payload::bin(digest.as_bytes());
    theater::chain::document::to_json(&bytes).unwrap()
}
