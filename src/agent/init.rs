//! The first process of a container.
//!
//! It inherits every process that loses its parent and must reap it, signals reach it only if it asks for them, and with
//! its end everything else is killed. The agent has enough to do: when it would be the first process, a small one stands
//! before it.

use crate::sys;
use nix::{
    errno::Errno,
    libc,
    sys::{
        prctl,
        signal::{SigSet, SigmaskHow, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid},
};
use std::process::ExitCode;

/// What is passed on. All else is for the first process itself, or for nobody.
const PASSED_ON: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2];

/// If this is the first process of its PID namespace: forks another one, to which this returns `None`, and is its init,
/// until it ends and this returns its exit code. Otherwise `None`, and nothing has been done.
///
/// To be called while there is a single thread.
pub fn first_process() -> Option<ExitCode> {
    if Pid::this() != Pid::from_raw(1) {
        return None;
    }
    match stand_before() {
        Ok(code) => code,
        Err(errno) => {
            anstream::eprintln!("warning: cannot fork at the start, so nobody reaps orphans here: {}", errno.desc());
            None
        }
    }
}

fn stand_before() -> nix::Result<Option<ExitCode>> {
    // Before the fork, so that none is lost. What is blocked also reaches a first process without a handler.
    let mask = SigSet::all();
    let before = mask.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC);
    let forked = signals.and_then(|signals| Ok((signals, sys::fork()?)));
    match forked {
        Ok((signals, ForkResult::Parent { child })) => {
            // Nobody depends on the name.
            let _ = prctl::set_name(c"mcpfleet-init");
            Ok(Some(serve(child, &signals)))
        }
        Ok((_, ForkResult::Child)) => before.thread_set_mask().map(|()| None),
        Err(errno) => {
            before.thread_set_mask()?;
            Err(errno)
        }
    }
}

/// Until `agent` has ended.
fn serve(agent: Pid, signals: &SignalFd) -> ExitCode {
    loop {
        let Ok(Some(information)) = signals.read_signal() else { continue };
        let signal = i32::try_from(information.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok());
        match signal {
            Some(Signal::SIGCHLD) => {
                if let Some(code) = reap(agent) {
                    return ExitCode::from(code);
                }
            }
            // A terminal has sent it to the whole group, of which the agent is.
            Some(_) if information.ssi_code == libc::SI_KERNEL => {}
            Some(signal) if PASSED_ON.contains(&signal) => _ = kill(agent, signal),
            _ => {}
        }
    }
}

/// Reaps all that has ended. The exit code, if that was the agent; 128 and its number for a signal.
fn reap(agent: Pid) -> Option<u8> {
    let mut ended = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == agent => ended = u8::try_from(code).ok().or(Some(u8::MAX)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == agent => {
                ended = Some(u8::try_from(128 + signal as i32).unwrap_or(u8::MAX));
            }
            Ok(WaitStatus::StillAlive) => return ended,
            Ok(_) | Err(Errno::EINTR) => {}
            // Nothing is left to wait for.
            Err(_) => return ended.or(Some(u8::MAX)),
        }
    }
}
