//! This process, as the kernel sees it.

use super::reading::{Process, Runtime};
use nix::{
    sys::resource::{Resource, UsageWho, getrlimit, getrusage},
    sys::time::TimeValLike,
};
use std::fs;

/// Looks at `/proc`, which may take a while where there are many files open.
pub(super) fn process() -> Process {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let (resident_bytes, virtual_bytes) = (kibibytes(&status, "VmRSS:"), kibibytes(&status, "VmSize:"));
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok();
    // One of the entries is that by which they are read.
    let open = fs::read_dir("/proc/self/fd").map(|entries| entries.count().saturating_sub(1));
    Process {
        cpu_seconds: usage.map(|usage| {
            let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
            micros as f64 / 1e6
        }),
        resident_bytes,
        virtual_bytes,
        open_files: open.ok().map(|count| count as u64),
        max_files: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft),
        threads: value(&status, "Threads:"),
    }
}

/// The tasks of the runtime from which this is called.
pub(super) fn runtime() -> Runtime {
    let metrics = tokio::runtime::Handle::current().metrics();
    Runtime { tasks: metrics.num_alive_tasks(), queued: metrics.global_queue_depth(), workers: metrics.num_workers() }
}

fn value(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    value(status, name)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_finds_itself() {
        let file = fs::File::open("/proc/self/status").unwrap();
        let seen = process();
        let Process { cpu_seconds, resident_bytes, virtual_bytes, open_files, max_files, threads } = seen;
        assert!(cpu_seconds.is_some() && threads.is_some_and(|threads| threads > 0), "{seen:?}");
        assert!(resident_bytes.is_some_and(|bytes| bytes > 1 << 20) && virtual_bytes > resident_bytes, "{seen:?}");
        assert!(open_files.is_some_and(|open| open > 3) && max_files > open_files, "{seen:?}");
        drop(file);
    }

    #[test]
    fn lines_of_a_status() {
        let status = "Name:\tx\nVmSize:\t   12 kB\nVmRSS:\t 34 kB\nThreads:\t5\n";
        assert_eq!((kibibytes(status, "VmRSS:"), value(status, "Threads:")), (Some(34 << 10), Some(5)));
        assert_eq!(kibibytes("VmRSS:\tmany kB\n", "VmRSS:"), None);
    }
}
