//! One row of the table: what Theater takes, what the machine takes for the same work without it, and
//! the goal.

use serde::{Deserialize, Serialize};

/// What is reached when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// Ours is at most so many times the limit.
    TimesAtMost(f64),
    /// Ours is at least so many times the limit.
    TimesAtLeast(f64),
    /// Ours is at most this, in the row's unit.
    AtMost(f64),
    /// Ours is at least this, in the row's unit.
    AtLeast(f64),
}

impl Target {
    fn is_met(self, ours: f64, ratio: f64) -> bool {
        match self {
            Self::TimesAtMost(goal) => ratio <= goal,
            Self::TimesAtLeast(goal) => ratio >= goal,
            Self::AtMost(goal) => ours <= goal,
            Self::AtLeast(goal) => ours >= goal,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TimesAtMost(goal) => write!(f, "<= {goal}x"),
            Self::TimesAtLeast(goal) => write!(f, ">= {goal}x"),
            Self::AtMost(goal) => write!(f, "<= {goal}"),
            Self::AtLeast(goal) if *goal >= 1e5 => write!(f, ">= {:.1} M", goal / 1e6),
            Self::AtLeast(goal) => write!(f, ">= {goal}"),
        }
    }
}

/// The limit and ours, measured in turn, so that what else the machine does meets both.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    limit: Vec<f64>,
    ours: Vec<f64>,
}

impl Runs {
    /// One run of each.
    pub(crate) fn add(&mut self, limit: f64, ours: f64) {
        self.limit.push(limit);
        self.ours.push(ours);
    }
}

/// A row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What is measured.
    pub(crate) name: String,
    /// What the figures count.
    pub(crate) unit: String,
    /// Theater: the median of the runs.
    pub(crate) ours: f64,
    /// The program beside it.
    pub(crate) limit_name: String,
    /// Its median.
    pub(crate) limit: f64,
    /// The median of the runs' ratios, each run beside its own limit.
    pub(crate) ratio: f64,
    /// The goal; none where nothing was promised.
    pub(crate) target: Option<Target>,
    /// Whether it is reached.
    pub(crate) met: Option<bool>,
    /// How often both were measured.
    pub(crate) runs: usize,
    /// The least and the greatest ratio of one run.
    pub(crate) spread: (f64, f64),
}

impl Row {
    /// A row from its runs.
    pub(crate) fn new(name: &str, unit: &str, limit_name: &str, runs: Runs, target: Option<Target>) -> Self {
        let ratios: Vec<f64> = runs.ours.iter().zip(&runs.limit).map(|(ours, limit)| ours / limit).collect();
        let spread =
            ratios.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), ratio| (least.min(*ratio), most.max(*ratio)));
        let (ours, limit, ratio) = (median(runs.ours), median(runs.limit), median(ratios.clone()));
        Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            ours,
            limit_name: limit_name.to_owned(),
            limit,
            ratio,
            target,
            met: target.map(|target| target.is_met(ours, ratio)),
            runs: ratios.len(),
            spread,
        }
    }
}

/// The middle one; NaN of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
