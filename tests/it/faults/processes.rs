//! What is left of an agent, by looking at all processes.

use crate::{
    lifecycle::world::{Agent, World, runs},
    support::{
        eventually,
        processes::{all_processes, marked, standing},
    },
};
use std::fs;

/// What there is to know of an agent's processes before it ends, since a keeper has nothing of its own to tell it by.
pub struct Traces {
    agent: u32,
    keepers: Vec<u32>,
}

impl Traces {
    pub fn of(agent: &Agent<'_>) -> Traces {
        let agent = agent.id();
        let child = |pid: &u32| standing(*pid).is_some_and(|(_, parent, _)| parent == agent);
        Traces { agent, keepers: all_processes().filter(child).collect() }
    }

    pub fn keepers(&self) -> usize {
        self.keepers.len()
    }

    /// Waits until nothing is left: no process with the world's mark in its environment, none that runs the world's
    /// program or stands in one of its folders, no keeper, and no descendant of the agent.
    pub async fn vanish(&self, world: &World) {
        eventually("no process is left", async || {
            let left: Vec<u32> = all_processes().filter(|pid| self.is_left(world, *pid)).collect();
            left.is_empty().then_some(())
        })
        .await;
    }

    fn is_left(&self, world: &World, pid: u32) -> bool {
        let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let of_world = || link("exe").starts_with(world.path("fake")) || link("cwd").starts_with(world.path("state"));
        runs(pid) && (self.keepers.contains(&pid) || self.descends(pid) || of_world() || has_mark(world, pid))
    }

    fn descends(&self, mut pid: u32) -> bool {
        while let Some((_, parent, _)) = standing(pid) {
            if parent == self.agent {
                return true;
            }
            pid = parent;
        }
        false
    }
}

fn has_mark(world: &World, pid: u32) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry == world.mark().as_bytes())
}

/// Waits until no process has this variable in its environment.
pub async fn vanish(variable: &str) {
    eventually(&format!("no process with {variable}"), async || marked(variable).is_empty().then_some(())).await;
}
