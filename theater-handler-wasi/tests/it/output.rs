//! Standard output and error are lines of the log, recorded and bounded.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::stage::{CLERK, Stage};

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
    /// Prints the lines of this thread, on which the test's actors run as well.
    fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        // With a single subscriber `tracing` would ask whichever thread comes first whether a line matters
        // to anybody; this one sees to it that there are always others. It may be there already.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        let printed = Self::default();
        let writer = printed.clone();
        let subscriber =
            tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(move || writer.clone()).finish();
        (printed, tracing::subscriber::set_default(subscriber))
    }

    /// Level and text of the actors' lines.
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains("theater::actor"));
        let lines = lines.map(|line| line.replace("theater::actor: ", ""));
        lines.map(|line| line.split(" actor=").next().unwrap().trim().to_owned()).collect()
    }
}

#[tokio::test]
async fn lines_go_to_the_log_and_into_the_record() {
    let stage = Stage::new();
    let (printed, _guard) = Printed::capture();
    let clerk = stage.clerk().await;
    stage.ask(&clerk, "say hello there").await;
    assert_eq!(printed.lines(), ["INFO the clerk is in", "INFO hello there", "INFO and more", "WARN careful"]);
    stage.runtime.stop_actor(clerk.id()).await.unwrap();
    assert_eq!(
        printed.lines().last().map(String::as_str),
        Some("INFO to come"),
        "a line that was begun comes at the end"
    );
    let events = stage.runtime.get_actor_events(clerk.id(), 0, usize::MAX).await.unwrap();
    let recorded = events
        .iter()
        .filter_map(|event| event.payload.as_ref())
        .any(|payload| payload.bytes().windows(b"hello there\n".len()).any(|window| window == b"hello there\n"));
    assert!(recorded);
    stage.verify(clerk.id()).await;
}

#[tokio::test]
async fn a_flood_is_dropped_and_recorded_without_its_text() {
    let stage = Stage::new();
    let clerk = stage.spawn("clerk", &format!("{CLERK}\n[limits]\nlog = \"10KiB/s\"\n")).await.unwrap();
    assert_eq!(stage.ask(&clerk, "flood 40").await, "flooded");
    let writes = stage.host_calls(clerk.id(), "[method]output-stream.write").await;
    // From the record: a guest that runs long goes on on another thread, where this test captures nothing.
    let passed = writes.iter().filter(|write| write["outcome"] == "ok").count();
    assert!((5..15).contains(&passed), "{passed}");
    let denied: Vec<_> = writes.iter().filter(|write| write["outcome"] == json!({ "denied": "limits.log" })).collect();
    assert!(denied.len() >= 20, "{}", denied.len());
    assert!(
        denied.iter().all(|write| write["params"] == json!([1, []]) && write["params_digest"].is_string()),
        "{:?}",
        denied[0]
    );
    stage.verify(clerk.id()).await;
}
