//! How often something happened within the last minute.

/// A minute, a count for each second.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    /// The second, and how often.
    seconds: [(u64, u64); 60],
}

impl Default for Rate {
    fn default() -> Self {
        Self { seconds: [(0, 0); 60] }
    }
}

impl Rate {
    /// It happened, at this time in ms.
    pub(super) fn add(&mut self, at_ms: u64) {
        let second = at_ms / 1_000;
        let slot = &mut self.seconds[(second % 60) as usize];
        if slot.0 != second {
            *slot = (second, 0);
        }
        slot.1 += 1;
    }

    /// How often within the minute that ends at this time.
    pub(super) fn per_minute(&self, now_ms: u64) -> u64 {
        let now = now_ms / 1_000;
        let within = |(second, _): &&(u64, u64)| *second <= now && *second + 60 > now;
        self.seconds.iter().filter(within).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_minute_counts() {
        let mut rate = Rate::default();
        for at_ms in [100_000, 100_999, 130_000, 159_000] {
            rate.add(at_ms);
        }
        assert_eq!(rate.per_minute(159_500), 4);
        assert_eq!(rate.per_minute(160_000), 2);
        assert_eq!(rate.per_minute(500_000), 0);
        rate.add(160_000); // the slot of second 100
        assert_eq!(rate.per_minute(160_000), 3);
    }
}
