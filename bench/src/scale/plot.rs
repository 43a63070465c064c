//! The plot: memory, rates and latencies over time, one below the other.

use std::path::Path;

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::sample::{Phase, Sample};

type Points = Vec<(f64, f64)>;

/// Writes the SVG.
pub(crate) fn draw(samples: &[Sample], path: &Path) -> Result<()> {
    let area = SVGBackend::new(path, (900, 900)).into_drawing_area();
    area.fill(&WHITE)?;
    let parts = area.split_evenly((3, 1));
    let of = |value: fn(&Sample) -> f64, phase: Option<Phase>| -> Points {
        let samples = samples.iter().filter(|sample| phase.is_none_or(|phase| sample.phase == phase));
        samples.map(|sample| (sample.at, value(sample))).collect()
    };
    let (spawning, messages) = (Some(Phase::Spawning), Some(Phase::Messages));
    let end = samples.last().map_or(1.0, |sample| sample.at);
    panel(&parts[0], "resident memory, MiB", end, &[("", &BLUE, of(|sample| sample.resident, None))])?;
    let rates = [
        ("starts", &GREEN, of(|sample| sample.rate, spawning)),
        ("messages", &BLUE, of(|sample| sample.rate, messages)),
    ];
    panel(&parts[1], "a second", end, &rates)?;
    let latencies =
        [("p50", &BLUE, of(|sample| sample.p50, messages)), ("p99", &RED, of(|sample| sample.p99, messages))];
    panel(&parts[2], "until durable, ms", end, &latencies)?;
    area.present()?;
    Ok(())
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    end: f64,
    lines: &[(&str, &RGBColor, Points)],
) -> Result<()> {
    let top = lines.iter().flat_map(|(_, _, points)| points).map(|(_, value)| *value).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(25)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..end, 0.0..top * 1.05)?;
    chart.configure_mesh().x_desc("seconds").draw()?;
    for (name, color, points) in lines {
        let drawn = chart.draw_series(LineSeries::new(points.iter().copied(), *color))?;
        if !name.is_empty() {
            let color = **color;
            drawn.label(*name).legend(move |(x, y)| PathElement::new([(x, y), (x + 15, y)], color));
        }
    }
    if lines.iter().any(|(name, ..)| !name.is_empty()) {
        chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    }
    Ok(())
}
