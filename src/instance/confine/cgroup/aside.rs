//! Version 2: a group that hands its controllers down must have no processes itself. So the agent leaves its group for one
//! of its own, and takes along what belongs to it.

use super::group::{PROCESSES, write};
use nix::unistd::{Pid, getppid};
use std::{collections::BTreeSet, fs, io, path::Path};

/// What the agent is called that stands before another one as the first process of a container.
const INIT: &str = "mcpfleet-init";

/// How far up an ancestor is looked for: a way that goes round has an end too.
const GENERATIONS: usize = 64;

/// How often is looked for what has been started meanwhile.
const ROUNDS: u32 = 10;

/// Leaves `base` for the group `agent`, which is made below `own`.
///
/// # Errors
/// Why the agent cannot.
pub fn step(base: &Path, own: &Path) -> Result<(), String> {
    let leaf = own.join("agent");
    let failed = |error: io::Error| format!("cannot move to its cgroup {}: {error}", leaf.display());
    let init = init();
    let mut made = false;
    for _ in 0..ROUNDS {
        let there = processes(base);
        if there.is_empty() {
            break;
        }
        let mine = belonging(&there, Pid::this().as_raw(), init, parent);
        // One that has ended since is no stranger. One that this process cannot see has the number 0.
        let alive = |pid: &i32| *pid <= 0 || fs::exists(format!("/proc/{pid}")).unwrap_or(true);
        if there.iter().any(|pid| !mine.contains(pid) && alive(pid)) {
            return Err(format!("is not alone in its cgroup {}", base.display()));
        }
        if !std::mem::replace(&mut made, true) {
            fs::create_dir(&leaf).map_err(failed)?;
        }
        for pid in there.iter().filter(|pid| mine.contains(pid)) {
            match write(&leaf.join(PROCESSES), &pid.to_string()) {
                Err(error) if alive(pid) => return Err(failed(error)),
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(())
}

/// Those of `there` that are the agent `me`, were started by it, or are the `init` before it.
fn belonging(there: &[i32], me: i32, init: Option<i32>, parent: impl Fn(i32) -> Option<i32>) -> BTreeSet<i32> {
    let descends =
        |pid: i32| std::iter::successors(Some(pid), |pid| parent(*pid)).take(GENERATIONS).any(|pid| pid == me);
    there.iter().copied().filter(|pid| Some(*pid) == init || descends(*pid)).collect()
}

/// The process before this one, if it is there for this one only.
fn init() -> Option<i32> {
    let parent = getppid();
    let name = fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
    (parent == Pid::from_raw(1) && name.trim_end() == INIT).then_some(parent.as_raw())
}

fn processes(group: &Path) -> Vec<i32> {
    let text = fs::read_to_string(group.join(PROCESSES)).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn parent(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_takes_along_what_it_has_started_and_its_init() {
        // 1 is its init, 20 and 30 are a keeper and what that runs.
        let parents =
            |pid| [(2, 1), (7, 1), (20, 2), (30, 20), (31, 7)].iter().find(|(of, _)| *of == pid).map(|(_, p)| *p);
        let all = [1, 2, 7, 20, 30, 31];
        assert_eq!(belonging(&all, 2, Some(1), parents), BTreeSet::from([1, 2, 20, 30]));
        assert_eq!(belonging(&all, 2, None, parents), BTreeSet::from([2, 20, 30]));
        // Its parent is in the other group already.
        assert_eq!(belonging(&[0, 7, 30], 2, None, parents), BTreeSet::from([30]));
        // What it sees while numbers pass from one process to another may make no sense.
        assert_eq!(belonging(&[3, 4], 2, None, |pid| Some(7 - pid)), BTreeSet::new());
    }

    #[test]
    fn the_parent_of_this_process_is_found() {
        assert_eq!(parent(Pid::this().as_raw()), Some(getppid().as_raw()));
        assert_eq!(parent(i32::MAX), None);
    }
}
