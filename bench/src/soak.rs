//! `bench soak`: a mixed load for a long time, with crashes, restarts, parking, children that come and go, and
//! upgrades. What the process takes of the machine must stay flat.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;
use theater::Upgrade;

use crate::client::{Client, task};
use crate::clock::now;
use crate::forest::{Forest, Load, Meter};
use crate::process::Usage;

/// Counters.
const ACTORS: usize = 2_000;

/// Places for live instances: a tenth, so that they are parked and woken all the time.
const LIVE: u32 = 200;

/// Clients of the counters.
const CLIENTS: usize = 32;

/// Samples of a run, at least a second apart.
const SAMPLES: u64 = 120;

/// What grows by more than this in the second half, as a share of what it was, is not flat.
const FLAT: f64 = 0.05;

/// A figure in the second half of the run.
#[derive(Debug, Serialize)]
struct Trend {
    what: &'static str,
    /// In the middle of the run and at its end, on the line that fits best.
    middle: f64,
    end: f64,
    flat: bool,
}

/// Runs for so many minutes.
pub(crate) async fn run(minutes: f64, json: bool) -> Result<()> {
    let data = tempfile::tempdir()?;
    let forest = Arc::new(Forest::new(data.path(), ACTORS, |builder| builder.live_instances(LIVE)).await?);
    forest.grow().await?;
    let meter = Arc::new(Meter::default());
    let load = Load::begin(&forest, &meter, CLIENTS);
    let stop = Arc::new(AtomicBool::new(false));
    let others = [task(pass_by(forest.clone(), stop.clone())), task(upgrade(forest.clone(), stop.clone()))];
    let (begin, length) = (now(), Duration::from_secs_f64(minutes * 60.0));
    let every = (length / SAMPLES as u32).max(Duration::from_secs(1));
    let mut samples = Vec::new();
    while begin.elapsed() < length {
        pause(every).await;
        let (usage, latencies) = (Usage::now(), meter.take());
        let at = begin.elapsed().as_secs_f64();
        let acknowledged = meter.acknowledged.load(Ordering::Relaxed);
        eprintln!(
            "{at:>6.0} s  {:>6} MiB  {:>4} files  {:>4} threads  {:>6} VMAs  {acknowledged:>9} messages  {:>6} crashes  p99 {:>6.1} ms",
            usage.resident >> 20,
            usage.files,
            usage.threads,
            usage.mappings,
            meter.crashes.load(Ordering::Relaxed),
            latencies.percentile(99.0).as_secs_f64() * 1e3,
        );
        samples.push((at, usage));
    }
    stop.store(true, Ordering::Relaxed);
    for other in others {
        other.await??;
    }
    let acknowledged = load.end().await?;
    let checked = forest.check(&acknowledged).await?;
    let trends = trends(&samples[samples.len() / 2..]);
    if json {
        println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "trends": trends, "checked": checked }))?);
    } else {
        println!("{:<18} {:>12} {:>12}", "second half", "begin", "end");
        for Trend { what, middle, end, flat } in &trends {
            println!("{what:<18} {middle:>12.0} {end:>12.0}  {}", if *flat { "flat" } else { "GROWS" });
        }
        println!("{} messages acknowledged, none lost; {} chains verify", checked.acknowledged, checked.chains);
    }
    forest.world.runtime.kill().await?;
    ensure!(trends.iter().all(|trend| trend.flat), "not everything stays flat");
    Ok(())
}

async fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a benchmark samples at times")]
    tokio::time::sleep(time).await;
}

/// Roots that are started, do a thing and end, and some that panic and stay ended.
async fn pass_by(forest: Arc<Forest>, stop: Arc<AtomicBool>) -> Result<()> {
    let mut client = Client::new();
    let mut n = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let passer_by = forest.world.try_spawn("rogue").await?;
        client.ask(&passer_by, "flood-log 20").await?;
        let order = if n.is_multiple_of(8) { "panic" } else { "shutdown" };
        // One that panics has no answer.
        let _ = client.ask(&passer_by, order).await;
        passer_by.ended().await?;
        n += 1;
        pause(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// An actor that is upgraded and rolled back, with messages in between.
async fn upgrade(forest: Arc<Forest>, stop: Arc<AtomicBool>) -> Result<()> {
    let runtime = &forest.world.runtime;
    let next = std::fs::read(theater_build::testing::component("tally-next"))?;
    let mut client = Client::new();
    let tally = forest.world.try_spawn("tally").await?;
    while !stop.load(Ordering::Relaxed) {
        client.ask(&tally, "add 1").await?;
        runtime.upgrade_actor(tally.id(), Upgrade::new(next.clone()).version("0.2.0")).await?;
        client.ask(&tally, "add 1").await?;
        runtime.roll_back_actor(tally.id()).await?;
        pause(Duration::from_millis(200)).await;
    }
    Ok(())
}

fn trends(samples: &[(f64, Usage)]) -> Vec<Trend> {
    let trend = |what, figure: fn(&Usage) -> u64| {
        let points: Vec<_> = samples.iter().map(|(at, usage)| (*at, figure(usage) as f64)).collect();
        let (middle, end) = line(&points);
        Trend { what, middle, end, flat: end <= middle * (1.0 + FLAT) }
    };
    vec![
        trend("RSS, MiB", |usage| usage.resident >> 20),
        trend("file descriptors", |usage| usage.files),
        trend("threads", |usage| usage.threads),
        trend("VMAs", |usage| usage.mappings),
    ]
}

/// The begin and the end of the line that fits best, by least squares.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len().max(1) as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let below: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let slope = if below > 0.0 { above / below } else { 0.0 };
    let at = |point: Option<&(f64, f64)>| y + slope * (point.map_or(x, |point| point.0) - x);
    (at(points.first()), at(points.last()))
}
