//! The groups of one instance.

use crate::instance::{
    confine::plan::Cgroup,
    keeper::wire::{Failure, Step},
};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

pub const PROCESSES: &str = "cgroup.procs";

/// How many groups below one are looked at: a server that is the owner of its group may make any number.
const MOST: usize = 10_000;

/// How often an empty group is tried to be removed; the kernel may take a moment to see that it is.
const ATTEMPTS: u32 = 50;

/// A group to be made: a folder, and what to write into its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub path: PathBuf,
    pub version: Cgroup,
    pub settings: Vec<Setting>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub file: String,
    pub value: String,
    /// Whether the limit is none without it; else the file may be missing.
    pub needed: bool,
}

impl Setting {
    pub fn needed(file: &str, value: impl ToString) -> Setting {
        Setting { file: file.into(), value: value.to_string(), needed: true }
    }

    pub fn where_there(file: &str, value: impl ToString) -> Setting {
        Setting { needed: false, ..Setting::needed(file, value) }
    }
}

/// The groups of an instance, from their making to their removal.
#[derive(Clone, Debug, Default)]
pub struct Held(Vec<Group>);

impl Held {
    /// Of groups that somebody else makes.
    pub fn of(groups: Vec<Group>) -> Held {
        Held(groups)
    }

    /// Makes them.
    pub fn make(groups: &[Group]) -> Result<Held, Failure> {
        let mut held = Held::default();
        let result = groups.iter().try_for_each(|group| {
            fs::create_dir(&group.path).map_err(|error| failure(Step::MakeGroup, &error, &group.path))?;
            held.0.push(group.clone());
            group.settings.iter().try_for_each(|setting| {
                let file = group.path.join(&setting.file);
                match write(&file, &setting.value) {
                    Err(error) if setting.needed || file.exists() => Err(failure(Step::MakeGroup, &error, &file)),
                    Ok(()) | Err(_) => Ok(()),
                }
            })
        });
        match result {
            Ok(()) => Ok(held),
            Err(failure) => {
                held.remove();
                Err(failure)
            }
        }
    }

    /// Puts this process into all of them.
    pub fn join(groups: &[Group]) -> Result<(), Failure> {
        groups.iter().try_for_each(|group| {
            let file = group.path.join(PROCESSES);
            write(&file, "0").map_err(|error| failure(Step::JoinGroup, &error, &file))
        })
    }

    /// Kills all that is in them.
    pub fn kill(&self) {
        self.0.iter().for_each(|group| kill_in(&group.path));
    }

    /// How many processes of them have been killed for want of memory.
    pub fn out_of_memory(&self) -> u64 {
        let count = |group: &Group| {
            let file = match group.version {
                Cgroup::V1 => "memory.oom_control",
                Cgroup::V2 => "memory.events",
            };
            let text = fs::read_to_string(group.path.join(file)).unwrap_or_default();
            text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok())
        };
        self.0.iter().filter_map(count).max().unwrap_or_default()
    }

    /// Removes them, with all that is still in them and the groups that were made below.
    pub fn remove(&self) {
        for group in &self.0 {
            for _ in 0..ATTEMPTS {
                match remove(&group.path) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                        kill_in(&group.path);
                        sleep(Duration::from_millis(2));
                    }
                    // What cannot be removed is left to the sweep at the agent's next start.
                    Ok(()) | Err(_) => break,
                }
            }
        }
    }
}

/// Removes a group and those below it, as far as nothing is in them.
///
/// # Errors
/// Why it is still there. That it is gone already is none.
pub fn remove(path: &Path) -> io::Result<()> {
    let mut result = Ok(());
    for path in below(path).iter().rev() {
        match fs::remove_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => result = Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    result
}

/// A group and those below it, each before those below itself.
pub fn below(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    let mut at = 0;
    while let Some(path) = found.get(at).filter(|_| found.len() < MOST) {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let folders: Vec<PathBuf> = folders.map(|entry| entry.path()).take(MOST).collect();
        found.extend(folders);
        at += 1;
    }
    found
}

/// Kills all processes of a group and of those below it: at one stroke where the kernel can, else one by one, for which
/// reason callers look again.
pub fn kill_in(path: &Path) {
    let at_once = path.join("cgroup.kill");
    if at_once.exists() && write(&at_once, "1").is_ok() {
        return;
    }
    let read = |path: &PathBuf| fs::read_to_string(path.join(PROCESSES)).unwrap_or_default();
    let processes: String = below(path).iter().map(read).collect();
    for pid in processes.lines().filter_map(|line| line.parse().ok()) {
        let pid = Pid::from_raw(pid);
        // 0 is one that this process cannot see, and would mean this process's own group.
        if pid.as_raw() > 1 && pid != Pid::this() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// In one piece, as the kernel takes it.
pub fn write(file: &Path, value: &str) -> io::Result<()> {
    File::create(file)?.write_all(value.as_bytes())
}

fn failure(step: Step, error: &io::Error, path: &Path) -> Failure {
    Failure::new(step, error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)).at(path)
}
