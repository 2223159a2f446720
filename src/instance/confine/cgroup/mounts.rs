//! Where the control groups of this process are.

use crate::instance::confine::plan::Cgroup;
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// A controller by which instances are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Memory,
    Cpu,
    Processes,
}

impl Wanted {
    pub const ALL: [Wanted; 3] = [Wanted::Memory, Wanted::Cpu, Wanted::Processes];

    /// As the kernel calls it.
    pub fn name(self) -> &'static str {
        match self {
            Wanted::Memory => "memory",
            Wanted::Cpu => "cpu",
            Wanted::Processes => "pids",
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq)]
pub struct Mount {
    pub version: Cgroup,
    /// The group of this process in it, as a folder.
    pub base: PathBuf,
    /// Of a v1 hierarchy. In v2 each group says itself what it has.
    pub controllers: Vec<Wanted>,
}

pub fn of_this_process() -> io::Result<Vec<Mount>> {
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(read(&mounts, &groups))
}

/// Makes sense of `/proc/self/mountinfo` and `/proc/self/cgroup`.
fn read(mounts: &str, groups: &str) -> Vec<Mount> {
    let mut found: Vec<Mount> = Vec::new();
    for line in mounts.lines() {
        // `36 35 98:0 /root /mount/point options… - type source super-options`
        let Some((place, kind)) = line.split_once(" - ") else { continue };
        let (mut place, mut kind) = (place.split(' ').skip(3), kind.split(' '));
        let (Some(root), Some(point)) = (place.next(), place.next()) else { continue };
        let (version, options) = match (kind.next(), kind.nth(1)) {
            (Some("cgroup2"), _) => (Cgroup::V2, ""),
            (Some("cgroup"), Some(options)) => (Cgroup::V1, options),
            _ => continue,
        };
        let controllers: Vec<Wanted> =
            Wanted::ALL.into_iter().filter(|wanted| options.split(',').any(|name| name == wanted.name())).collect();
        if version == Cgroup::V1 && controllers.is_empty() {
            continue;
        }
        let Some(own) = path_in(groups, version, controllers.first().copied()) else { continue };
        // A container sees the group that it is in as the root, or from the host's root on.
        let below = Path::new(own).strip_prefix(root).or_else(|_| Path::new(own).strip_prefix("/"));
        let base: PathBuf =
            Path::new(&unescape(point)).components().chain(below.into_iter().flat_map(Path::components)).collect();
        if !found.iter().any(|mount| mount.base == base) {
            found.push(Mount { version, base, controllers });
        }
    }
    found
}

/// The path of this process in a hierarchy: of `4:memory:/a/b` it is `/a/b`.
fn path_in(groups: &str, version: Cgroup, controller: Option<Wanted>) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, names, path) = (parts.next()?, parts.next()?, parts.next()?);
        let same = match (version, controller) {
            (Cgroup::V2, _) => number == "0" && names.is_empty(),
            (Cgroup::V1, Some(controller)) => names.split(',').any(|name| name == controller.name()),
            (Cgroup::V1, None) => false,
        };
        same.then_some(path)
    })
}

/// Blanks and the like are written as `\040`.
fn unescape(path: &str) -> String {
    path.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_wherever_they_are_mounted() {
        let unified = read(
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n\
             31 23 8:1 / / rw - ext4 /dev/sda1 rw\n",
            "0::/system.slice/mcpfleet.service\n",
        );
        let base = "/sys/fs/cgroup/system.slice/mcpfleet.service".into();
        assert_eq!(unified, [Mount { version: Cgroup::V2, base, controllers: vec![] }]);

        let separate = read(
            "33 31 0:30 / /sys/fs/cgroup/cpu\\040set rw - cgroup cgroup rw,cpu,cpuacct\n\
             35 31 0:32 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             36 31 0:33 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            "4:memory:/docker/1/inner\n2:cpu,cpuacct:/\n1:devices:/\n0::/../x\n",
        );
        let found: Vec<_> = separate.iter().map(|m| (m.version, m.base.to_str().unwrap(), &*m.controllers)).collect();
        assert_eq!(
            found,
            [
                (Cgroup::V1, "/sys/fs/cgroup/cpu set", &[Wanted::Cpu][..]),
                (Cgroup::V1, "/sys/fs/cgroup/memory/inner", &[Wanted::Memory][..]),
                (Cgroup::V2, "/sys/fs/cgroup/unified/../x", &[][..]),
            ]
        );
        assert_eq!(read("nonsense\n1 2 3 - cgroup2\n", "0:"), []);
    }
}
