//! Limits without cgroups: looking at what a server and all that it started use.

use super::plan::Bounds;
use crate::instance::launch::Excess;
use nix::unistd::Pid;
use std::{fs, time::Duration};

/// How often is looked. A look at a process of 100 MB takes the kernel about a millisecond.
pub const EVERY: Duration = Duration::from_secs(1);

/// What of the bounds these processes are over, together.
pub fn excess(processes: &[Pid], bounds: &Bounds) -> Option<Excess> {
    if let Some(limit) = bounds.processes
        && processes.iter().map(|pid| threads(*pid)).sum::<u64>() > limit
    {
        return Some(Excess::Processes { limit });
    }
    let limit = bounds.memory?;
    let used: u64 = processes.iter().map(|pid| memory(*pid)).sum();
    (used > limit).then_some(Excess::Memory { limit })
}

fn threads(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok()).unwrap_or(0)
}

/// Bytes. What several processes share is divided among them; where that may not be read, it counts for each.
fn memory(pid: Pid) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    share(&rollup).unwrap_or_else(|| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        kilobytes(&status, "VmRSS:").unwrap_or(0)
    })
}

fn share(rollup: &str) -> Option<u64> {
    kilobytes(rollup, "Pss:")
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let me = [Pid::this()];
        let bounds = |memory, processes| Bounds { memory, cpu_millis: None, processes };
        assert_eq!(excess(&me, &bounds(Some(1 << 40), Some(10_000))), None);
        assert_eq!(excess(&me, &bounds(Some(4096), None)), Some(Excess::Memory { limit: 4096 }));
        assert_eq!(excess(&me, &bounds(None, Some(0))), Some(Excess::Processes { limit: 0 }));
        assert_eq!(excess(&[], &bounds(Some(1), Some(1))), None);
        assert!((1 << 20..1 << 32).contains(&memory(Pid::this())));
    }

    #[test]
    fn figures_are_read_in_kilobytes() {
        assert_eq!(share("5600-7ff rollup\nRss:      300 kB\nPss:      12 kB\nPss_Anon: 9 kB\n"), Some(12 << 10));
        assert_eq!(share("Rss: 3 kB\n"), None);
        assert_eq!(kilobytes("VmRSS:\t  7 kB\n", "VmRSS:"), Some(7 << 10));
    }
}
