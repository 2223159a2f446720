//! Finds processes by their marker and kills them, until there are none.

use super::{identity::Identity, marker::Marker};
use crate::{instance::keeper, sys};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid},
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

/// How long keepers of an earlier agent have to finish what they are at: they stop servers better than this does.
const FINISHING: Duration = Duration::from_secs(5);
/// How long is tried to kill what comes again, or does not go.
const WITHIN: Duration = Duration::from_secs(5);
/// How long the newest process is looked at again and again: a program that does nothing but start another one of itself
/// and end is never there any more when a whole list has been read.
const CHASE: Duration = Duration::from_millis(10);
/// So many looks in a row have to find nothing.
const LOOKS: u32 = 3;
/// So much is read of an environment, in bytes: as much as a program can be given under the usual limit of its stack. A
/// process can have the kernel show gigabytes of its memory instead.
const MAX_ENVIRONMENT: u64 = 2 << 20;
/// The same of arguments: a keeper's are short.
const MAX_ARGUMENTS: u64 = 4 << 10;

/// What a sweep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub killed: usize,
    /// Processes that could not be killed in time, or that are another user's.
    pub left: usize,
    /// Processes that there was no time to look at.
    pub unseen: usize,
}

/// Kills what earlier runs of an agent have left, after its keepers had time to finish. Blocking; bounded in time.
pub fn earlier(identity: &Identity) -> Swept {
    let is_earlier = |marker: &Marker<'_>| marker.agent == &*identity.agent && marker.run != &*identity.run;
    let deadline = Instant::now() + FINISHING;
    while Instant::now() < deadline
        && processes(&is_earlier, deadline).0.iter().any(|process| process.mark == Mark::Keeper)
    {
        thread::sleep(Duration::from_millis(20));
    }
    sweep(&is_earlier)
}

/// Kills what is left of one instance, whose keeper is gone. Blocking; bounded in time.
pub fn instance(marker: &str) -> Swept {
    let Some(wanted) = Marker::parse(marker) else { return Swept::default() };
    sweep(&|marker| *marker == wanted)
}

type Wanted<'w> = &'w dyn Fn(&Marker<'_>) -> bool;

/// What is known of a process. Number and start together name one for ever.
#[derive(Clone, Copy, Debug)]
struct Process {
    pid: i32,
    parent: i32,
    session: i32,
    start: u64,
    mark: Mark,
    /// The real one. Known of what is marked, and of what shares a session with that.
    user: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    None,
    Server,
    Keeper,
}

fn sweep(wanted: Wanted<'_>) -> Swept {
    let over = Instant::now() + WITHIN;
    let (mut killed, mut denied) = (BTreeSet::new(), BTreeSet::new());
    let (mut pause, mut empty) = (Duration::from_millis(1), 0);
    loop {
        let (seen, unseen) = processes(wanted, over);
        let spared = spared(&seen, std::process::id().cast_signed());
        let mut victims = victims(&seen, &spared);
        victims.retain(|process| !denied.contains(&(process.pid, process.start)));
        for process in &victims {
            match end(process) {
                Ok(()) => _ = killed.insert((process.pid, process.start)),
                Err(Errno::EPERM) => _ = denied.insert((process.pid, process.start)),
                // Gone by itself.
                Err(_) => {}
            }
        }
        let chased = chase(wanted, &spared, over);
        killed.extend(&chased);
        empty = if victims.is_empty() && chased.is_empty() { empty + 1 } else { 0 };
        if empty >= LOOKS || Instant::now() >= over {
            return Swept { killed: killed.len(), left: victims.len() + denied.len(), unseen };
        }
        if empty == 0 {
            // What was killed takes a moment to be gone.
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// Kills what is wanted among the newest processes, until none has been for a while: number and start of each.
fn chase(wanted: Wanted<'_>, spared: &BTreeSet<i32>, over: Instant) -> BTreeSet<(i32, u64)> {
    let mut killed = BTreeSet::new();
    let mut until = Instant::now() + CHASE;
    while let Some(newest) = newest().filter(|_| Instant::now() < until.min(over)) {
        for pid in (newest - 2..newest + 4).filter(|pid| !spared.contains(pid)) {
            // The handle first: what is read after that is of its process, or of none.
            let Ok(handle) = sys::open_process(Pid::from_raw(pid)) else { continue };
            // Before its end, so that none counts twice.
            let Some(Process { start, .. }) = standing(pid) else { continue };
            let Ok(environment) = beginning(pid, "environ", MAX_ENVIRONMENT) else { continue };
            if Marker::in_environment(&environment).is_some_and(|marker| wanted(&marker))
                && sys::signal_process(handle.as_fd(), Signal::SIGKILL).is_ok()
            {
                killed.insert((pid, start));
                until = Instant::now() + CHASE;
            }
        }
    }
    killed
}

/// The number that was given to a process last.
fn newest() -> Option<i32> {
    fs::read_to_string("/proc/loadavg").ok()?.split_ascii_whitespace().last()?.parse().ok()
}

/// Kills a process, and no other that has its number by now.
fn end(process: &Process) -> nix::Result<()> {
    let same = || standing(process.pid).is_some_and(|now| now.start == process.start);
    match sys::open_process(Pid::from_raw(process.pid)) {
        Ok(handle) if same() => sys::signal_process(handle.as_fd(), Signal::SIGKILL),
        Ok(_) | Err(Errno::ESRCH) => Err(Errno::ESRCH),
        // Kernels before 5.3, sandboxes that do not know the call, an agent without free descriptors.
        Err(_) if same() => kill(Pid::from_raw(process.pid), Signal::SIGKILL),
        Err(_) => Err(Errno::ESRCH),
    }
}

/// This process and those that it comes from. They may be marked, as when somebody starts an agent from inside a server.
fn spared(seen: &[Process], own: i32) -> BTreeSet<i32> {
    let mut spared = BTreeSet::from([1]);
    let mut next = own;
    while spared.insert(next) {
        next = seen.iter().find(|process| process.pid == next).map_or(1, |process| process.parent);
    }
    spared
}

/// What is to be killed: whatever is marked, what shares a session with it as the same user or was started by it (it may
/// have cleared its environment, or write its title over it). Of another user it takes no more along than it has
/// started itself: anybody can mark a process, but its session may be somebody else's.
fn victims(seen: &[Process], spared: &BTreeSet<i32>) -> Vec<Process> {
    let ours: BTreeSet<i32> = seen.iter().filter(|process| spared.contains(&process.pid)).map(|p| p.session).collect();
    // A server leads a session before it has its marker. A keeper may be in somebody else's.
    let marked = seen.iter().filter(|process| process.mark == Mark::Server && !ours.contains(&process.session));
    let sessions: BTreeSet<(i32, u32)> = marked.filter_map(|process| Some((process.session, process.user?))).collect();
    let is_fellow = |process: &Process| process.user.is_some_and(|user| sessions.contains(&(process.session, user)));
    let wanted = |process: &&Process| process.mark != Mark::None || is_fellow(process);
    let mut found: BTreeSet<i32> = seen.iter().filter(wanted).map(|process| process.pid).collect();
    loop {
        let children = |process: &&Process| found.contains(&process.parent) && !found.contains(&process.pid);
        let more: Vec<i32> = seen.iter().filter(children).map(|process| process.pid).collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    let chosen = |process: &&Process| found.contains(&process.pid) && !spared.contains(&process.pid);
    seen.iter().filter(chosen).copied().collect()
}

/// What there is, and how many could not be looked at before `over`.
fn processes(wanted: Wanted<'_>, over: Instant) -> (Vec<Process>, usize) {
    let mut seen = Vec::new();
    // These first and in any case: without them nobody knows what must be spared.
    let mut next = std::process::id().cast_signed();
    while let Some(process) = look(next, wanted) {
        next = process.parent;
        seen.push(process);
    }
    let own: BTreeSet<i32> = seen.iter().map(|process| process.pid).collect();
    let Ok(entries) = fs::read_dir("/proc") else { return (seen, 0) };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut unseen = 0;
    for pid in pids.filter(|pid| !own.contains(pid)) {
        if Instant::now() < over {
            seen.extend(look(pid, wanted));
        } else {
            unseen += 1;
        }
    }
    let marked = seen.iter().filter(|process| process.mark != Mark::None);
    let sessions: BTreeSet<i32> = marked.map(|process| process.session).collect();
    for process in seen.iter_mut().filter(|process| sessions.contains(&process.session)) {
        process.user = owner(process.pid).ok().map(Uid::as_raw);
    }
    (seen, unseen)
}

/// The first bytes of a file of a process.
fn beginning(pid: i32, file: &str, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/{file}"))?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A process as it is now. `None` if there is none, or if nothing but its exit status is left.
fn look(pid: i32, wanted: Wanted<'_>) -> Option<Process> {
    let mut process = standing(pid)?;
    let is_wanted = |marker: Option<Marker<'_>>| marker.is_some_and(|marker| wanted(&marker));
    // Other users' are unreadable to an agent that is not root, and it could not kill them either.
    let environment = beginning(pid, "environ", MAX_ENVIRONMENT).unwrap_or_default();
    if is_wanted(Marker::in_environment(&environment)) {
        process.mark = Mark::Server;
    } else if is_keeper(pid, &is_wanted) {
        process.mark = Mark::Keeper;
    }
    Some(process)
}

/// A keeper's environment is empty, and closed to others: its marker is among its arguments.
fn is_keeper(pid: i32, is_wanted: &dyn Fn(Option<Marker<'_>>) -> bool) -> bool {
    let arguments = beginning(pid, "cmdline", MAX_ARGUMENTS).unwrap_or_default();
    let mut arguments = arguments.split(|byte| *byte == 0).map(std::str::from_utf8).skip(1);
    let is_one = arguments.next() == Some(Ok(keeper::ARGUMENT));
    let marker = arguments.nth(1).and_then(Result::ok).and_then(Marker::parse);
    // Anybody may call a program so; only this user's are waited for.
    is_one && is_wanted(marker) && owner(pid).is_ok_and(|uid| uid == Uid::effective())
}

fn owner(pid: i32) -> io::Result<Uid> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_ascii_whitespace().next()?.parse().ok());
    uid.map(Uid::from_raw).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn standing(pid: i32) -> Option<Process> {
    in_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) state parent group session …`, where the name may hold blanks and parentheses; the start is field 22.
fn in_stat(pid: i32, stat: &str) -> Option<Process> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let start = fields.nth(15)?.parse().ok()?;
    Some(Process { pid, parent, session, start, mark: Mark::None, user: None })
}

#[cfg(test)]
mod tests;
