//! The delays before restarts.

use super::fields::{Fields, Found};
use crate::policy::Backoff;

/// What is not written.
const DEFAULT: Backoff = Backoff { initial_ms: 100, factor: 2.0, max_ms: 30_000, jitter: 0.1, reset_after_ms: 60_000 };

pub(super) fn read(found: &Found<'_>) -> Option<Backoff> {
    let mut fields = Fields::new(found.table()?, found.place, found.findings);
    let initial = fields.read("initial", |found| found.time_ms());
    let factor = fields.read("factor", |found| found.number("from 1", |factor| factor >= 1.0));
    let max = fields.read("max", |found| found.time_ms());
    let jitter = fields.read("jitter", |found| found.number("from 0 to 1", |jitter| (0.0..=1.0).contains(&jitter)));
    let reset_after = fields.read("reset_after", |found| found.time_ms());
    let known = !(initial.is_faulty() || factor.is_faulty() || max.is_faulty());
    let known = known && !(jitter.is_faulty() || reset_after.is_faulty());

    let initial_ms = initial.or(DEFAULT.initial_ms);
    let max_ms = max.given();
    if max_ms.is_some_and(|max_ms| max_ms < initial_ms) && known {
        fields.findings.fault(
            fields.place.key("max"),
            "`max` is shorter than `initial`, the first delay; write a longer `max` or a shorter `initial`",
        );
    }
    fields.finish();
    known.then_some(Backoff {
        initial_ms,
        factor: factor.or(DEFAULT.factor),
        max_ms: max_ms.unwrap_or(DEFAULT.max_ms.max(initial_ms)),
        jitter: jitter.or(DEFAULT.jitter),
        reset_after_ms: reset_after.or(DEFAULT.reset_after_ms),
    })
}
