//! A process that dies while it commits.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use theater_chain::data::{DropReason, InstanceDropped, RestartStateKind};
use theater_chain::testing::Story;
use theater_chain::{ChainStore as _, Level, verify_store};
use theater_store_sqlite::SqliteStore;

/// Where the child finds the folder; without it, the test that is the child does nothing.
const FOLDER: &str = "THEATER_TEST_CRASH_FOLDER";

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_commits_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Not a test of its own: the process that the test below kills. It commits to two chains, several
/// commits at a time, and prints the seq of each chain after its acknowledgement.
#[tokio::test]
async fn child_that_commits_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = SqliteStore::open(Path::new(&folder)).unwrap();
    let mut stories = [1, 2].map(Story::new);
    for story in &mut stories {
        if let Some(entry) = store.actor(story.id).await.unwrap() {
            (story.stored, story.head, story.index) = (Some(entry.head), Some(entry.head), entry.index);
        } else {
            story.start(RestartStateKind::Reset, Some(b"{}"));
        }
    }
    for n in 0u64.. {
        let mut commits = Vec::new();
        for story in &mut stories {
            for m in 0..n % 4 + 1 {
                story.call(None);
                story.commit_state(None, format!("{n} {m} {}", "x".repeat(300)).as_bytes());
                story.append(&InstanceDropped { reason: DropReason::Aged }, &[]);
            }
            let head = story.head.unwrap().seq;
            commits.push((story.id, head, store.commit(story.commit())));
        }
        for (id, head, commit) in commits {
            commit.await.unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "acknowledged {} {head}", id.as_bytes()[0]).unwrap();
            out.flush().unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = [None, None];
    for lines in [1, 10, 57, 200, 333] {
        let mut child = start(folder.path());
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let mut read = 0;
        loop {
            line.clear();
            if out.read_line(&mut line).unwrap() == 0 {
                break;
            }
            // The harness prints lines of its own.
            let Some(said) = line.find("acknowledged ").map(|at| &line[at..]) else { continue };
            let words: Vec<_> = said.split_whitespace().collect();
            if let [_, id, head] = words[..] {
                let id: usize = id.parse().unwrap();
                acknowledged[id - 1] = Some(head.parse::<u64>().unwrap());
            }
            read += 1;
            if read == lines {
                // SIGKILL; what it had printed until then is still read.
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success());
        assert!(read >= lines, "the child ended by itself after {read} lines");

        let store = SqliteStore::open(folder.path()).unwrap();
        let report = verify_store(&store, Level::Full, &mut |_| ()).await.unwrap();
        assert!(report.ok, "{report:?}");
        for (actor, acknowledged) in report.actors.iter().zip(acknowledged) {
            let head = actor.head.unwrap().seq;
            assert!(Some(head) >= acknowledged, "{head} is there, {acknowledged:?} was acknowledged");
            // Nothing but whole commits: each ends with a dropped instance, the third of its kind.
            let last = store.events(actor.id, head, 1).await.unwrap();
            assert_eq!(last[0].event_type, "instance_dropped");
            assert_eq!(head % 3, 0);
        }
        // A prefix of the order: the first chain's commits came before the second's.
        let heads: Vec<_> = report.actors.iter().map(|actor| actor.head.unwrap().seq).collect();
        assert!(heads.is_sorted_by(|a, b| a >= b), "{heads:?}");
    }
}
