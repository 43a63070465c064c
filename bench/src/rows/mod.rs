//! The benchmarks, a file each: what each measures, and beside what.

pub(crate) mod chain;
pub(crate) mod compile;
pub(crate) mod durable;
pub(crate) mod message;
pub(crate) mod noisy;
pub(crate) mod parked;
pub(crate) mod passers_by;
pub(crate) mod recovery;
pub(crate) mod replay;
pub(crate) mod request;
pub(crate) mod restart;
pub(crate) mod spawn;
pub(crate) mod throughput;
