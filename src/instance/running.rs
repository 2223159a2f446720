//! One running process and the task that owns it.

use super::{
    journal::{Draft, Journal, rounded},
    launch::{Control, End, Exit, LaunchError, Launcher, Process, Start},
    link::{Link, Sharing},
    logs::{LogRing, ProcessLog, Writes},
    remote,
};
use crate::{
    resource::{Stop, StopSignal, quantity::format_duration},
    status::model::{Confinement, event::EventKind},
};
use jiff::Timestamp;
use nix::sys::signal::Signal;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::unix::pipe,
    sync::watch,
    time::{sleep_until, timeout},
};

/// How long a server has to end by itself once its stdin is closed, before it gets the stop signal.
const STDIN_GRACE: Duration = Duration::from_millis(500);

/// After the end of a server's stdout: how long its own end is waited for.
const END_AFTER_STDOUT: Duration = Duration::from_millis(200);

/// After the end of a process: how long the rest of what it wrote is waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What is wanted of a process. Only ever escalates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Run,
    /// Takes no new requests from `refuse` on; ends when none is open, at the latest at `until`.
    Drain {
        refuse: Instant,
        until: Instant,
    },
    /// Closes stdin, then sends the stop signal, then kills.
    Stop,
    /// Kills at once.
    Kill,
}

impl Wanted {
    fn urgency(&self) -> u8 {
        match self {
            Wanted::Run => 0,
            Wanted::Drain { .. } => 1,
            Wanted::Stop => 2,
            Wanted::Kill => 3,
        }
    }
}

/// A process as everybody but its owner sees it.
#[derive(Debug)]
pub struct Running {
    pub instance: Arc<str>,
    /// `None`: it is a session with a server elsewhere.
    pub pid: Option<u32>,
    pub since: Timestamp,
    pub link: Arc<Link>,
    wanted: watch::Sender<Wanted>,
    /// Its limits and its sandbox.
    pub confinement: Vec<Confinement>,
}

impl Running {
    /// A process that is none.
    #[cfg(test)]
    pub fn for_test(instance: &str, link: Arc<Link>) -> Arc<Self> {
        let wanted = watch::Sender::new(Wanted::Run);
        Arc::new(Running {
            instance: instance.into(),
            pid: None,
            since: Timestamp::now(),
            link,
            wanted,
            confinement: vec![],
        })
    }

    /// Orders something; an earlier order that goes further stands. Of two drains the one that ends sooner stands.
    pub fn order(&self, order: Wanted) {
        self.wanted.send_if_modified(|now| {
            let further = match (*now, order) {
                (Wanted::Drain { until, .. }, Wanted::Drain { until: new, .. }) => new < until,
                (now, order) => order.urgency() > now.urgency(),
            };
            if further {
                *now = order;
            }
            further
        });
    }

    /// Waits until it is about to end, or has.
    pub async fn leaves(&self) {
        let mut wanted = self.wanted.subscribe();
        tokio::select! {
            // The sender is this process's own: it does not go away.
            _ = wanted.wait_for(|wanted| *wanted != Wanted::Run) => {}
            () = self.link.leaves() => {}
        }
    }

    /// Whether it has been told to end, now or later.
    pub fn is_leaving(&self) -> bool {
        *self.wanted.borrow() != Wanted::Run
    }
}

/// A process with all that its owner needs; see [`Owned::run`].
#[derive(Debug)]
pub struct Owned {
    running: Arc<Running>,
    wanted: watch::Receiver<Wanted>,
    control: Control,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
    stop: Stop,
    log: ProcessLog,
    tale: Tale,
}

/// Starts a process. Nothing has been said to it when this returns.
pub async fn start(
    launcher: &Launcher,
    what: Start,
    sharing: Sharing,
    stop: Stop,
    logs: LogRing,
    journal: Journal,
) -> Result<(Arc<Running>, Owned), LaunchError> {
    let (app, redaction, confinement) = (what.app().to_owned(), what.redaction().clone(), what.measures());
    let instance: Arc<str> = what.instance().into();
    let place = what.place();
    let (pid, control, [stdout, stderr], stdin) = match what {
        Start::Process(spec) => {
            let Process { pid, stdin, stdout, stderr, control } = launcher.launch(*spec).await?;
            (Some(pid), Control::Keeper(Box::new(control)), [stdout, stderr], stdin)
        }
        Start::Remote(spec) => {
            let remote::Session { stdin, stdout, stderr, handle } = remote::start(*spec).await?;
            (None, Control::Remote(handle), [stdout, stderr], stdin)
        }
    };
    let tale = Tale { journal, app, instance: instance.clone(), sharing, started: Instant::now() };
    tale.started(pid, place);
    let writes = if sharing == Sharing::Shared { Writes::AsPrimary } else { Writes::ForSession };
    let log = logs.open(instance.clone(), writes, redaction.clone());
    let link = Link::new(&tale.app, &instance, if pid.is_some() { "pipe" } else { "tcp" }, sharing, redaction, stdin);
    let (sender, wanted) = watch::channel(Wanted::Run);
    let running = Arc::new(Running { instance, pid, since: Timestamp::now(), link, wanted: sender, confinement });
    Ok((running.clone(), Owned { running, wanted, control, stdout, stderr, stop, log, tale }))
}

/// What the journal is told of a process.
#[derive(Debug)]
struct Tale {
    journal: Journal,
    app: String,
    instance: Arc<str>,
    sharing: Sharing,
    started: Instant,
}

impl Tale {
    /// `place`: where the server is, if it is elsewhere.
    fn started(&self, pid: Option<u32>, place: Option<String>) {
        let text = match (pid, place) {
            (Some(pid), _) => format!("process {pid}"),
            (None, place) => format!("connected to {}", place.unwrap_or_default()),
        };
        self.tell(Draft::info(EventKind::Started, text).with(|details| details.pid = pid));
    }

    /// `expected`: it had been told to.
    fn ended(&self, exit: Exit, expected: bool) {
        let took = self.started.elapsed();
        let lasted = format_duration(rounded(took));
        let draft = match expected {
            true => Draft::info(EventKind::Ended, format!("{exit}, as it was told to, after {lasted}")),
            false => Draft::warning(EventKind::Ended, format!("{exit} after {lasted}")),
        };
        self.tell(draft.with(|details| {
            (details.exit, details.signal) = match exit {
                Exit::Code(code) | Exit::OverLimit { end: End::Code(code), .. } => (Some(code), None),
                Exit::Signal(number) | Exit::OverLimit { end: End::Signal(number), .. } => {
                    (None, Some(signal_name(number)))
                }
                Exit::Unknown | Exit::Parted(_) => (None, None),
            };
            details.expected = Some(expected);
            details.took_ms = u64::try_from(took.as_millis()).ok();
        }));
    }

    fn tell(&self, draft: Draft) {
        let draft = draft.of_instance(&self.app, &self.instance);
        self.journal.record(if self.sharing == Sharing::Exclusive { draft.minor() } else { draft });
    }
}

/// How far the end of a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    /// Serves until the moment from which it refuses.
    Leaving {
        refuse: Instant,
        until: Instant,
    },
    Draining {
        until: Instant,
    },
    /// Stdin is closed.
    Closing {
        until: Instant,
    },
    Signalled,
    Killed,
}

impl Stage {
    fn deadline(self) -> Option<Instant> {
        match self {
            Stage::Leaving { refuse: until, .. } | Stage::Draining { until } | Stage::Closing { until } => Some(until),
            Stage::Serving | Stage::Signalled | Stage::Killed => None,
        }
    }
}

impl Owned {
    pub fn instance(&self) -> Arc<str> {
        self.running.instance.clone()
    }

    /// Carries its messages and its stderr, and follows orders, until the process and all that it started are gone.
    pub async fn run(self) -> Exit {
        let Owned { running, mut wanted, mut control, stdout, stderr, stop, log, tale } = self;
        let link = running.link.clone();
        let carry = link.run(stdout);
        let pump = log.pump(stderr);
        tokio::pin!(carry, pump);
        let (mut carrying, mut pumping) = (true, true);
        let mut stage = Stage::Serving;
        let exit = loop {
            let deadline = stage.deadline();
            let draining = matches!(stage, Stage::Draining { .. });
            let next = tokio::select! {
                exit = control.wait() => break exit,
                reason = &mut carry, if carrying => {
                    carrying = false;
                    // Most servers do not close their stdout but end, and how they did says more.
                    if let Ok(exit) = timeout(END_AFTER_STDOUT, control.wait()).await {
                        break exit;
                    }
                    // A server that cannot answer any more is of no use, even if it lives.
                    tracing::debug!(instance = &*running.instance, reason, "link ended");
                    link.close(&reason);
                    Wanted::Stop
                }
                () = &mut pump, if pumping => {
                    pumping = false;
                    continue;
                }
                changed = wanted.changed() => match changed {
                    Ok(()) => *wanted.borrow_and_update(),
                    // Cannot be: `running` holds the sender.
                    Err(_) => Wanted::Stop,
                },
                () = link.idle(), if draining => Wanted::Stop,
                () = sleep_until(deadline.unwrap_or_else(Instant::now).into()), if deadline.is_some() => {
                    stage = after_deadline(stage, &link, &mut control, &stop);
                    continue;
                }
            };
            stage = enter(stage, next, &link, &mut control, &stop);
        };
        let _ = timeout(LAST_WORDS, async {
            if carrying {
                carry.await;
            }
            if pumping {
                pump.await;
            }
        })
        .await;
        link.close(&exit.to_string());
        tale.ended(exit, running.is_leaving());
        exit
    }
}

/// As in `SIGKILL`.
fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| number.to_string(), |signal| signal.to_string())
}

/// Follows an order.
fn enter(stage: Stage, wanted: Wanted, link: &Link, control: &mut Control, stop: &Stop) -> Stage {
    let now = Instant::now();
    match (stage, wanted) {
        (Stage::Killed, _) | (Stage::Closing { .. } | Stage::Signalled, Wanted::Drain { .. } | Wanted::Stop) => stage,
        (stage, Wanted::Run) => stage,
        (_, Wanted::Drain { refuse, until }) if refuse > now => Stage::Leaving { refuse, until },
        (_, Wanted::Drain { until, .. }) => {
            link.drain();
            Stage::Draining { until }
        }
        (_, Wanted::Stop) => {
            link.drain();
            link.close_stdin();
            let grace = if stop.signal == StopSignal::Kill { Duration::ZERO } else { STDIN_GRACE };
            Stage::Closing { until: now + grace }
        }
        (_, Wanted::Kill) => {
            control.stop(StopSignal::Kill, Duration::ZERO);
            Stage::Killed
        }
    }
}

fn after_deadline(stage: Stage, link: &Link, control: &mut Control, stop: &Stop) -> Stage {
    match stage {
        Stage::Leaving { until, .. } => {
            link.drain();
            Stage::Draining { until }
        }
        Stage::Draining { .. } => enter(stage, Wanted::Stop, link, control, stop),
        Stage::Closing { .. } => {
            control.stop(stop.signal, stop.grace_period);
            Stage::Signalled
        }
        Stage::Serving | Stage::Signalled | Stage::Killed => stage,
    }
}
