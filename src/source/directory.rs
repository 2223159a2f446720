//! The directory source: an actor that reads a directory whenever something may have changed, and publishes what it
//! says when that is new.

use super::{
    Ignore, ReadError,
    confirm::Confirmation,
    listing::Bounds,
    read::{Cache, TreeRead, read_bounded, survey},
    view::{Problem, Source, SourceView, Trigger, WatchMode, WatchSetting, look},
    watch::Watcher,
};
use crate::{
    manifest::Snapshot,
    telemetry::span::{Span, scoped},
};
use jiff::Timestamp;
use std::{future::pending, panic::resume_unwind, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinHandle, spawn_blocking},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Between two looks that must agree before something counts as removed.
const CONFIRM: Duration = Duration::from_millis(150);
/// Before another look at a tree that did not hold still.
const RESTLESS: Duration = Duration::from_millis(500);
/// Before another look at a directory that could not be read.
const RETRY: Duration = Duration::from_secs(5);
/// Between two polls.
const POLL: Duration = Duration::from_secs(1);
/// A look without a result, or a poll, is followed by a pause of so many times its own cost: whatever else is written
/// to the directory, it never costs more than a tenth of a core.
const PAUSE: u32 = 10;
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// A directory source, as configured.
#[derive(Clone, Debug)]
pub struct DirectorySettings {
    pub name: String,
    pub path: PathBuf,
    /// Only apps below this folder of the directory are taken; all of the directory is read and checked.
    pub subpath: Option<String>,
    pub ignore: Ignore,
    pub watch: WatchSetting,
    /// How long events are collected from the first one before the directory is read. 100 ms is a good value.
    pub window: Duration,
    /// After how long the directory is read although nothing was noticed. A minute is a good value.
    pub resync: Duration,
}

/// Starts to follow a directory until `shutdown` is cancelled. The task ends early only by a panic.
pub fn spawn(settings: DirectorySettings, shutdown: CancellationToken) -> (Source, JoinHandle<()>) {
    let (trigger, events) = Trigger::new();
    let location = settings.path.display().to_string();
    let (sender, view) = watch::channel(SourceView::new(settings.name.clone(), location));
    let task = follow(settings, trigger.clone(), events, sender, shutdown);
    (Source { view, trigger, past: None }, tokio::spawn(task))
}

async fn follow(
    settings: DirectorySettings,
    trigger: Trigger,
    mut events: mpsc::Receiver<()>,
    view: watch::Sender<SourceView>,
    shutdown: CancellationToken,
) {
    let window = settings.window;
    let mut eyes = Eyes::new(&settings, trigger.clone());
    let mut source = State { settings, view, whole: None, confirmation: Confirmation::default() };
    let looking = async {
        let mut renew = true;
        loop {
            // Whatever has been announced so far is answered by this look.
            while events.try_recv().is_ok() {}
            let (started, asked) = (Instant::now(), trigger.asked());
            let span = look(&source.settings.name, "directory");
            let working = span.as_parent();
            let (back, read) = on_thread(eyes, move |eyes| {
                let _working = working.enter();
                scoped("source read", |_| eyes.look(renew))
            })
            .await;
            eyes = back;
            let found = source.take(read, &eyes.watcher, asked, &span);
            drop(span);
            let rested = if found.new { started } else { pause_after(started) };
            let again = Instant::now() + found.again;

            let mut polled = started;
            renew = loop {
                let polls = eyes.watcher.mode() == WatchMode::Poll;
                tokio::select! {
                    Some(()) = events.recv() => {
                        sleep_until(rested.max(Instant::now() + window)).await;
                        break false;
                    }
                    () = sleep_until(again) => break found.settled,
                    () = sleep_until(pause_after(polled).max(polled + POLL)), if polls => {
                        polled = Instant::now();
                        let (back, changed) = on_thread(eyes, Eyes::poll).await;
                        eyes = back;
                        if changed {
                            sleep(window).await;
                            break false;
                        }
                    }
                }
            };
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = looking => {}
    }
}

/// When something that began at `started` and has just ended may be done again.
fn pause_after(started: Instant) -> Instant {
    Instant::now() + (started.elapsed() * PAUSE).min(MAX_PAUSE)
}

/// Everything that touches the file system, and so may block: moved to another thread for each look, and back.
struct Eyes {
    path: PathBuf,
    ignore: Ignore,
    cache: Cache,
    watcher: Watcher,
    polled: Option<u64>,
}

impl Eyes {
    fn new(settings: &DirectorySettings, trigger: Trigger) -> Self {
        Eyes {
            path: settings.path.clone(),
            ignore: settings.ignore.clone(),
            cache: Cache::default(),
            watcher: Watcher::new(settings.watch, trigger),
            polled: None,
        }
    }

    /// Reads the tree. With `renew`, all watches are set anew first: whatever made one of them deaf is over then.
    fn look(&mut self, renew: bool) -> Result<TreeRead, ReadError> {
        let Eyes { path, ignore, cache, watcher, .. } = self;
        if renew {
            watcher.restart();
        }
        watcher.guard(path);
        read_bounded(path, ignore, cache, Bounds::DEFAULT, |folders| watcher.folders(path, folders))
    }

    /// Whether any metadata changed since the last poll.
    fn poll(&mut self) -> bool {
        let now = survey(&self.path, &self.ignore, Bounds::DEFAULT);
        std::mem::replace(&mut self.polled, now) != now
    }
}

/// Runs something that blocks and takes its panic over.
async fn on_thread<T: Send + 'static>(mut eyes: Eyes, task: impl FnOnce(&mut Eyes) -> T + Send + 'static) -> (Eyes, T) {
    let done = spawn_blocking(move || {
        let result = task(&mut eyes);
        (eyes, result)
    });
    match done.await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // Cancelled: the runtime is about to end, and this task with it.
        Err(Err(_)) => pending().await,
    }
}

/// What came of a look.
struct Found {
    /// Something new was published.
    new: bool,
    /// When to look again if nothing happens before.
    again: Duration,
    /// That is the slow re-read, for which there is no reason but caution.
    settled: bool,
}

/// The state of the source, and its only writer.
struct State {
    settings: DirectorySettings,
    view: watch::Sender<SourceView>,
    /// What the directory says, before `subpath` narrows it.
    whole: Option<Arc<Snapshot>>,
    confirmation: Confirmation,
}

impl State {
    /// Takes in the result of a look that answers so many calls for one, and publishes what is new.
    fn take(&mut self, read: Result<TreeRead, ReadError>, watcher: &Watcher, asked: u64, span: &Span) -> Found {
        let (snapshot, found) = match &read {
            Ok(read) => self.judge(read),
            Err(error) => (None, self.wait(if error.is_transient() { RESTLESS } else { RETRY })),
        };
        let new = snapshot.is_some();
        let now = Timestamp::now();
        self.view.send_modify(|view| {
            view.reads += 1;
            view.failures += u64::from(read.is_err());
            view.watched(watcher.mode(), watcher.problem());
            // What is looked at again at once is not known yet.
            if new || found.settled || read.is_err() {
                view.answered = asked;
            }
            match &read {
                Ok(_) => {
                    view.last_read = Some(now);
                    if view.error.take().is_some() {
                        tracing::info!(source = view.name, "readable again");
                    }
                }
                Err(error) => {
                    span.failed("unreadable");
                    let message = error.to_string();
                    let since = view.error.as_ref().map_or(now, |problem| problem.since);
                    if view.error.as_ref().is_none_or(|problem| problem.message != message) {
                        tracing::error!(source = view.name, "{message}; what was read before stays in force");
                    }
                    view.error = Some(Problem { since, message, code: None, next_attempt: None });
                }
            }
            if let Some(snapshot) = snapshot {
                tracing::info!(
                    source = view.name,
                    revision = %snapshot.revision,
                    resources = snapshot.resources.len(),
                    diagnostics = snapshot.diagnostics.len(),
                    "new revision"
                );
                view.found(Some(snapshot), span);
            }
        });
        Found { new, ..found }
    }

    /// What is to be published of a tree, if anything.
    fn judge(&mut self, read: &TreeRead) -> (Option<Arc<Snapshot>>, Found) {
        let rest = self.wait(if read.settled { self.settings.resync } else { RESTLESS });
        let snapshot = Snapshot::build(&read.tree, read.revision.clone(), self.whole.as_deref());
        if !self.confirmation.believes(self.whole.as_deref(), &snapshot) {
            return (None, self.wait(CONFIRM));
        }
        if self.whole.as_deref().is_some_and(|before| !snapshot.differs(before)) {
            return (None, rest);
        }
        let whole = Arc::new(snapshot);
        self.whole = Some(Arc::clone(&whole));
        let published = match &self.settings.subpath {
            Some(folder) => Arc::new(whole.narrowed(folder)),
            None => whole,
        };
        (Some(published), rest)
    }

    /// Nothing new; look again after this long, or at the slow re-read if that comes first.
    fn wait(&self, again: Duration) -> Found {
        Found { new: false, again: again.min(self.settings.resync), settled: again >= self.settings.resync }
    }
}
