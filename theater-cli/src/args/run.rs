//! Of run.

use std::path::PathBuf;

use super::CacheArgs;

/// Run a tree of actors.
///
/// It runs until its root ends or a signal comes; with --send until the input ends. SIGINT and
/// SIGTERM stop the tree in order: everything acknowledged is on disk. A second signal kills it at
/// once. Exit status 0 means that the root ended well, 1 that it failed, 2 that nothing ran.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The manifest of the root actor.
    pub(crate) manifest: PathBuf,
    /// The folder that keeps the record. Default: `.theater` beside the manifest.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Send each line of FILE (`-`: standard input) to the root as a request; each answer is printed
    /// as a line when it is durable.
    ///
    /// A line is at most 64 MiB. An actor that does not answer gives an empty line, a request that
    /// fails too, with the reason on standard error. At the end of the input the tree is stopped,
    /// after waiting up to 5 s for the messages that are under way.
    #[arg(long, value_name = "FILE")]
    pub(crate) send: Option<PathBuf>,
    /// Send the lines as one-way messages; nothing is printed.
    #[arg(long, requires = "send")]
    pub(crate) as_send: bool,
    /// Keep running when the input has ended.
    #[arg(long, requires = "send")]
    pub(crate) keep: bool,
    /// Print each answer as base64 text: any bytes on one line.
    #[arg(long, requires = "send")]
    pub(crate) json: bool,
    /// Go on with a record that the key of the folder, host.key, did not sign up to its end, and sign it
    /// with that key from here on: after the key was exchanged or lost, or what was signed was removed.
    /// Without it such a record is refused. `theater verify` it before, with the old key (--key).
    #[arg(long)]
    pub(crate) sign_anew: bool,
    /// Restart a root that failed with its last committed state. Without it a folder
    /// whose root has failed is refused. One that ended well stays ended.
    #[arg(long)]
    pub(crate) restart_failed: bool,
    /// Have this many instances live at once, at least one: idle actors beyond that are parked, and get a
    /// fresh instance with their next message. Default: as many as the machine bears.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) instances: Option<u32>,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
}
