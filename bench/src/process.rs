//! What this process takes of the machine, as Linux tells it; elsewhere zeros.

use std::fs;

/// One look at the process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Resident memory, in bytes.
    pub(crate) resident: u64,
    /// Open file descriptors.
    pub(crate) files: u64,
    /// Threads.
    pub(crate) threads: u64,
    /// Memory mappings, which `vm.max_map_count` bounds.
    pub(crate) mappings: u64,
}

impl Usage {
    /// Looks now.
    pub(crate) fn now() -> Self {
        let count = |path| fs::read_dir(path).map_or(0, |entries| entries.count() as u64);
        let mappings = fs::read_to_string("/proc/self/maps").unwrap_or_default().lines().count() as u64;
        Self { resident: field("VmRSS:") * 1024, files: count("/proc/self/fd"), threads: field("Threads:"), mappings }
    }
}

/// Resident memory, in bytes.
pub(crate) fn resident() -> u64 {
    field("VmRSS:") * 1024
}

/// The most memory that the process ever had resident since [`reset_peak`], in MiB.
pub(crate) fn peak_mib() -> u64 {
    field("VmHWM:") / 1024
}

/// Linux forgets the peak so far.
pub(crate) fn reset_peak() {
    // Elsewhere the figure is that of the whole run.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// A number of `/proc/self/status`, in its unit there.
fn field(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
