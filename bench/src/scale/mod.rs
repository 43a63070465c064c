//! `bench scale`: very many actors in one process, on SQLite, asked and crashed at random. A table and a plot
//! of what it takes over time; and at the end nothing is lost and every chain verifies.

mod plot;
mod sample;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};

use self::sample::{Phase, Sample, Sampler};
use crate::client::task;
use crate::clock::now;
use crate::forest::{Checked, Forest, Load, Meter};

/// How much.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Scale {
    /// Actors.
    #[arg(long, default_value_t = 1_000_000)]
    actors: usize,
    /// Seconds of messages, after all actors were started.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Clients that wait for the answers at the same time.
    #[arg(long, default_value_t = 256)]
    clients: usize,
    /// Instances that may be live at once; the rest of the actors is parked. Without it, the default.
    #[arg(long)]
    instances: Option<u32>,
    /// Where `scale.md` and `scale.svg` are written.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

/// Between two samples.
const EVERY: Duration = Duration::from_secs(2);

/// Runs it and ends the process: stopping a million actors would take longer than the run.
pub(crate) async fn run(scale: Scale, json: bool) -> Result<()> {
    std::fs::create_dir_all(&scale.out).with_context(|| format!("cannot make {}", scale.out.display()))?;
    let data = tempfile::tempdir()?;
    let instances = scale.instances;
    let forest = Forest::new(data.path(), scale.actors, |builder| match instances {
        Some(instances) => builder.live_instances(instances),
        None => builder,
    });
    let (forest, meter) = (Arc::new(forest.await?), Arc::new(Meter::default()));
    let mut sampler = Sampler::new(forest.clone(), meter.clone());
    let growing = forest.clone();
    let mut grown = task(async move { growing.grow().await });
    loop {
        tokio::select! {
            done = &mut grown => break done??,
            () = pause() => sampler.look(Phase::Spawning),
        }
    }
    sampler.look(Phase::Spawning);
    let load = Load::begin(&forest, &meter, scale.clients);
    let begin = now();
    while begin.elapsed() < Duration::from_secs(scale.seconds) {
        pause().await;
        sampler.look(Phase::Messages);
    }
    let acknowledged = load.end().await?;
    let samples = sampler.samples();
    plot::draw(&samples, &scale.out.join("scale.svg"))?;
    let checked = forest.check(&acknowledged).await?;
    let crashes = meter.crashes.load(Ordering::Relaxed);
    let errors = meter.errors.load(Ordering::Relaxed);
    let table = table(&scale, &samples, &checked, crashes, errors);
    std::fs::write(scale.out.join("scale.md"), &table)?;
    if json {
        let found = serde_json::json!({
            "actors": scale.actors, "clients": scale.clients, "samples": samples, "checked": checked,
            "crashes": crashes, "errors": errors,
        });
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        println!("{table}");
    }
    drop(data);
    std::process::exit(0);
}

async fn pause() {
    #[expect(clippy::disallowed_methods, reason = "a benchmark samples at times")]
    tokio::time::sleep(EVERY).await;
}

/// The table, as Markdown; of the samples about thirty.
fn table(scale: &Scale, samples: &[Sample], checked: &Checked, crashes: u64, errors: u64) -> String {
    let mut text = format!("{} actors, {} clients\n\n{}", scale.actors, scale.clients, Sample::HEAD);
    let step = samples.len().div_ceil(30).max(1);
    for (n, sample) in samples.iter().enumerate() {
        if n % step == 0 || n + 1 == samples.len() {
            text += &sample.line();
        }
    }
    let Checked { acknowledged, unsure, sum, chains, events, verified_in } = checked;
    text + &format!(
        "\n{acknowledged} messages acknowledged, each of them in a chain; the counters' sum is {sum} ({unsure} more whose \
         answer was an error; {errors} errors). {crashes} crashes, each followed by a restart. {chains} chains of {events} \
         events together verify in full ({verified_in:.0} s).\n"
    )
}
