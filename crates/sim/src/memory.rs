//! What the process uses, where the system tells.

/// Bytes of memory that this process has now.
#[must_use]
pub fn now() -> Option<u64> {
    of("VmRSS:")
}

/// The most that this process has had.
#[must_use]
pub fn peak() -> Option<u64> {
    of("VmHWM:")
}

fn of(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
