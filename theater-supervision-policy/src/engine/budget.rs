//! Budgets: how many attempts to restart there may be within a window.
//!
//! As in OTP, where `supervisor.erl` has one list of restarts for the supervisor; here children and
//! groups may have their own, too.

use serde::Serialize;

use super::ring::Ring;

/// A budget and its use.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    max: u32,
    within_ms: u64,
    ring: Ring,
}

/// How much of a budget is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Attempts within the window.
    pub used: u32,
    /// Attempts that there may be.
    pub max: u32,
    /// The window, in ms.
    pub within_ms: u64,
}

/// What a budget says of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Charge {
    /// Attempts within the window, this one included.
    pub(super) window: u32,
    /// There are too many.
    pub(super) exhausted: bool,
    /// With this one, more than half of the budget is used.
    pub(super) crossed: bool,
}

impl Budget {
    /// `None` for a budget that there is not.
    pub(super) fn new(max: Option<u32>, within_ms: u64) -> Option<Self> {
        let max = max?;
        // One more than there may be, so that the one too many is seen.
        let ring = Ring::new((max as usize).saturating_add(1), within_ms);
        Some(Self { max, within_ms, ring })
    }

    /// Counts an attempt.
    pub(super) fn charge(&mut self, at_ms: u64) -> Charge {
        let window = self.ring.add(at_ms);
        let more_than_half = |count: u32| u64::from(count) * 2 > u64::from(self.max);
        Charge {
            window,
            exhausted: window > self.max,
            crossed: more_than_half(window) && !more_than_half(window.saturating_sub(1)),
        }
    }

    /// How many times it holds.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    pub(super) fn usage(&self, at_ms: u64) -> Usage {
        Usage { used: self.ring.used(at_ms), max: self.max, within_ms: self.within_ms }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_budget_keeps_one_attempt_more_than_there_may_be() {
        let mut budget = Budget::new(Some(10), 1_000_000_000).unwrap();
        for at_ms in 0..100_000 {
            let charge = budget.charge(at_ms);
            assert_eq!(u64::from(charge.window), (at_ms + 1).min(11));
            assert_eq!(charge.exhausted, at_ms >= 10);
            assert!(budget.len() <= 11);
        }
        assert_eq!(budget.usage(2_000_000_000).used, 0);
    }

    #[test]
    fn more_than_half_is_crossed_once_on_the_way_up() {
        for (max, crossing) in [(0, 1), (1, 1), (2, 2), (3, 2), (10, 6)] {
            let mut budget = Budget::new(Some(max), 1_000).unwrap();
            for count in 1..=max + 1 {
                assert_eq!(budget.charge(0).crossed, count == crossing, "{count} of {max}");
            }
        }
    }

    #[test]
    fn without_a_maximum_there_is_no_budget() {
        assert!(Budget::new(None, 1_000).is_none());
    }
}
