//! The socket in the folder of a run: [`TheaterCommand`]s of the same user, a JSON document a line.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use theater::{TheaterCommand, TheaterRuntime};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::client::{Answer, SOCKET};
use crate::output::say;

/// Connections at a time; others wait.
const CONNECTIONS: usize = 64;

/// The longest command, in bytes.
const MAX_COMMAND: usize = 32 << 20;

/// A socket that is served. Dropping it ends its connections and removes the file.
pub(super) struct Socket {
    path: PathBuf,
    _serving: JoinSet<()>,
}

impl Socket {
    /// Serves the commands that come in at `dir`. The tree runs without a socket where there can be
    /// none; that is said.
    pub(super) fn serve(dir: &Path, runtime: &TheaterRuntime) -> Option<Self> {
        let path = dir.join(SOCKET);
        let listener = match listen(dir, &path) {
            Ok(listener) => listener,
            Err(error) => {
                say(format_args!(
                    "warning: no socket at {} ({error}): `theater tree`, `stop`, `restart` and `--follow` cannot reach this \
                     run; a Unix socket's path has about 100 bytes, a shorter --data DIR may help",
                    path.display()
                ));
                return None;
            }
        };
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, runtime.clone()));
        Some(Self { path, _serving: serving })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The caller holds the folder's lock: a socket that is there belongs to a process that has ended.
/// It is bound under another name, so that nobody finds it before only its owner may use it.
fn listen(dir: &Path, path: &Path) -> io::Result<UnixListener> {
    let unready = dir.join("so.new");
    match fs::remove_file(&unready) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&unready)?;
    fs::set_permissions(&unready, Permissions::from_mode(0o600))?;
    fs::rename(&unready, path)?;
    Ok(listener)
}

async fn accept(listener: UnixListener, runtime: TheaterRuntime) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, or the like: what frees one is the end of a connection.
            connections.join_next().await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let runtime = runtime.clone();
        connections.spawn(async move {
            // A client that is gone has nobody to tell.
            let _ = serve(stream, &runtime).await;
            drop(permit);
        });
    }
}

/// One connection: command after command, until the client goes.
async fn serve(stream: UnixStream, runtime: &TheaterRuntime) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = Lines { read: BufReader::new(read), line: Vec::new() };
    let mut next = None;
    loop {
        let line = match next.take() {
            Some(line) => line,
            None => match lines.next().await? {
                Some(line) => line,
                None => return Ok(()),
            },
        };
        let command = serde_json::from_slice(&line);
        let may_be_dropped = matches!(command, Ok(TheaterCommand::SubscribeToActor { .. }));
        let mut answering = pin!(answer(command, runtime));
        let answer = tokio::select! {
            answer = &mut answering => answer,
            read = lines.next() => {
                next = read?;
                // A client that goes while it waits for an event takes its question with it.
                if next.is_none() && may_be_dropped {
                    return Ok(());
                }
                answering.await
            }
        };
        let mut text = serde_json::to_vec(&answer)?;
        text.push(b'\n');
        write.write_all(&text).await?;
    }
}

async fn answer(command: serde_json::Result<TheaterCommand>, runtime: &TheaterRuntime) -> Answer {
    match command {
        Ok(command) => match runtime.command(command).await {
            Ok(reply) => Answer::Ok(reply),
            Err(error) => Answer::Err(error.to_string()),
        },
        Err(error) => Answer::Err(format!("this is no command: {error}")),
    }
}

/// The lines of a connection.
struct Lines {
    read: BufReader<OwnedReadHalf>,
    /// What came of the next line.
    line: Vec<u8>,
}

impl Lines {
    /// The next line, without its line feed; `None` at the end. Dropping the future loses nothing.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let read = self.read.fill_buf().await?;
            if read.is_empty() {
                // A last line without a line feed may be half of one.
                return Ok(None);
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            self.line.extend_from_slice(&read[..end.unwrap_or(read.len())]);
            let used = end.map_or(read.len(), |end| end + 1);
            self.read.consume(used);
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
            if self.line.len() > MAX_COMMAND {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}
