//! A Debian of its own with systemd as its process 1, in namespaces of this machine.

use super::ended;
use crate::support::{Ended, eventually, missing, outside};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Ended with everything in it when dropped.
pub struct Machine {
    outer: Child,
    /// Its process 1, as this machine numbers it.
    init: u32,
    groups: PathBuf,
    _work: tempfile::TempDir,
}

impl Machine {
    /// Boots it, if there is what it takes.
    pub async fn boot(test: &str) -> Option<Machine> {
        let debian = outside(test, "MCPFLEET_TEST_DEBIAN")?;
        let Some(hierarchy) = hierarchy().filter(|_| nix::unistd::geteuid().is_root()) else {
            missing(test, "a machine of its own takes root, and cgroups of version 2");
            return None;
        };
        // Not as an agent calls its own: one that starts meanwhile would tidy up.
        let groups = hierarchy.join(format!("machine-of-mcpfleets-tests-{}", std::process::id()));
        fs::create_dir(&groups).expect("a control group");
        let work = tempfile::tempdir().expect("a folder");
        let script = include_str!("boot.sh");
        let mut boot = Command::new("sh");
        boot.args(["-c", script, "boot"]).arg(&debian).arg(work.path()).arg(&groups).stdin(Stdio::null());
        let outer = boot.stdout(Stdio::null()).spawn().expect("a shell");
        let mut machine = Machine { outer, init: 0, groups, _work: work };
        machine.init = eventually("a first process", async || {
            assert!(machine.outer.try_wait().expect("a child").is_none(), "it does not boot");
            let (outer, name) = (machine.outer.id(), "comm");
            let child = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
            let child: u32 = child.trim().parse().ok()?;
            (fs::read_to_string(format!("/proc/{child}/{name}")).ok()?.trim() == "systemd").then_some(child)
        })
        .await;
        eventually("a machine that is up", async || {
            let said = machine.run(&["systemctl", "is-system-running"]).out;
            ["running", "degraded"].contains(&said.trim()).then_some(())
        })
        .await;
        Some(machine)
    }

    /// A command that runs in there as root.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args([
            "--target",
            &self.init.to_string(),
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--net",
            "--cgroup",
            "--",
        ]);
        command.args(["env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// What a command prints that must end well.
    pub fn says(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}{}\n{}", ended.out, ended.errors, self.journal());
        ended.out.trim_end().to_owned()
    }

    /// Writes a file in there.
    pub fn write(&self, path: &str, contents: &[u8]) {
        let script = "mkdir -p \"$(dirname \"$1\")\" && cat >\"$1\"";
        let mut writing =
            self.command(&["sh", "-c", script, "sh", path]).stdin(Stdio::piped()).spawn().expect("nsenter");
        writing.stdin.take().expect("a pipe").write_all(contents).expect("it reads");
        assert!(writing.wait().expect("a child").success(), "{path}");
    }

    /// What systemd knows of the service: the values of these properties, a line each.
    pub fn shows(&self, properties: &str) -> String {
        self.says(&["systemctl", "show", "mcpfleet", "--value", "--property", properties])
    }

    pub fn journal(&self) -> String {
        self.run(&["journalctl", "--no-pager", "--lines", "60", "--unit", "mcpfleet"]).out
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for look in
                [&["timeout", "10", "mcpfleet", "status"][..], &["journalctl", "--no-pager", "--unit", "mcpfleet"]]
            {
                if let Ok(seen) = self.command(look).output() {
                    eprintln!("{}", String::from_utf8_lossy(&seen.stdout));
                }
            }
        }
        // With it all that is in its PID namespace.
        let _ = self.outer.kill();
        let _ = self.outer.wait();
        let kill = self.groups.join("cgroup.kill");
        let _ = fs::write(kill, "1");
        for _ in 0..100 {
            remove(&self.groups);
            if !self.groups.exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// Where this machine has control groups of version 2.
fn hierarchy() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mut fields = mounts.lines().map(|line| line.split(' ').skip(1));
    fields.find_map(|mut fields| {
        let path = fields.next()?;
        (fields.next()? == "cgroup2").then(|| PathBuf::from(path))
    })
}

/// A group with those below it.
fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}
