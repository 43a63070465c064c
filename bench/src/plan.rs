//! How much is measured.

/// How often the limit and ours are measured; odd, for the median.
const RUNS: usize = 7;

/// Full, or as much as two minutes allow for all benchmarks together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Whether it is quick.
    pub(crate) quick: bool,
}

impl Plan {
    /// The one of two numbers that this plan takes.
    pub(crate) fn of<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// The numbers of the runs, told to whoever waits.
    pub(crate) fn runs(self, what: &str) -> impl Iterator<Item = usize> {
        let what = what.to_owned();
        (1..=RUNS).inspect(move |run| eprintln!("{what}: run {run} of {RUNS}"))
    }
}
