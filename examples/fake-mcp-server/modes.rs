//! The ways to misbehave.

use nix::{
    sys::signal::{SigSet, Signal},
    unistd::{self, ForkResult},
};
use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eras {
    #[default]
    Both,
    Legacy,
    Modern,
}

/// Each field is a flag: `ignore_eof` is `--ignore-eof`.
#[derive(Debug, Default)]
pub struct Modes {
    /// `both`, `legacy` or `modern`.
    pub era: Eras,
    /// Milliseconds before anything else happens.
    start_delay: u64,
    /// Read everything, answer nothing.
    pub never_ready: bool,
    /// End at once with this code.
    pub exit: Option<u8>,
    /// End with code 1 instead of answering call number N + 1.
    pub crash_after: Option<u64>,
    /// Answer nothing any more, not even pings, after N calls.
    pub hang_after: Option<u64>,
    /// The same from the first call on.
    pub hang_at_call: bool,
    ignore_sigterm: bool,
    /// Live on when stdin ends.
    pub ignore_eof: bool,
    /// Have a child that holds stdin, stdout and stderr open and never ends by itself.
    fork_grandchild: bool,
    /// Have a child with a session of its own whose parent has ended.
    setsid_grandchild: bool,
    /// Have descendants that do nothing but start the next one, in a session of its own, and end, as fast as it goes.
    relay_grandchild: bool,
    /// Write to stderr as fast as it goes.
    flood_stderr: bool,
    /// Write lines that are no JSON to stdout as fast as it goes.
    flood_stdout: bool,
    /// Write lines that are no JSON between the messages.
    pub garbage_stdout: bool,
    /// Write a line of this many bytes that is no JSON before the first answer.
    pub big_garbage: Option<usize>,
    /// Do not answer `server/discover`, as some old servers do.
    pub silent_discover: bool,
    pub crash_on_discover: bool,
    /// Write a notification of this many bytes before the first answer.
    pub big_line: Option<usize>,
    /// Answer each call twice, the second time with something else.
    pub answer_twice: bool,
    /// Before each answer, answer what nobody has asked.
    pub unknown_ids: bool,
    /// Answer calls only when there are N, the last one first.
    pub backwards: Option<usize>,
    /// Close stdout after the first answer and live on.
    pub close_stdout: bool,
    /// Begin with as many changes of the tools as the number in this file says.
    changes_file: Option<std::path::PathBuf>,
    /// Use so many MiB of memory at start.
    eat_memory: Option<usize>,
    /// Show messages as they come, and say what they ask to be said; see `mirror.rs`.
    pub mirror: bool,
    /// Do nothing for ever: what the grandchildren do.
    pub park: bool,
    /// Be such a descendant.
    relay: bool,
    /// Leave the session, start another one of this program that parks, and end.
    detach: bool,
}

impl Modes {
    pub fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Modes, String> {
        let mut modes = Modes::default();
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{flag} needs a value"));
            match flag.as_str() {
                "--era" => {
                    modes.era = match value()?.as_str() {
                        "both" => Eras::Both,
                        "legacy" => Eras::Legacy,
                        "modern" => Eras::Modern,
                        other => return Err(format!("unknown era {other}")),
                    }
                }
                "--start-delay" => modes.start_delay = number(&value()?)?,
                "--never-ready" => modes.never_ready = true,
                "--exit" => modes.exit = Some(number(&value()?)?),
                "--crash-after" => modes.crash_after = Some(number(&value()?)?),
                "--hang-after" => modes.hang_after = Some(number(&value()?)?),
                "--hang-at-call" => modes.hang_at_call = true,
                "--ignore-sigterm" => modes.ignore_sigterm = true,
                "--ignore-eof" => modes.ignore_eof = true,
                "--fork-grandchild" => modes.fork_grandchild = true,
                "--setsid-grandchild" => modes.setsid_grandchild = true,
                "--relay-grandchild" => modes.relay_grandchild = true,
                "--relay" => modes.relay = true,
                "--flood-stderr" => modes.flood_stderr = true,
                "--flood-stdout" => modes.flood_stdout = true,
                "--big-garbage" => modes.big_garbage = Some(number(&value()?)?),
                "--garbage-stdout" => modes.garbage_stdout = true,
                "--silent-discover" => modes.silent_discover = true,
                "--crash-on-discover" => modes.crash_on_discover = true,
                "--big-line" => modes.big_line = Some(number(&value()?)?),
                "--answer-twice" => modes.answer_twice = true,
                "--unknown-ids" => modes.unknown_ids = true,
                "--backwards" => modes.backwards = Some(number(&value()?)?),
                "--close-stdout" => modes.close_stdout = true,
                "--changes-file" => modes.changes_file = Some(value()?.into()),
                "--eat-memory" => modes.eat_memory = Some(number(&value()?)?),
                "--mirror" => modes.mirror = true,
                "--park" => modes.park = true,
                "--detach" => modes.detach = true,
                other => return Err(format!("unknown flag {other}")),
            }
        }
        Ok(modes)
    }

    /// Does what is to be done before the first message.
    pub fn misbehave(&self) -> io::Result<()> {
        if self.detach {
            unistd::setsid()?;
            quiet_self("--park")?.spawn()?;
            std::process::exit(0);
        }
        if self.relay {
            relay()?;
        }
        // Before there are threads, which inherit this. Blocking is as good as ignoring.
        if self.ignore_sigterm {
            SigSet::from(Signal::SIGTERM).thread_block()?;
        }
        if self.fork_grandchild {
            Command::new(std::env::current_exe()?).arg("--park").spawn()?;
        }
        if self.setsid_grandchild {
            quiet_self("--detach")?.spawn()?.wait()?;
        }
        if self.relay_grandchild {
            quiet_self("--relay")?.spawn()?.wait()?;
        }
        if self.flood_stderr {
            flood(io::stderr().as_fd().try_clone_to_owned()?);
        }
        if self.flood_stdout {
            flood(io::stdout().as_fd().try_clone_to_owned()?);
        }
        thread::sleep(Duration::from_millis(self.start_delay));
        if let Some(mebibytes) = self.eat_memory {
            crate::reach::eat(mebibytes);
        }
        Ok(())
    }
}

impl Modes {
    /// How often the tools have changed before the first message.
    pub fn changes(&self) -> u64 {
        let text = self.changes_file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        text.and_then(|text| text.trim().parse().ok()).unwrap_or_default()
    }
}

/// Writes lines until nobody reads any more. Whole lines at a time, so that messages may come in between.
fn flood(to: OwnedFd) {
    thread::spawn(move || {
        let mut to = File::from(to);
        let line = "a line of a flood that nobody asked for\n";
        // So much a pipe takes in one piece.
        let lines = line.repeat(4096 / line.len());
        while to.write_all(lines.as_bytes()).is_ok() {}
    });
}

/// Goes on in a child for ever: each is gone when somebody has seen it.
fn relay() -> io::Result<()> {
    loop {
        match mcpfleet::sys::fork()? {
            ForkResult::Parent { .. } => std::process::exit(0),
            ForkResult::Child => drop(unistd::setsid()?),
        }
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

pub fn quiet_self(flag: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(flag).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

/// Ends stdout for whoever reads it.
pub fn close_stdout() -> io::Result<()> {
    Ok(unistd::dup2_stdout(File::options().write(true).open("/dev/null")?)?)
}
