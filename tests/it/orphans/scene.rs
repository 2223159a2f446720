//! A world in which everything that an agent has started can be found: by the mark of its servers, by being a keeper
//! of that agent, by the label of its containers.

use crate::{
    lifecycle::world::{Agent, World, runs},
    support::{
        eventually,
        processes::{all_processes, marked, standing},
    },
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{collections::BTreeSet, fs, process::Command};

/// The identity of the agents of a world, once one has run.
pub fn agent_id(world: &World) -> String {
    let file = fs::read_to_string(world.path("state/agent")).expect("an agent has run here");
    file.split_whitespace().next().expect("its identity").to_owned()
}

/// The keepers of the agents of a world, dead agents included.
pub fn keepers(world: &World) -> Vec<u32> {
    let id = agent_id(world);
    let is_one = |pid: &u32| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = arguments.split(|byte| *byte == 0).skip(1);
        arguments.next() == Some(b"__keeper") && arguments.nth(1).is_some_and(|mark| mark.starts_with(id.as_bytes()))
    };
    all_processes().filter(is_one).collect()
}

/// The labels of the containers of the agents of a world.
pub fn containers(world: &World) -> Vec<String> {
    let id = agent_id(world);
    let ps = ["ps", "-a", "--filter", "label=mcpfleet.instance", "--format", r#"{{.Label "mcpfleet.instance"}}"#];
    let output = Command::new("docker").args(ps).output().expect("docker runs");
    assert!(output.status.success(), "{output:?}");
    let listed = String::from_utf8(output.stdout).unwrap();
    listed.lines().filter(|label| label.starts_with(&id)).map(str::to_owned).collect()
}

/// All that there is of the servers of a world, by number and label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Everything {
    pub processes: BTreeSet<u32>,
    pub keepers: BTreeSet<u32>,
    pub containers: BTreeSet<String>,
}

impl Everything {
    pub fn of(world: &World, with_containers: bool) -> Everything {
        let alive = |pid: &u32| standing(*pid).is_some_and(|(state, ..)| state != 'Z');
        Everything {
            processes: marked(&world.mark()).into_iter().filter(alive).collect(),
            keepers: keepers(world).into_iter().filter(alive).collect(),
            containers: if with_containers { containers(world).into_iter().collect() } else { BTreeSet::new() },
        }
    }

    /// Whether nothing of an earlier look is there any more.
    pub fn is_free_of(&self, earlier: &Everything) -> bool {
        self.processes.is_disjoint(&earlier.processes)
            && self.keepers.is_disjoint(&earlier.keepers)
            && self.containers.is_disjoint(&earlier.containers)
    }

    pub fn is_nothing(&self) -> bool {
        *self == Everything::default()
    }
}

pub fn kill_hard(pids: impl IntoIterator<Item = u32>) {
    let pids: Vec<Pid> = pids.into_iter().map(|pid| Pid::from_raw(pid.cast_signed())).collect();
    // Stopped first, so that none sees another one die.
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in &pids {
            let _ = kill(*pid, signal);
        }
    }
}

/// Kills an agent and all its keepers at once, as `pkill -9 mcpfleet` does.
pub async fn kill_all(world: &World, agent: &mut Agent<'_>) {
    let all = [vec![agent.id()], keepers(world)].concat();
    kill_hard(all.iter().copied());
    agent.ended().await;
    eventually("agent and keepers gone", async || (!all.iter().any(|pid| runs(*pid))).then_some(())).await;
}
