//! How many there were within a window, in constant time and memory.

use std::collections::VecDeque;

/// The newest times of something: as many as are needed to know that there were too many.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    cap: usize,
    within_ms: u64,
    times: VecDeque<u64>,
}

impl Ring {
    /// Counts up to `cap` within `within_ms`, both ends included.
    pub(super) fn new(cap: usize, within_ms: u64) -> Self {
        Self { cap, within_ms, times: VecDeque::new() }
    }

    /// Adds one, and says how many there were within the window with it; `cap` at most.
    pub(super) fn add(&mut self, at_ms: u64) -> u32 {
        let from = at_ms.saturating_sub(self.within_ms);
        while self.times.front().is_some_and(|first| *first < from) || self.times.len() >= self.cap.max(1) {
            self.times.pop_front();
        }
        self.times.push_back(at_ms);
        u32::try_from(self.times.len()).unwrap_or(u32::MAX)
    }

    /// How many there are within the window.
    pub(super) fn used(&self, at_ms: u64) -> u32 {
        let from = at_ms.saturating_sub(self.within_ms);
        let gone = self.times.partition_point(|time| *time < from);
        u32::try_from(self.times.len() - gone).unwrap_or(u32::MAX)
    }

    /// How many times it holds.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }
}
