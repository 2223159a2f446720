//! Control groups: a folder of the agent's own in each hierarchy that it may write to, and below it one an instance.
//!
//! The agent finds and makes its own folders once, at its start. The folder of an instance is made, written to and
//! removed by the instance's keeper, which stays outside of it, and so survives what happens in it.

mod aside;
mod group;
mod mounts;
mod own;
mod v1;
mod v2;

pub use group::{Group, Held, Setting};
pub use mounts::{Mount, Wanted};

use super::plan::{Bounds, Cgroup};
use nix::errno::Errno;
use own::Own;
use std::path::PathBuf;

/// The hierarchies that this agent may use.
#[derive(Debug, Default)]
pub struct Groups {
    hierarchies: Vec<Hierarchy>,
    problems: Vec<Problem>,
}

/// Why a hierarchy cannot be used.
#[derive(Debug)]
struct Problem {
    /// What instances could be limited by in it.
    controllers: Vec<Wanted>,
    text: String,
}

#[derive(Debug)]
struct Hierarchy {
    version: Cgroup,
    /// What instances can be limited by here. None is left in a v2 hierarchy whose controllers are elsewhere; it still
    /// knows best which processes belong together.
    controllers: Vec<Wanted>,
    own: Own,
}

impl Hierarchy {
    /// Whether a mount shows the same once more. A process that joined a group there would leave the one here, and its
    /// limits with it.
    fn is_that_of(&self, mount: &Mount) -> bool {
        let all = self.version == Cgroup::V2 || self.controllers == mount.controllers;
        self.version == mount.version && all
    }
}

impl Groups {
    /// Finds what this process may use. Kills and removes what is left there of agents with the same `tag`, which must
    /// have died: whoever calls this knows that nobody else alive has that tag. Of other agents that have died removes
    /// what is empty. May take a second, and may move this process and those that it has started into a group of its own:
    /// not for async code, nor for a program that is no agent.
    pub fn find(tag: &str) -> Groups {
        match mounts::of_this_process() {
            Ok(mounts) => Groups::below(mounts, tag),
            Err(error) => {
                let problem = Problem { controllers: Wanted::ALL.into(), text: format!("cannot read /proc: {error}") };
                Groups { hierarchies: vec![], problems: vec![problem] }
            }
        }
    }

    /// The same for these.
    pub fn below(mounts: Vec<Mount>, tag: &str) -> Groups {
        let mut groups = Groups::default();
        for mount in mounts {
            if groups.hierarchies.iter().any(|known| known.is_that_of(&mount)) {
                continue;
            }
            let available = match mount.version {
                Cgroup::V1 => mount.controllers,
                Cgroup::V2 => v2::available(&mount.base),
            };
            let own = match Own::make(&mount.base, tag) {
                Ok(own) => own,
                Err(error) => {
                    let why = match error.raw_os_error() {
                        Some(number) => Errno::from_raw(number).desc().to_lowercase(),
                        None => error.to_string(),
                    };
                    let text = format!("cannot write to its {} {}: {why}", mount.version, mount.base.display());
                    groups.problems.push(Problem { controllers: available, text });
                    continue;
                }
            };
            let controllers = match mount.version {
                Cgroup::V1 => available,
                Cgroup::V2 => v2::delegate(&mount.base, own.path(), &available).unwrap_or_else(|text| {
                    groups.problems.push(Problem { controllers: available, text });
                    Vec::new()
                }),
            };
            groups.hierarchies.push(Hierarchy { version: mount.version, controllers, own });
        }
        groups
    }

    /// Whether instances can be limited by a controller, and by which kind of groups.
    ///
    /// # Errors
    /// Why not, and what to do about it.
    pub fn offer(&self, wanted: Wanted) -> Result<Cgroup, String> {
        if let Some(hierarchy) = self.hierarchy(wanted) {
            return Ok(hierarchy.version);
        }
        match self.problems.iter().find(|problem| problem.controllers.contains(&wanted)) {
            Some(Problem { text, .. }) => {
                Err(format!("the agent {text}; run it as root or as a service with `Delegate=yes`"))
            }
            None => Err(format!("there is no cgroup with the {wanted} controller")),
        }
    }

    /// The groups that an instance gets: one in v2 in any case, because nothing escapes it, others for limits only.
    pub fn of(&self, instance: &str, bounds: &Bounds) -> Vec<Group> {
        let group = |hierarchy: &Hierarchy| {
            let here = |wanted: Wanted| self.hierarchy(wanted).is_some_and(|best| std::ptr::eq(best, hierarchy));
            let bounds = Bounds {
                memory: bounds.memory.filter(|_| here(Wanted::Memory)),
                cpu_millis: bounds.cpu_millis.filter(|_| here(Wanted::Cpu)),
                processes: bounds.processes.filter(|_| here(Wanted::Processes)),
            };
            let settings = match hierarchy.version {
                Cgroup::V1 => v1::settings(&bounds),
                Cgroup::V2 => v2::settings(&bounds),
            };
            let needed = hierarchy.version == Cgroup::V2 || bounds != Bounds::default();
            needed.then(|| Group { path: hierarchy.own.path().join(instance), version: hierarchy.version, settings })
        };
        self.hierarchies.iter().filter_map(group).collect()
    }

    /// The folders of this agent.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.hierarchies.iter().map(|hierarchy| hierarchy.own.path().to_owned()).collect()
    }

    /// The v2 hierarchy goes before those of v1.
    fn hierarchy(&self, wanted: Wanted) -> Option<&Hierarchy> {
        let mut able = self.hierarchies.iter().filter(|hierarchy| hierarchy.controllers.contains(&wanted));
        let first = able.clone().find(|hierarchy| hierarchy.version == Cgroup::V2);
        first.or_else(|| able.next())
    }
}

/// Thousandths of a core as quota and period in microseconds. The kernel wants a quota of at least 1 ms.
fn quota(millis: u64) -> (u64, u64) {
    let period: u64 = if millis < 10 { 1_000_000 } else { 100_000 };
    (millis.saturating_mul(period / 1000), period)
}

#[cfg(test)]
mod tests;
