//! The delay before an attempt.
//!
//! Only IEEE multiplication and rounding, which give the same on every machine: `powf` does not.

use theater_chain::{Digest, TheaterId};

use crate::policy::Backoff;

/// The delay before attempt number `attempt`, without jitter, in ms.
pub(crate) fn delay_ms(backoff: Option<&Backoff>, attempt: u32) -> u64 {
    let Some(backoff) = backoff else { return 0 };
    let grown = backoff.initial_ms as f64 * power(backoff.factor, attempt.saturating_sub(1));
    // What is too large for a float's whole numbers is beyond `max`; `as` saturates.
    (grown.round() as u64).min(backoff.max_ms)
}

/// The delay with the jitter of this decision, in ms.
pub(crate) fn jittered_ms(backoff: Option<&Backoff>, delay_ms: u64, parent_hash: &Digest, child: &TheaterId) -> u64 {
    let Some(backoff) = backoff.filter(|backoff| backoff.jitter > 0.0) else { return delay_ms };
    let share = 1.0 + backoff.jitter * unit(parent_hash, child);
    ((delay_ms as f64 * share).round() as u64).min(backoff.max_ms)
}

/// A number in [-1, 1) that follows from the place of a decision and its child.
fn unit(parent_hash: &Digest, child: &TheaterId) -> f64 {
    let hash = Digest::of_parts(&[b"theater/jitter/1", parent_hash.as_bytes(), child.as_bytes()]);
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    // 53 bits: a float holds each of them exactly.
    let whole = (u64::from_be_bytes(first) >> 11) as f64;
    whole / (1_u64 << 52) as f64 - 1.0
}

fn power(base: f64, mut exponent: u32) -> f64 {
    let (mut product, mut square) = (1.0, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            product *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff =
        Backoff { initial_ms: 100, factor: 2.0, max_ms: 30_000, jitter: 0.1, reset_after_ms: 60_000 };

    #[test]
    fn delays_grow_to_the_longest() {
        for (attempt, expected) in [(1, 100), (2, 200), (9, 25_600), (10, 30_000), (2_000, 30_000), (u32::MAX, 30_000)]
        {
            assert_eq!(delay_ms(Some(&BACKOFF), attempt), expected, "attempt {attempt}");
        }
        let steady = Backoff { factor: 1.0, ..BACKOFF };
        assert_eq!(delay_ms(Some(&steady), u32::MAX), 100);
        assert_eq!(delay_ms(None, 7), 0);
    }

    #[test]
    fn jitter_stays_within_its_share_and_under_the_longest() {
        let child = TheaterId::from_bytes([7; 16]);
        let wide = Backoff { jitter: 1.0, ..BACKOFF };
        let (mut low, mut high) = (u64::MAX, 0);
        for n in 0_u32..2_000 {
            let parent = Digest::of(&n.to_be_bytes());
            let jittered = jittered_ms(Some(&BACKOFF), 10_000, &parent, &child);
            assert!((9_000..=11_000).contains(&jittered), "{jittered}");
            (low, high) = (low.min(jittered), high.max(jittered));
            assert!(jittered_ms(Some(&wide), 20_000, &parent, &child) <= 30_000);
        }
        assert!(low < 9_050 && high > 10_950, "{low} to {high}");
    }

    #[test]
    fn jitter_depends_on_place_and_child() {
        let of = |parent: u8, child: u8| unit(&Digest([parent; 32]), &TheaterId::from_bytes([child; 16]));
        assert_eq!(of(1, 1).to_bits(), of(1, 1).to_bits());
        assert_ne!(of(1, 1).to_bits(), of(2, 1).to_bits());
        assert_ne!(of(1, 1).to_bits(), of(1, 2).to_bits());
        let none = Backoff { jitter: 0.0, ..BACKOFF };
        assert_eq!(jittered_ms(Some(&none), 123, &Digest::ZERO, &TheaterId::from_bytes([1; 16])), 123);
    }
}
