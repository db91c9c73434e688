//! What the system says of this process. Linux tells it in files; elsewhere nothing is known.

use std::fs;

/// Memory and descriptors, as far as they are known.
#[derive(Default)]
pub(super) struct Process {
    pub(super) resident_bytes: Option<i64>,
    pub(super) open_files: Option<i64>,
}

impl Process {
    /// Looks now. Opening files and counting them takes a moment: not for a thread of requests.
    pub(super) fn look() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        // The descriptor by which they are counted is one of them.
        let open_files = fs::read_dir("/proc/self/fd").map(Iterator::count);
        let open_files = open_files.ok().map(|count| count.saturating_sub(1));
        Self {
            resident_bytes: resident_bytes(&status),
            open_files: open_files.and_then(|count| i64::try_from(count).ok()),
        }
    }
}

/// `VmRSS:      1234 kB`.
fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_stands_in_a_line_of_its_own() {
        assert_eq!(resident_bytes("VmPeak:\t 9 kB\nVmRSS:\t    5 kB\n"), Some(5 * 1024));
        assert_eq!(resident_bytes("VmPeak:\t 9 kB\n"), None);
        assert_eq!(resident_bytes("VmRSS:\t many kB\n"), None);
    }
}
