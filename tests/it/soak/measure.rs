//! What an agent has of what can leak.

use crate::support::processes::{all_processes, standing};
use std::{collections::BTreeMap, fmt, fs};

/// A look at an agent that has nothing to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Seconds since the run began.
    pub at: u64,
    /// All that descend from it.
    pub processes: usize,
    pub handles: usize,
    pub threads: usize,
    /// Of the runtime, that have not ended.
    pub tasks: usize,
    /// Memory without what is only mapped from files, in KiB.
    pub memory: usize,
}

impl Sample {
    /// `None` if the agent is gone.
    pub fn take(agent: u32, at: u64, tasks: usize) -> Option<Sample> {
        let status = fs::read_to_string(format!("/proc/{agent}/status")).ok()?;
        let number = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            line.split_whitespace().next()?.parse::<usize>().ok()
        };
        Some(Sample {
            at,
            processes: descendants(agent),
            handles: fs::read_dir(format!("/proc/{agent}/fd")).ok()?.count(),
            threads: number("Threads:")?,
            tasks,
            memory: number("RssAnon:")?,
        })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sample { at, processes, handles, threads, tasks, memory } = self;
        let memory = *memory as f64 / 1024.0;
        write!(f, "| {at} s | {processes} | {handles} | {threads} | {tasks} | {memory:.1} MiB |")
    }
}

fn descendants(agent: u32) -> usize {
    let parents: BTreeMap<u32, u32> =
        all_processes().filter_map(|pid| standing(pid).map(|(_, parent, _)| (pid, parent))).collect();
    let descends = |pid: &u32| {
        let mut pid = *pid;
        while let Some(parent) = parents.get(&pid) {
            if *parent == agent {
                return true;
            }
            pid = *parent;
        }
        false
    };
    parents.keys().filter(|pid| descends(pid)).count()
}
