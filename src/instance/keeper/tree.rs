//! All that a server has started.

use nix::unistd::Pid;
use std::{fs, io};

/// Every process below `root`, which is a child subreaper: what lost its parent is found too.
///
/// A snapshot of something that moves: processes that are just being made or handed over to another parent may be
/// missing, so callers look again until `root` has no child left.
///
/// `visit` is called with each of them as soon as it is found, so that what starts others of itself and ends is not gone
/// before its turn comes. Returns how many there were.
pub fn visit(root: Pid, mut visit: impl FnMut(Pid)) -> usize {
    let mut count = 0;
    let mut look = vec![root];
    while let Some(parent) = look.pop() {
        let Ok(children) = children(parent) else { continue };
        children.iter().for_each(|child| visit(*child));
        count += children.len();
        look.extend(children);
    }
    if count > 0 {
        return count;
    }
    let found = scan(root).unwrap_or_default();
    found.iter().for_each(|pid| visit(*pid));
    found.len()
}

/// The children of all threads of a process, as the kernel lists them (where it was built to).
fn children(parent: Pid) -> io::Result<Vec<Pid>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{parent}/task"))? {
        // A thread may end meanwhile.
        let Ok(list) = fs::read_to_string(thread?.path().join("children")) else { continue };
        children.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw));
    }
    Ok(children)
}

/// The same from the parent that every process names.
fn scan(root: Pid) -> io::Result<Vec<Pid>> {
    let processes: Vec<(Pid, Pid)> = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((Pid::from_raw(pid), parent_in(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
        })
        .collect();
    let mut found = Vec::new();
    let mut look = vec![root];
    while let Some(parent) = look.pop() {
        let children = processes.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid);
        let before = found.len();
        found.extend(children);
        look.extend(found.iter().skip(before).copied());
    }
    Ok(found)
}

/// `pid (name) state parent …`, where the name may hold blanks and parentheses.
fn parent_in(stat: &str) -> Option<Pid> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok().map(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent_in("12 (sh) S 7 12 12 0"), Some(Pid::from_raw(7)));
        assert_eq!(parent_in("12 (a) b) (c)) R 8 1"), Some(Pid::from_raw(8)));
        assert_eq!(parent_in("12 (sh"), None);
        assert_eq!(parent_in(""), None);
    }

    #[test]
    fn both_ways_find_children_and_grandchildren() {
        let mut child = Command::new("sh").args(["-c", "sleep 60 & sleep 60 & wait"]).spawn().unwrap();
        let shell = Pid::from_raw(child.id().cast_signed());
        let mut found = Vec::new();
        while found.len() < 2 {
            assert_eq!(child.try_wait().unwrap(), None);
            std::thread::yield_now();
            found.clear();
            visit(shell, |pid| found.push(pid));
        }
        found.sort();
        let mut scanned = scan(shell).unwrap();
        scanned.sort();
        assert_eq!(found, scanned);
        let all = scan(Pid::this()).unwrap();
        assert!(all.contains(&shell) && found.iter().all(|pid| all.contains(pid)));
        for pid in found {
            nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL).unwrap();
        }
        child.wait().unwrap();
    }
}
