//! Compiling, for the commands that run actors: the folder that keeps what was compiled, and what is
//! shown while a compile takes long.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use etcetera::BaseStrategy as _;
use indicatif::{ProgressBar, ProgressStyle};
use theater::{CompileCache, CompileEvent, CompileStep, Digest, TheaterRuntimeBuilder};

use crate::args::CacheArgs;
use crate::failure::Failure;
use crate::output::say;

/// Gives the runtime its cache, and shows what takes more than a second unless it is to be `quiet`.
pub(crate) fn set_up(
    builder: TheaterRuntimeBuilder,
    args: &CacheArgs,
    quiet: bool,
) -> Result<TheaterRuntimeBuilder, Failure> {
    let builder = match cache(args)? {
        Some(cache) => builder.compile_cache(cache),
        None => builder,
    };
    if quiet {
        return Ok(builder);
    }
    let shown = Shown::default();
    Ok(builder.on_compile(move |event| shown.show(event)))
}

/// The folder that was named must do; without the user's own it goes on.
fn cache(args: &CacheArgs) -> Result<Option<CompileCache>, Failure> {
    if args.no_cache {
        return Ok(None);
    }
    if let Some(folder) = &args.cache {
        let help = "name another folder with --cache DIR, or none with --no-cache";
        return CompileCache::open(folder).map(Some).map_err(|error| Failure::of(&error).help(help));
    }
    let opened = match default_folder() {
        Some(folder) => CompileCache::open(folder).map_err(|error| error.to_string()),
        None => Err("there is no home folder to keep compiled components in".to_owned()),
    };
    match opened {
        Ok(cache) => Ok(Some(cache)),
        Err(reason) => {
            tracing::warn!("{reason}; components are compiled at each run (--cache DIR names another folder)");
            Ok(None)
        }
    }
}

fn default_folder() -> Option<PathBuf> {
    let user = etcetera::choose_base_strategy().ok()?;
    Some(user.cache_dir().join("theater/compiled"))
}

/// The compiles that take long: on a terminal with the time they took so far, elsewhere as a line at
/// the beginning and one at the end.
#[derive(Default)]
struct Shown(Mutex<HashMap<Digest, Option<ProgressBar>>>);

impl Shown {
    fn show(&self, event: &CompileEvent) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.step {
            CompileStep::Running(so_far) => {
                let bar = shown.entry(event.digest).or_insert_with(|| begin(event));
                if let Some(bar) = bar {
                    bar.set_message(running(event, *so_far));
                }
            }
            CompileStep::Compiled(took) => match shown.remove(&event.digest) {
                Some(Some(bar)) => bar.finish_and_clear(),
                Some(None) => say(format_args!("compiled {} in {took:.1?}", event.component.display())),
                None => {}
            },
            CompileStep::Failed(_) => {
                if let Some(Some(bar)) = shown.remove(&event.digest) {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
    }
}

/// A line of a terminal; `None`: there is none, and a lasting line says it.
fn begin(event: &CompileEvent) -> Option<ProgressBar> {
    if !io::stderr().is_terminal() {
        let size = indicatif::HumanBytes(event.bytes as u64);
        say(format_args!("compiling {} ({size}); the next start finds it done", event.component.display()));
        return None;
    }
    let bar = ProgressBar::new_spinner();
    Some(match ProgressStyle::with_template("{spinner} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    })
}

fn running(event: &CompileEvent, so_far: Duration) -> String {
    let size = indicatif::HumanBytes(event.bytes as u64);
    format!("compiling {} ({size}), {} s", event.component.display(), so_far.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_below_the_users_cache_folder() {
        let folder = default_folder().expect("the tests have a home folder");
        assert!(folder.is_absolute() && folder.ends_with("theater/compiled"), "{folder:?}");
    }
}
