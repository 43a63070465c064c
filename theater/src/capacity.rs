//! How many instances may be live at once on this machine.

use std::fmt;

/// Memory mappings that a live instance takes: its memory, its tables and the stack of its fiber, each
/// with guard pages.
const MAPPINGS: u64 = 4;

/// What a live instance of a small component takes of the memory of the machine, in bytes.
const BYTES: u64 = 128 << 10;

/// Of the mappings of a process, the part that instances may take, in eighths; code, threads and the
/// store need some too.
const EIGHTHS: u64 = 7;

/// The most, whatever the machine: each slot reserves address space for 4 GiB of memory.
const AT_MOST: u64 = 14_000;

/// Where the machine does not say what it has.
const DEFAULT: u64 = 4_000;

/// How many component instances a runtime has live at once at most. Idle actors beyond that are parked:
/// their next messages get fresh instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instances {
    /// Those that may be live at once.
    pub places: u32,
    /// What is possible while guests wait in host calls, for other actors perhaps: each of them lends its
    /// place, up to this many.
    pub slots: u32,
    /// What bounds them.
    pub bound: InstancesBound,
}

/// What bounds the number of live instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstancesBound {
    /// The program said so.
    Set,
    /// The memory mappings that a process may have: `vm.max_map_count`, given here.
    Mappings(u64),
    /// The memory of the machine, or of the group that the process is in, in bytes.
    Memory(u64),
    /// The address space that each of them reserves.
    AddressSpace,
}

impl Instances {
    /// As many as the machine bears.
    pub fn of_this_machine() -> Self {
        Self::bounded(max_map_count(), memory())
    }

    /// As many as were asked for, at least one.
    pub(crate) fn set(places: u32) -> Self {
        let places = places.max(1);
        let slots = places.saturating_add((places / 8).max(SPARE));
        Self { places, slots, bound: InstancesBound::Set }
    }

    fn bounded(mappings: Option<u64>, memory: Option<u64>) -> Self {
        let (mut slots, mut bound) = (AT_MOST, InstancesBound::AddressSpace);
        if let Some(mappings) = mappings {
            lower(&mut slots, &mut bound, mappings / 8 * EIGHTHS / MAPPINGS, InstancesBound::Mappings(mappings));
        } else {
            slots = DEFAULT;
        }
        if let Some(memory) = memory {
            lower(&mut slots, &mut bound, memory / 4 / BYTES, InstancesBound::Memory(memory));
        }
        let slots = u32::try_from(slots).unwrap_or(u32::MAX).max(16);
        Self { places: slots - slots / 8, slots, bound }
    }

    /// How many actors may keep their places for themselves.
    pub(crate) fn pins(&self) -> u32 {
        self.places / 2
    }
}

/// Slots beyond the places, where few places were asked for.
const SPARE: u32 = 128;

fn lower(slots: &mut u64, bound: &mut InstancesBound, to: u64, by: InstancesBound) {
    if to < *slots {
        (*slots, *bound) = (to, by);
    }
}

impl fmt::Display for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "up to {} live instances", self.places)?;
        match self.bound {
            InstancesBound::Set => write!(f, ", as was set"),
            InstancesBound::Mappings(count) => write!(f, ", by vm.max_map_count = {count}"),
            InstancesBound::Memory(bytes) => write!(f, ", by {} MiB of memory", bytes >> 20),
            InstancesBound::AddressSpace => write!(f, ", by the address space"),
        }
    }
}

fn max_map_count() -> Option<u64> {
    number("/proc/sys/vm/max_map_count")
}

/// What the machine has, or the group that the process is in.
fn memory() -> Option<u64> {
    let machine = meminfo("MemTotal:");
    let group = number("/sys/fs/cgroup/memory.max");
    machine.into_iter().chain(group).min()
}

/// Whether less than a tenth of the machine's memory is left.
pub(crate) fn is_memory_short() -> bool {
    match (meminfo("MemTotal:"), meminfo("MemAvailable:")) {
        (Some(total), Some(available)) => available < total / 10,
        _ => false,
    }
}

/// A line of the system's account of its memory, in bytes.
fn meminfo(line: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|found| found.strip_prefix(line))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

fn number(file: &str) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_scarcest_bounds() {
        let plenty = Instances::bounded(Some(65_530), Some(64 << 30));
        assert_eq!(plenty.bound, InstancesBound::AddressSpace);
        let mappings = Instances::bounded(Some(32_000), Some(64 << 30));
        assert_eq!((mappings.slots, mappings.bound), (7_000, InstancesBound::Mappings(32_000)));
        assert_eq!(mappings.places, 6_125);
        let memory = Instances::bounded(Some(65_530), Some(1 << 30));
        assert_eq!((memory.slots, memory.bound), (2_048, InstancesBound::Memory(1 << 30)));
        assert_eq!(Instances::bounded(None, None).slots, 4_000);
        assert_eq!(Instances::bounded(Some(100), Some(1 << 20)).slots, 16);
    }

    #[test]
    fn what_is_set_has_slots_to_lend() {
        let few = Instances::set(0);
        assert_eq!((few.places, few.slots), (1, 129));
        assert_eq!(Instances::set(8_000).slots, 9_000);
    }
}
