//! When to look, and what is published of it: the asynchronous half of a git source.

use super::{
    GitSettings, GitView,
    pace::Pace,
    past::{Footing, Past},
    trouble::Trouble,
    worker::{Shown, Worker},
};
use crate::{
    jitter,
    source::view::{Problem, Source, SourceView, Trigger, WatchMode, look},
    telemetry::span::Span,
};
use jiff::Timestamp;
use std::{
    sync::{Arc, mpsc as sync},
    thread,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// How long events of a repository on this machine are collected from the first one: a push changes several files.
const WINDOW: Duration = Duration::from_millis(8);
/// Between two looks that somebody asked for: whoever replays a webhook causes no more than one listing in this time.
const ASKED: Duration = Duration::from_secs(1);
/// Between the end of a look and the next one on account of a push, at least.
const REST: Duration = Duration::from_millis(20);

/// What a pause is cut to that is too long for the clock.
const UNBOUNDED: Duration = Duration::from_secs(86_400);

const STALE: &str = "the repository could not be looked at for several intervals: what runs may be out of date";

/// Starts to follow a repository until `shutdown` is cancelled. The task ends early only by a panic.
pub fn spawn(settings: GitSettings, shutdown: CancellationToken) -> (Source, JoinHandle<()>) {
    let (trigger, asked) = Trigger::new();
    let (notice, noticed) = Trigger::new();
    let git = GitView {
        follows: settings.follows(),
        mode: settings.mode,
        interval: settings.interval,
        seen: None,
        newest: None,
        accepted: None,
        accepted_time: None,
        behind: None,
        root: None,
        refused: Arc::default(),
        judged: Arc::default(),
        warnings: Vec::new(),
    };
    let view = SourceView::new(settings.name.clone(), settings.remote.shown());
    let footing = Arc::new(Footing::new(settings.rules.clone()));
    let past = Past::new(settings.clone(), footing.clone());
    let (sender, view) = watch::channel(SourceView { watch: WatchMode::Poll, git: Some(git), ..view });
    let actor = Actor {
        pace: Pace::new(settings.interval),
        name: settings.name.clone(),
        thread: Thread::start(settings, notice, footing),
        view: sender,
        trigger: trigger.clone(),
        asked,
        noticed,
        seen_at: Instant::now(),
        stale: false,
    };
    let task = tokio::spawn(async move {
        shutdown.run_until_cancelled(actor.run()).await;
    });
    (Source { view, trigger, past: Some(past) }, task)
}

/// The thread that has the repository, which blocks and is for one at a time.
struct Thread(sync::Sender<Task>);

type Task = Box<dyn FnOnce(&mut Worker) + Send>;

/// The thread has ended, which it does by a panic only.
struct Gone;

impl Thread {
    fn start(settings: GitSettings, notice: Trigger, footing: Arc<Footing>) -> Thread {
        let (sender, tasks) = sync::channel::<Task>();
        let name = format!("git {}", settings.name);
        let work = move || {
            let mut worker = Worker::new(settings, notice, footing);
            tasks.into_iter().for_each(|task| task(&mut worker));
        };
        // Without the thread the channel is closed, and the first call says so.
        if let Err(error) = thread::Builder::new().name(name).spawn(work) {
            tracing::error!(%error, "cannot start a thread for a git source");
        }
        Thread(sender)
    }

    async fn call<T: Send + 'static>(&self, task: impl FnOnce(&mut Worker) -> T + Send + 'static) -> Result<T, Gone> {
        let (reply, result) = oneshot::channel();
        let task = Box::new(move |worker: &mut Worker| {
            // Nobody waits for it any more when the source is being stopped.
            let _ = reply.send(task(worker));
        });
        self.0.send(task).map_err(|_| Gone)?;
        result.await.map_err(|_| Gone)
    }
}

/// What came of a look.
struct Looked {
    shown: Shown,
    watched: (WatchMode, Option<String>),
    result: Result<(), Arc<Trouble>>,
}

/// The state of the source, and its only writer.
struct Actor {
    name: String,
    pace: Pace,
    thread: Thread,
    view: watch::Sender<SourceView>,
    trigger: Trigger,
    asked: mpsc::Receiver<()>,
    noticed: mpsc::Receiver<()>,
    /// When the remote was last seen.
    seen_at: Instant,
    /// That was long ago.
    stale: bool,
}

impl Actor {
    async fn run(mut self) {
        // The thread is gone when it has panicked, which has been said: without it there is nothing left to do.
        let _ = self.follow().await;
    }

    async fn follow(&mut self) -> Result<(), Gone> {
        let shown = self.thread.call(|worker| {
            worker.start();
            worker.shown()
        });
        let shown = shown.await?;
        if shown.snapshot.is_some() {
            self.view.send_modify(|view| show(view, shown, false, &Span::none()));
        }
        loop {
            // Whatever has been announced so far is answered by this look.
            while self.asked.try_recv().is_ok() || self.noticed.try_recv().is_ok() {}
            let (started, asked) = (Instant::now(), self.trigger.asked());
            let span = look(&self.name, "git");
            let working = span.as_parent();
            let looked = self.thread.call(move |worker| {
                let _working = working.enter();
                let result = worker.look();
                Looked { result, shown: worker.shown(), watched: worker.watched() }
            });
            let wait = self.take(looked.await?, asked, &span);
            drop(span);
            self.wait(started, after(wait)).await?;
        }
    }

    /// Waits until a look is due, at `poll` at the latest. Finds out who made what meanwhile.
    async fn wait(&mut self, last: Instant, poll: Instant) -> Result<(), Gone> {
        let rested = Instant::now() + REST;
        let (mut due, mut working) = (poll, true);
        loop {
            tokio::select! {
                biased;
                () = sleep_until(due) => return Ok(()),
                Some(()) = self.noticed.recv() => due = due.min(rested.max(Instant::now() + WINDOW)),
                Some(()) = self.asked.recv() => due = due.min(Instant::now().max(last + ASKED)),
                more = self.thread.call(Worker::work), if working => match more? {
                    Some(true) => {}
                    None => working = false,
                    Some(false) => {
                        working = false;
                        let shown = self.thread.call(|worker| worker.shown()).await?;
                        self.view.send_modify(|view| show(view, shown, self.stale, &Span::none()));
                    }
                },
            }
        }
    }

    /// Takes in the result of a look that answers so many calls for one, publishes it, and says when to look again.
    fn take(&mut self, looked: Looked, asked: u64, span: &Span) -> Duration {
        let Looked { shown, watched: (mode, problem), result } = looked;
        let (now, jitter) = (Timestamp::now(), jitter::draw());
        let reached = !result.as_ref().is_err_and(|trouble| trouble.backs_off());
        let wait = match &result {
            Err(trouble) if !reached => self.pace.failed(jitter).max(trouble.retry_after().unwrap_or_default()),
            _ => self.pace.succeeded(jitter),
        };
        if let Err(trouble) = &result {
            span.failed(trouble.code());
        }
        if reached {
            self.seen_at = Instant::now();
        }
        let was_stale = std::mem::replace(&mut self.stale, self.pace.is_stale(self.seen_at.elapsed()));
        if self.stale && !was_stale {
            tracing::warn!(source = self.name, "{STALE}");
        }
        self.view.send_modify(|view| {
            view.reads += 1;
            view.failures += u64::from(!reached);
            view.answered = asked;
            view.watched(mode, problem.as_deref());
            if reached {
                view.last_read = Some(now);
            }
            view.error = result.err().map(|trouble| self.problem(view, &trouble, now, (!reached).then_some(wait)));
            show(view, shown, self.stale, span);
        });
        wait
    }

    fn problem(&self, view: &SourceView, trouble: &Trouble, now: Timestamp, wait: Option<Duration>) -> Problem {
        let (message, code) = (trouble.to_string(), trouble.code());
        let before = view.error.as_ref();
        if before.is_none_or(|problem| problem.message != message) {
            tracing::error!(source = self.name, code, "{message}; what was accepted before stays in force");
        }
        Problem {
            since: before.map_or(now, |problem| problem.since),
            code: Some(code),
            message,
            next_attempt: wait.and_then(|wait| now.checked_add(wait).ok()),
        }
    }
}

/// When a pause from now ends.
fn after(pause: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(pause).unwrap_or_else(|| now + UNBOUNDED)
}

/// Takes over what a look, or finding out who made what, has come to.
fn show(view: &mut SourceView, shown: Shown, stale: bool, look: &Span) {
    view.found(shown.snapshot, look);
    if let Some(git) = &mut view.git {
        (git.seen, git.newest, git.accepted) = (shown.seen, shown.newest, shown.accepted);
        (git.root, git.refused, git.judged) = (shown.root, shown.refused, shown.judged);
        (git.accepted_time, git.behind) = (shown.accepted_time, shown.behind);
        git.warnings = shown.warnings;
        git.warnings.extend(stale.then(|| STALE.to_owned()));
    }
}
