//! The container that a server's command ran: made sure of that it is gone.
//!
//! The client that ran it was the keeper's child, the container is the engine's. It outlives a client that was killed.

use super::{
    child::{self, Stdio},
    errno_of, tree,
    wire::{Directory, Failure, Order, Removal, Step},
};
use crate::{
    instance::{
        confine::plan::Plan,
        launch::{Exit, Program},
        orphans::{
            containers::{MAX_FILE, UNFINISHED},
            marker::LABEL,
        },
    },
    sys,
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, poll},
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid},
};
use std::{
    ffi::CString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, PipeReader, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{DirBuilderExt, OpenOptionsExt},
    },
    thread,
    time::{Duration, Instant},
};

/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How often an engine is asked that does not answer as it should, and the pause between two questions.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(150);
/// An engine may still be making the container when the client that asked for it has been killed: this often it has to
/// say that there is none.
const LOOKS_AFTER_KILL: u32 = 3;
const MAX_OUTPUT: u64 = 64 << 10;
const MAX_CONTAINERS: usize = 100;

/// Writes down what it takes to remove the container, before there is one: for the next agent, if nobody of this one
/// lives to do it.
pub fn record(removal: &Removal) -> Result<(), Failure> {
    let failure = |error: io::Error| Failure::new(Step::Record, errno_of(&error)).at(&removal.record);
    if let Some(folder) = removal.record.parent() {
        DirBuilder::new().recursive(true).mode(0o711).create(folder).map_err(failure)?;
    }
    let text = serde_json::to_vec(removal).map_err(|error| failure(error.into()))?;
    if text.len() as u64 > MAX_FILE {
        return Err(failure(Errno::EFBIG.into()));
    }
    // Whole or not at all, also on a disk that is full.
    let mut unfinished = removal.record.clone().into_os_string();
    unfinished.push(UNFINISHED);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(failure)?;
    let written = file.write_all(&text).and_then(|()| fs::rename(&unfinished, &removal.record));
    written.map_err(|error| {
        let _ = fs::remove_file(&unfinished);
        failure(error)
    })
}

/// There is nothing to remove any more.
pub fn forget(removal: &Removal) {
    // What stays is looked into, in vain, when the next agent starts.
    let _ = fs::remove_file(&removal.record);
}

/// Removes what the engine lists for a server that has ended like this, and says how many containers it was. `None` if
/// the engine did not say that nothing is left; the record stays then.
pub fn remove(removal: &Removal, own_binary: &OwnedFd, ended: Exit) -> Option<usize> {
    let engine = Engine { removal, own_binary, deadline: Instant::now() + WITHIN };
    let looks = if matches!(ended, Exit::Code(_)) { 1 } else { LOOKS_AFTER_KILL };
    let removed = engine.clear(looks);
    if removed.is_some() {
        forget(removal);
    }
    removed
}

struct Engine<'r> {
    removal: &'r Removal,
    own_binary: &'r OwnedFd,
    deadline: Instant,
}

impl Engine<'_> {
    /// Asks and removes until nothing is listed `looks` times in a row.
    fn clear(&self, looks: u32) -> Option<usize> {
        let (mut empty, mut failures) = (0, 0);
        let mut removed = std::collections::BTreeSet::new();
        loop {
            match self.list() {
                Some(ids) if ids.is_empty() => empty += 1,
                Some(ids) => {
                    empty = 0;
                    let mut arguments = vec!["rm", "--force", "--volumes"];
                    arguments.extend(ids.iter().map(String::as_str));
                    // It fails when the engine is at it already, as with `--rm`: the next look tells.
                    let _ = self.ask(&arguments);
                    removed.extend(ids);
                    if Instant::now() < self.deadline {
                        continue;
                    }
                }
                None => failures += 1,
            }
            if empty >= looks || (empty > 0 && !removed.is_empty()) {
                return Some(removed.len());
            }
            if failures >= ATTEMPTS || Instant::now() + PAUSE >= self.deadline {
                return None;
            }
            thread::sleep(PAUSE);
        }
    }

    fn list(&self) -> Option<Vec<String>> {
        let filter = format!("label={LABEL}={}", self.removal.marker);
        let listed = self.ask(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter])?;
        let is_id = |line: &&str| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(listed.lines().map(str::trim).filter(is_id).take(MAX_CONTAINERS).map(str::to_owned).collect())
    }

    /// Runs a command of the engine's client, as the server was run. What it printed, if all went well and in time.
    fn ask(&self, arguments: &[&str]) -> Option<String> {
        let order = self.order(arguments)?;
        let (output, stdout) = io::pipe().ok()?;
        let null = || Some(OwnedFd::from(File::options().read(true).write(true).open("/dev/null").ok()?));
        let stdio: Stdio = [null()?, stdout.into(), null()?];
        let keeper = Pid::this();
        let client = match sys::fork().ok()? {
            ForkResult::Parent { child } => child,
            ForkResult::Child => {
                child::become_server(&order, &stdio, self.own_binary, None, keeper);
                std::process::exit(127)
            }
        };
        drop(stdio);
        let printed = self.read(output);
        let well = self.wait_for(client);
        end_all();
        printed.filter(|_| well)
    }

    fn order(&self, arguments: &[&str]) -> Option<Order> {
        let Removal { program, options, environment, user, .. } = self.removal;
        let all = std::iter::once(program.as_str()).chain(options.iter().map(String::as_str)).chain(arguments.to_vec());
        Some(Order {
            program: Program::Named(program.clone()),
            arguments: all.map(CString::new).collect::<Result<_, _>>().ok()?,
            environment: environment.iter().cloned().map(CString::new).collect::<Result<_, _>>().ok()?,
            directory: Directory::Given { path: "/".into(), temporary: None },
            user: user.clone(),
            open_files: None,
            removal: None,
            groups: Vec::new(),
            plan: Plan::default(),
        })
    }

    fn read(&self, output: PipeReader) -> Option<String> {
        let mut text = Vec::new();
        let mut output = output.take(MAX_OUTPUT);
        loop {
            let rest = self.deadline.saturating_duration_since(Instant::now());
            let mut descriptors = [PollFd::new(output.get_ref().as_fd(), PollFlags::POLLIN)];
            match poll(&mut descriptors, u16::try_from(rest.as_millis()).unwrap_or(u16::MAX)) {
                Ok(0) => return None,
                Err(Errno::EINTR) => continue,
                Err(_) => return None,
                Ok(_) => {}
            }
            let mut buffer = [0; 4096];
            match output.read(&mut buffer) {
                Ok(0) => return String::from_utf8(text).ok(),
                Ok(length) => text.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Whether a command ends well and in time.
    fn wait_for(&self, client: Pid) -> bool {
        loop {
            match waitpid(client, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) if Instant::now() < self.deadline => thread::sleep(Duration::from_millis(1)),
                Err(Errno::EINTR) => {}
                Ok(WaitStatus::Exited(_, code)) => return code == 0,
                _ => return false,
            }
        }
    }
}

/// Kills whatever a command has left, such as a helper that it reaches its engine through.
fn end_all() {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) if Instant::now() < deadline => {
                tree::visit(Pid::this(), |pid| _ = kill(pid, Signal::SIGKILL));
                thread::sleep(Duration::from_millis(1));
            }
            Ok(WaitStatus::StillAlive) => return,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let files = || fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let removal = |path: &str| Removal {
            marker: "a.b.c-1".into(),
            program: "docker".into(),
            options: vec![],
            environment: vec![path.into()],
            user: None,
            record: dir.path().join("a.b.c-1.container"),
        };
        assert!(record(&removal(&"x".repeat(64 << 10))).is_err());
        assert!(files().is_empty());
        record(&removal("PATH=/bin")).unwrap();
        assert_eq!(files(), ["a.b.c-1.container"]);
        let read: Removal = serde_json::from_slice(&fs::read(&removal("").record).unwrap()).unwrap();
        assert_eq!(read.environment, ["PATH=/bin"]);
        // What cannot be put in its place leaves nothing.
        let folder = Removal { record: dir.path().join("d.container"), ..removal("") };
        fs::create_dir_all(folder.record.join("inner")).unwrap();
        assert!(record(&folder).is_err());
        assert_eq!(files().len(), 2);
    }

    #[test]
    fn an_engine_that_cannot_be_reached_has_not_said_that_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let removal = Removal {
            marker: "a.b.c-1".into(),
            program: dir.path().join("docker").to_string_lossy().into(),
            options: vec![],
            environment: vec![],
            user: None,
            record: dir.path().join("a.b.c-1.container"),
        };
        record(&removal).unwrap();
        let own_binary = File::open("/proc/self/exe").unwrap().into();
        assert_eq!(remove(&removal, &own_binary, Exit::Code(125)), None);
        assert!(removal.record.exists());
    }
}
