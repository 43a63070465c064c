//! The timers of one instance.

use std::time::Duration;

use crate::handles::READY;

/// Timers that an instance may hold at a time.
const MAX: usize = 10_000;

/// Timers by number, from 1: the smallest free one, so that the same calls on a fresh instance get
/// the same numbers.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: Vec<Option<Duration>>,
}

impl Timers {
    /// Adds a timer that is due at `at`, on the monotonic clock; none where there are too many.
    pub(crate) fn add(&mut self, at: Duration) -> Option<u32> {
        let free = self.due.iter().position(Option::is_none);
        let place = match free {
            Some(place) => place,
            None if self.due.len() == MAX => return None,
            None => {
                self.due.push(None);
                self.due.len() - 1
            }
        };
        self.due[place] = Some(at);
        u32::try_from(place + 1).ok()
    }

    /// Forgets a timer; called by the core when the guest drops its handle.
    pub(crate) fn drop_timer(&mut self, number: u32) {
        if let Some(due) = place(number).and_then(|place| self.due.get_mut(place)) {
            *due = None;
        }
        let used = self.due.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.due.truncate(used);
    }

    /// How long the pollable is to be waited for at `now`: zero if it is ready.
    pub(crate) fn left(&self, number: u32, now: Duration) -> Duration {
        let due = place(number).and_then(|place| self.due.get(place).copied().flatten());
        due.map_or(Duration::ZERO, |due| due.saturating_sub(now))
    }
}

/// Where a timer stands; none for a pollable that is always ready.
fn place(number: u32) -> Option<usize> {
    const { assert!(READY == 0) };
    number.checked_sub(1).map(|place| place as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_smallest_free_number_is_taken() {
        let mut timers = Timers::default();
        let numbers: Vec<_> = (0..3).map(|n| timers.add(at(n))).collect();
        assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
        timers.drop_timer(2);
        timers.drop_timer(1);
        assert_eq!(timers.add(at(7)), Some(1));
        assert_eq!((timers.left(1, at(5)), timers.left(3, at(5))), (at(2), at(0)));
        for number in [1, 3, 3, 0, 9] {
            timers.drop_timer(number);
        }
        assert!(timers.due.is_empty(), "nothing stays behind");
    }

    #[test]
    fn there_are_only_so_many() {
        let mut timers = Timers::default();
        assert!((0..MAX).all(|_| timers.add(at(1)).is_some()));
        assert_eq!(timers.add(at(1)), None);
        timers.drop_timer(77);
        assert_eq!(timers.add(at(1)), Some(77));
    }

    #[test]
    fn what_is_no_timer_is_ready() {
        assert_eq!(Timers::default().left(READY, at(0)), at(0));
        assert_eq!(Timers::default().left(5, at(0)), at(0));
    }
}
