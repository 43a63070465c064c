//! A process that dies while it commits.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use theater_chain::data::{DropReason, InstanceDropped, RestartStateKind};
use theater_chain::testing::Story;
use theater_chain::{ChainStore as _, Level, verify_store};
use theater_store_sqlite::{SqliteStore, abort_after};

/// Where the child finds the folder; without it, the test that is the child does nothing.
const FOLDER: &str = "THEATER_TEST_CRASH_FOLDER";
/// After how many steps of writing the child goes down, if it does so by itself.
const STEPS: &str = "THEATER_TEST_CRASH_STEPS";

fn start(folder: &Path, steps: Option<u64>) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "crash::child_that_commits_until_it_is_killed", "--nocapture"]).env(FOLDER, folder);
    if let Some(steps) = steps {
        child.env(STEPS, steps.to_string());
    }
    child.stdout(Stdio::piped()).spawn().unwrap()
}

/// The seq of each chain that a child acknowledged last, by its own words until it ends; it is killed
/// when it has said so many. Also how many it said.
fn acknowledged(child: &mut Child, killed_after: usize, acknowledged: &mut [Option<u64>; 2]) -> usize {
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
        if read == killed_after {
            // SIGKILL; what it had printed until then is still read.
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    read
}

/// The store has whole commits, in their order, and all that were acknowledged.
async fn assert_whole(folder: &Path, acknowledged: [Option<u64>; 2]) {
    let store = SqliteStore::open(folder).unwrap();
    let report = verify_store(&store, Level::Full, &mut |_| ()).await.unwrap();
    assert!(report.ok, "{report:?}");
    let mut heads = [None, None];
    for actor in &report.actors {
        let head = actor.head.unwrap().seq;
        heads[usize::from(actor.id.as_bytes()[0]) - 1] = Some(head);
        // Nothing but whole commits: each ends with a dropped instance, the third of its kind.
        let last = store.events(actor.id, head, 1).await.unwrap();
        assert_eq!(last[0].event_type, "instance_dropped");
        assert_eq!(head % 3, 0);
    }
    assert!(heads.iter().zip(acknowledged).all(|(head, known)| *head >= known), "{heads:?} {acknowledged:?}");
    // A prefix of the order: the first chain's commits came before the second's.
    assert!(heads[0] >= heads[1], "{heads:?}");
}

/// Not a test of its own: the process that the test below kills. It commits to two chains, several
/// commits at a time, and prints the seq of each chain after its acknowledgement.
#[tokio::test]
async fn child_that_commits_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = SqliteStore::open(Path::new(&folder)).unwrap();
    if let Ok(steps) = std::env::var(STEPS) {
        abort_after(steps.parse().unwrap());
    }
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
    let mut known = [None, None];
    for lines in [1, 10, 57, 200, 333] {
        let read = acknowledged(&mut start(folder.path(), None), lines, &mut known);
        assert!(read >= lines, "the child ended by itself after {read} lines");
        assert_whole(folder.path(), known).await;
    }
}

#[tokio::test]
async fn a_process_may_die_after_each_statement_of_a_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let mut known = [None, None];
    let mut before = known;
    for steps in 0..48 {
        acknowledged(&mut start(folder.path(), Some(steps)), usize::MAX, &mut known);
        assert_whole(folder.path(), known).await;
        // It goes on from there: with more steps more is acknowledged.
        if steps == 24 {
            assert!(known > before, "{known:?}");
            before = known;
        }
    }
    assert!(known > before, "{known:?}");
}
