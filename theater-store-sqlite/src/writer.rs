//! The thread that writes.
//!
//! Group commit without a timer: the commits that were queued while the last transaction was
//! written and synced make up the next one. One commit alone does not wait for others.

use std::thread::JoinHandle;

use rusqlite::Connection;
use theater_chain::{Commit, ImportParts, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::batch::Appender;
use crate::error::store_error;
use crate::import;

/// How many commits may be queued; one more waits for its place.
const QUEUE: usize = 1024;

type Answer = Result<(), StoreError>;

/// What the thread is asked to write.
#[allow(clippy::large_enum_variant, reason = "nearly all of them are of the larger kind")]
enum Job {
    Commit(CommitJob),
    /// Alone in its transaction.
    Import(ImportParts, oneshot::Sender<Answer>),
}

struct CommitJob {
    commit: Commit,
    done: oneshot::Sender<Answer>,
}

impl CommitJob {
    /// Whether bytes must go from the file with it.
    fn removes(&self) -> bool {
        !self.commit.erased.is_empty() || !self.commit.dropped.is_empty()
    }
}

/// The queue to the thread. Dropping it writes what is queued and waits for the thread to end.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(connection: Connection) -> Result<Self, StoreError> {
        let appender = Some(Appender::load(&connection).map_err(store_error)?);
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("theater-store".into())
            .spawn(move || Worker { connection, appender }.run(jobs))
            .map_err(|error| StoreError::Io(format!("the writer's thread cannot be started: {error}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Returns when the commit is on disk, or why it is not.
    pub(crate) async fn commit(&self, commit: Commit) -> Answer {
        let (done, answer) = oneshot::channel();
        self.send(Job::Commit(CommitJob { commit, done }), answer).await
    }

    /// Returns when all parts are on disk, or why none is.
    pub(crate) async fn import(&self, parts: ImportParts) -> Answer {
        let (done, answer) = oneshot::channel();
        self.send(Job::Import(parts, done), answer).await
    }

    async fn send(&self, job: Job, answer: oneshot::Receiver<Answer>) -> Answer {
        let ended = || StoreError::Io("the store's writer has ended".into());
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        queue.send(job).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was an error to every commit after it already.
            let _ = thread.join();
        }
    }
}

struct Worker {
    connection: Connection,
    /// Gone after a transaction that was undone, since it would remember what was not written.
    appender: Option<Appender>,
}

impl Worker {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let (mut group, mut alone) = (Vec::new(), None);
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Commit(commit) => group.push(commit),
                    Job::Import(parts, done) => {
                        alone = Some((parts, done));
                        break;
                    }
                }
                next = if group.len() < QUEUE { jobs.try_recv().ok() } else { None };
            }
            let mut answers = if group.is_empty() { Vec::new() } else { self.write(&group) };
            if group.iter().zip(&answers).any(|(job, answer)| job.removes() && answer.is_ok()) {
                let scrubbed = self.scrub();
                let removing = group.iter().zip(&mut answers).filter(|(job, _)| job.removes());
                for (_, answer) in removing {
                    *answer = std::mem::replace(answer, Ok(())).and(scrubbed.clone());
                }
            }
            for (job, answer) in group.into_iter().zip(answers) {
                // Who no longer waits for the answer does not need it.
                let _ = job.done.send(answer);
            }
            if let Some((parts, done)) = alone {
                let _ = done.send(self.import(parts));
            }
        }
    }

    /// Writes the database anew, without what lies in its unused places, and empties the log.
    fn scrub(&self) -> Answer {
        let again = "it is gone from the record, and its bytes may still lie in unused places of the file until \
            the next time that something is erased or pruned";
        let failed = |error: rusqlite::Error| StoreError::Io(format!("{again} ({error})"));
        self.connection.execute_batch("VACUUM").map_err(failed)?;
        let busy = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
        match self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], busy).map_err(failed)? {
            false => Ok(()),
            true => Err(StoreError::Io(format!("{again}: somebody reads the record"))),
        }
    }

    fn import(&mut self, parts: ImportParts) -> Answer {
        self.transaction(|connection, appender| import::import(connection, appender, parts))
    }

    /// Writes the group as one transaction; if that does not work, each commit as its own, so that
    /// one which SQLite refuses does not take the others with it.
    fn write(&mut self, group: &[CommitJob]) -> Vec<Answer> {
        match self.group(group) {
            Ok(answers) => answers,
            Err(error) if group.len() == 1 => vec![Err(error)],
            Err(_) => {
                let alone = |job| self.group(std::slice::from_ref(job))?.pop().unwrap_or(Ok(()));
                group.iter().map(alone).collect()
            }
        }
    }

    /// One transaction; an error if none of it was written.
    fn group(&mut self, group: &[CommitJob]) -> Result<Vec<Answer>, StoreError> {
        self.transaction(|connection, appender| {
            let mut answers = Vec::with_capacity(group.len());
            for job in group {
                match appender.refusal(connection, &job.commit)? {
                    Some(refusal) => answers.push(Err(refusal)),
                    None => {
                        appender.write(connection, &job.commit).map_err(store_error)?;
                        answers.push(Ok(()));
                    }
                }
            }
            Ok(answers)
        })
    }

    /// Runs `write` in a transaction, which is undone where anything fails.
    fn transaction<T>(
        &mut self,
        write: impl FnOnce(&Connection, &mut Appender) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let written = self.try_transaction(write);
        if written.is_err() {
            self.appender = None;
            if !self.connection.is_autocommit() {
                self.connection.execute_batch("ROLLBACK").map_err(store_error)?;
            }
        }
        written
    }

    fn try_transaction<T>(
        &mut self,
        write: impl FnOnce(&Connection, &mut Appender) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(store_error)?;
        step!();
        let appender = match &mut self.appender {
            Some(appender) => appender,
            gone => gone.insert(Appender::load(&self.connection).map_err(store_error)?),
        };
        let written = write(&self.connection, appender)?;
        self.connection.execute_batch("COMMIT").map_err(store_error)?;
        step!();
        Ok(written)
    }
}
