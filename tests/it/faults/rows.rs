//! The faults, and what is expected of the agent for each.

use self::{Client::*, Shown::*};
use crate::support::{Era, missing};
use mcpfleet::{
    instance::confine::cgroup::{Groups, Wanted},
    status::model::AppState,
};

/// What a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// The answer.
    Answer,
    /// An error that says that the server ended before it answered.
    Gone,
    /// 503 with the app's state, and when to ask again.
    Unready(AppState),
    /// Nothing, for as long as it waits.
    Silence,
    /// A connection that breaks.
    Broken,
}

/// What the status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Ready, with nothing to say about it.
    Well,
    /// In this state, for a reason that has this in it.
    Because(AppState, &'static str),
}

/// A way to fail. "Open call": one that the client has made before, and that is answered once the test allows it.
pub struct Row {
    pub fault: &'static str,
    /// Of the fake server.
    pub flags: &'static [&'static str],
    pub startup_timeout: &'static str,
    /// Whether the app has health checks. Those are of the process that stands for it, which in the era of sessions is
    /// no client's: a session that hangs is for its client to end.
    pub health: bool,
    /// `limits.memory`.
    pub memory: Option<&'static str>,
    /// What its own start comes to.
    pub start: Shown,
    /// What a call gets then.
    pub call: Client,
    /// And what is shown after that.
    pub after_call: Shown,
    /// What an open call gets when a good version takes its place.
    pub replaced: Client,
    /// What is shown when it is to take the place of a good version. An open call there is answered in any case.
    pub replacing: Shown,
    /// What an open call gets when the app is removed, or the agent is told to stop.
    pub stopped: Client,
    /// What an open call gets when the agent is killed.
    pub killed: Client,
}

/// A server that does its work in spite of its fault.
const WORKS: Row = Row {
    fault: "",
    flags: &[],
    startup_timeout: "1h",
    health: false,
    memory: None,
    start: Well,
    call: Answer,
    after_call: Well,
    replaced: Answer,
    replacing: Well,
    stopped: Answer,
    killed: Broken,
};

/// A server that never comes to work.
const FAILS: Row = Row {
    call: Unready(AppState::Backoff),
    replaced: Unready(AppState::Backoff),
    stopped: Unready(AppState::Backoff),
    killed: Unready(AppState::Backoff),
    ..WORKS
};

/// The faults that there are in an era.
pub fn rows(era: Era) -> Vec<&'static Row> {
    let limited = can_limit_memory();
    ROWS.iter().filter(|row| (era == Era::Modern || !row.health) && (row.memory.is_none() || limited)).collect()
}

fn can_limit_memory() -> bool {
    let offer = Groups::find("test").offer(Wanted::Memory);
    if let Err(why) = &offer {
        missing("eats-memory", why);
    }
    offer.is_ok()
}

const ROWS: &[Row] = &[
    Row { fault: "starts-late", flags: &["--start-delay", "500"], ..WORKS },
    Row {
        fault: "starts-for-ever",
        flags: &["--start-delay", "3600000"],
        start: Because(AppState::Starting, ""),
        call: Unready(AppState::Starting),
        after_call: Because(AppState::Starting, ""),
        replaced: Unready(AppState::Starting),
        replacing: Because(AppState::Ready, "a new version is starting"),
        stopped: Unready(AppState::Starting),
        killed: Unready(AppState::Starting),
        ..WORKS
    },
    Row {
        fault: "never-ready",
        flags: &["--never-ready"],
        startup_timeout: "1s",
        start: Because(AppState::Backoff, "it has not answered within 1s"),
        after_call: Because(AppState::Backoff, "it has not answered within 1s"),
        replacing: Because(AppState::Degraded, "the new version does not start: it has not answered within 1s"),
        ..FAILS
    },
    Row {
        fault: "exits-0",
        flags: &["--exit", "0"],
        start: Because(AppState::Backoff, "the server ended before it answered: exit status 0"),
        after_call: Because(AppState::Backoff, "exit status 0"),
        replacing: Because(AppState::Degraded, "the server ended before it answered: exit status 0"),
        ..FAILS
    },
    Row {
        fault: "exits-1",
        flags: &["--exit", "1"],
        start: Because(AppState::Backoff, "the server ended before it answered: exit status 1"),
        after_call: Because(AppState::Backoff, "exit status 1"),
        replacing: Because(AppState::Degraded, "the server ended before it answered: exit status 1"),
        ..FAILS
    },
    Row {
        fault: "crashes-at-a-call",
        flags: &["--crash-after", "0"],
        call: Gone,
        after_call: Because(AppState::Backoff, "exit status 1"),
        replaced: Gone,
        stopped: Gone,
        killed: Gone,
        ..WORKS
    },
    Row { fault: "hangs-at-a-call", flags: &["--hang-at-call"], call: Silence, replaced: Gone, stopped: Gone, ..WORKS },
    Row {
        fault: "hangs-and-is-checked",
        flags: &["--hang-at-call"],
        health: true,
        call: Gone,
        after_call: Because(AppState::Backoff, "health check 1 of 1 failed"),
        replaced: Gone,
        stopped: Gone,
        killed: Gone,
        ..WORKS
    },
    Row { fault: "ignores-sigterm", flags: &["--ignore-sigterm", "--ignore-eof"], ..WORKS },
    Row { fault: "forks", flags: &["--ignore-eof", "--fork-grandchild"], ..WORKS },
    Row { fault: "leaves-the-session", flags: &["--ignore-eof", "--setsid-grandchild"], ..WORKS },
    Row {
        fault: "clings",
        flags: &["--ignore-sigterm", "--ignore-eof", "--fork-grandchild", "--setsid-grandchild"],
        ..WORKS
    },
    Row { fault: "floods-stderr", flags: &["--flood-stderr"], ..WORKS },
    Row { fault: "floods-stdout", flags: &["--flood-stdout"], ..WORKS },
    Row { fault: "garbage-on-stdout", flags: &["--garbage-stdout"], ..WORKS },
    Row {
        fault: "100-mb-of-garbage",
        flags: &["--big-garbage", "100000000"],
        start: Because(AppState::Backoff, "it sent a line of more than 64 MiB"),
        after_call: Because(AppState::Backoff, "more than 64 MiB"),
        replacing: Because(AppState::Degraded, "more than 64 MiB"),
        ..FAILS
    },
    Row {
        fault: "a-message-of-100-mb",
        flags: &["--big-line", "100000000"],
        start: Because(AppState::Backoff, "it sent a line of more than 64 MiB"),
        after_call: Because(AppState::Backoff, "more than 64 MiB"),
        replacing: Because(AppState::Degraded, "more than 64 MiB"),
        ..FAILS
    },
    Row {
        fault: "eats-memory",
        flags: &["--eat-memory", "256"],
        memory: Some("64Mi"),
        start: Because(AppState::Backoff, "out of memory (limit 64Mi)"),
        after_call: Because(AppState::Backoff, "out of memory (limit 64Mi)"),
        replacing: Because(AppState::Degraded, "out of memory (limit 64Mi)"),
        ..FAILS
    },
    // It has answered, so it counts as started, and takes over. Then it is of no use.
    Row {
        fault: "closes-stdout",
        flags: &["--ignore-eof", "--ignore-sigterm", "--close-stdout"],
        start: Because(AppState::Backoff, "its standard output is closed"),
        after_call: Because(AppState::Backoff, "its standard output is closed"),
        replacing: Because(AppState::Backoff, "its standard output is closed"),
        ..FAILS
    },
];
