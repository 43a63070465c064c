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
