//! What happens between fork and exec: the new process becomes the server, or says why not.

use super::wire::{Credentials, Directory, Failure, Order, Step};
use crate::{
    instance::{
        confine::{
            cgroup::Held,
            files::{self, Needs},
            network, oom,
            plan::Network,
        },
        launch::Program,
    },
    sys,
};
use nix::{
    errno::Errno,
    fcntl::AtFlags,
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigSet, Signal},
        stat::{Mode, umask},
    },
    unistd::{self, AccessFlags, Gid, Pid, Uid},
};
use std::{
    ffi::{CStr, CString, OsStr},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

/// Stdin, stdout and stderr of the server.
pub type Stdio = [OwnedFd; 3];

/// Turns this process into the server. Comes back only with the reason why it could not.
pub fn become_server(
    order: &Order,
    stdio: &Stdio,
    own_binary: &OwnedFd,
    private_directory: Option<&Path>,
    keeper: Pid,
) -> Failure {
    let result = prepare(order, stdio, private_directory, keeper)
        .and_then(|()| restrict(order, own_binary, private_directory))
        .and_then(|()| limit_open_files(order))
        .and_then(|()| exec(order, own_binary));
    match result {
        Ok(never) => match never {},
        Err(failure) => failure,
    }
}

fn prepare(order: &Order, stdio: &Stdio, private_directory: Option<&Path>, keeper: Pid) -> Result<(), Failure> {
    let prepare = |errno| Failure::new(Step::Prepare, errno);
    let enter = |path: &Path| unistd::chdir(path).map_err(|errno| Failure::new(Step::EnterDirectory, errno).at(path));
    unistd::setsid().map_err(prepare)?;
    oom::go_first();
    // Before it uses anything that counts.
    Held::join(&order.groups)?;
    umask(Mode::from_bits_truncate(0o022));
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(prepare)?;
    if let Some(soft) = order.open_files {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(prepare)?;
        setrlimit(Resource::RLIMIT_NOFILE, soft.min(hard), hard).map_err(prepare)?;
    }
    if let Some(number) = order.plan.open_files {
        // Only root can. What cannot be raised so far stays a limit all the same.
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(prepare)?;
        if number > hard {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, number);
        }
    }
    if let Network::Own(namespace) = order.plan.network {
        network::isolate(namespace).map_err(|errno| Failure::new(Step::Network, errno))?;
    }
    // As the agent's user, because the folders above are the agent's.
    if let Directory::Private { .. } = &order.directory {
        private_directory.map(enter).transpose()?;
    }
    if let Some(user) = &order.user {
        switch_user(user).map_err(|errno| Failure::new(Step::SwitchUser, errno))?;
    }
    prctl::set_no_new_privs().map_err(prepare)?;
    // Only now: a change of user clears it. The keeper may have died before it was set.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(prepare)?;
    if unistd::getppid() != keeper {
        return Err(prepare(Errno::ESRCH));
    }
    // As the server's user, because it may be a folder that only that user can enter.
    if let Directory::Given { path, .. } = &order.directory {
        enter(path)?;
    }
    let [stdin, stdout, stderr] = stdio;
    unistd::dup2_stdin(stdin).map_err(prepare)?;
    unistd::dup2_stdout(stdout).map_err(prepare)?;
    unistd::dup2_stderr(stderr).map_err(prepare)?;
    sys::drop_inheritable_capabilities().map_err(|errno| Failure::new(Step::Capabilities, errno))?;
    // Every disposition is the default already, by the keeper.
    SigSet::empty().thread_set_mask().map_err(prepare)
}

/// After all that opens files here: it is the server that is to have no more.
fn limit_open_files(order: &Order) -> Result<(), Failure> {
    let Some(number) = order.plan.open_files else { return Ok(()) };
    let limited = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| {
        let number = number.min(hard);
        setrlimit(Resource::RLIMIT_NOFILE, number, number)
    });
    limited.map_err(|errno| Failure::new(Step::Prepare, errno))
}

/// Closes what the server may not use. The last step but one: this process needs what it closes.
fn restrict(order: &Order, own_binary: &OwnedFd, private: Option<&Path>) -> Result<(), Failure> {
    let no_tcp = match order.plan.network {
        Network::NoTcp(version) => Some(version),
        Network::Host | Network::Own(_) => None,
    };
    let program = match &order.program {
        Program::Named(name) if name.contains('/') => Some(Path::new(name)),
        Program::Named(_) | Program::OwnBinary => None,
    };
    let needs = Needs { path: path(order), private, program, own_binary };
    files::restrict(order.plan.files.as_ref(), no_tcp, &needs)
}

/// The PATH of the server.
fn path(order: &Order) -> &[u8] {
    order.environment.iter().find_map(|entry| entry.as_bytes().strip_prefix(b"PATH=")).unwrap_or_default()
}

/// Real, effective and saved, so that there is no way back.
fn switch_user(user: &Credentials) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    unistd::setgroups(&groups)?;
    unistd::setresgid(gid, gid, gid)?;
    unistd::setresuid(uid, uid, uid)
}

fn exec(order: &Order, own_binary: &OwnedFd) -> Result<std::convert::Infallible, Failure> {
    match &order.program {
        Program::OwnBinary => {
            unistd::execveat(own_binary, c"", &order.arguments, &order.environment, AtFlags::AT_EMPTY_PATH)
                .map_err(|errno| Failure::new(Step::Exec, errno).at("the mcpfleet binary"))
        }
        Program::Named(name) if name.contains('/') => execute(Path::new(name), order),
        Program::Named(name) => search(name, order),
    }
}

/// Tries the folders of the server's PATH in their order. What is there but may not be executed is passed over, as a
/// shell does, but is the reason that is given if nothing else is found. A folder that may not be entered, such as one
/// in the home of the agent's user, is passed over likewise; nobody knows whether the program is there.
fn search(name: &str, order: &Order) -> Result<std::convert::Infallible, Failure> {
    let path = path(order);
    let (mut denied, mut closed) = (None, false);
    for folder in path.split(|byte| *byte == b':').map(|bytes| Path::new(OsStr::from_bytes(bytes))) {
        // A relative one would look in the working directory, which the server can write.
        if folder.is_relative() {
            continue;
        }
        match execute(&folder.join(name), order) {
            Ok(never) => match never {},
            Err(failure) if matches!(failure.step, Step::Exec | Step::ExecInSandbox) => {
                match Errno::from_raw(failure.errno) {
                    Errno::ENOENT | Errno::ENOTDIR | Errno::ESTALE | Errno::ENODEV | Errno::ETIMEDOUT => {}
                    Errno::EACCES if unistd::access(folder, AccessFlags::X_OK).is_err() => closed = true,
                    Errno::EACCES => denied = denied.or(Some(failure)),
                    _ => return Err(failure),
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    let reason = if closed { Errno::EACCES } else { Errno::ENOENT };
    Err(denied.unwrap_or_else(|| Failure::new(Step::Find, reason).at(OsStr::from_bytes(path))))
}

fn execute(path: &Path, order: &Order) -> Result<std::convert::Infallible, Failure> {
    let step = if order.plan.files.is_some() { Step::ExecInSandbox } else { Step::Exec };
    let failure = |errno| Failure::new(step, errno).at(path);
    let file = CString::new(path.as_os_str().as_bytes()).map_err(|_| failure(Errno::EINVAL))?;
    execve(&file, order).map_err(|errno| match errno {
        Errno::ENOENT if path.exists() => Failure::new(Step::Interpreter, errno).at(path),
        _ => failure(errno),
    })
}

fn execve(file: &CStr, order: &Order) -> nix::Result<std::convert::Infallible> {
    unistd::execve(file, &order.arguments, &order.environment)
}
