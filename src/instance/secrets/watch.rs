//! Noticing that a secret changed: kernel notifications, and a look now and then for file systems that give none.
//!
//! An event says no more than that a look is due. Of an atomic swap, as of a Kubernetes mount, all events come within
//! the window of the first, and so make one look.

use super::Secrets;
use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// From the first event to the look.
const WINDOW: Duration = Duration::from_millis(100);
/// How often it is checked whether the folder is still the one that is watched.
const CHECK: Duration = Duration::from_secs(1);
/// How often everything is looked at although nothing was heard.
const LOOK: Duration = Duration::from_secs(10);

impl Secrets {
    /// Looks at the secrets that apps use whenever they may have changed, until `stop`.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        stop.run_until_cancelled(self.watch_on()).await;
    }

    async fn watch_on(self: Arc<Self>) {
        // Without a secret that anybody uses there is nothing to do.
        self.used.notified().await;
        let mut ear = Ear::default();
        let (mut looked, mut due) = (Instant::now(), false);
        loop {
            let dir = self.settings.dir.clone();
            // A look after arming, so that no change falls between the two.
            let armed = spawn_blocking(move || {
                let armed = ear.arm(&dir);
                (ear, armed)
            });
            let Ok((kept, armed)) = armed.await else { return };
            ear = kept;
            if armed || due || looked.elapsed() >= LOOK {
                looked = Instant::now();
                let (secrets, turn) = (self.clone(), self.turn_to_look().await);
                let look = move || {
                    secrets.look_again();
                    drop(turn);
                };
                let _ = spawn_blocking(look).await;
            }
            due = timeout(CHECK, ear.heard.news.notified()).await.is_ok();
            if due {
                sleep(WINDOW).await;
            }
        }
    }
}

/// The watch on the folder.
#[derive(Default)]
struct Ear {
    heard: Arc<Heard>,
    /// With the device and inode of the folder.
    watcher: Option<(RecommendedWatcher, (u64, u64))>,
    /// That notifications cannot be had has been said.
    complained: bool,
}

#[derive(Default)]
struct Heard {
    news: Notify,
    /// Events may have been lost, or the folder itself is gone.
    lost: AtomicBool,
}

impl Ear {
    /// Watches the folder that is there now. Answers whether that is another than before. Blocking.
    fn arm(&mut self, dir: &Path) -> bool {
        let identity = fs::metadata(dir).ok().map(|metadata| (metadata.dev(), metadata.ino()));
        let lost = self.heard.lost.swap(false, Relaxed);
        if !lost && self.watcher.as_ref().map(|(_, watched)| *watched) == identity {
            return false;
        }
        let had = self.watcher.take().is_some();
        let Some(identity) = identity else { return had };
        match listen(dir, self.heard.clone()) {
            Ok(watcher) => {
                self.watcher = Some((watcher, identity));
                true
            }
            Err(error) => {
                if !self.complained {
                    tracing::warn!(
                        %error,
                        "cannot watch the folder of the secrets: changes there are found within {LOOK:?}"
                    );
                    self.complained = true;
                }
                had
            }
        }
    }
}

fn listen(dir: &Path, heard: Arc<Heard>) -> notify::Result<RecommendedWatcher> {
    let folder = dir.to_owned();
    let on_event = move |event: notify::Result<Event>| {
        let lost = event.as_ref().map_or(true, |event| is_lost(event, &folder));
        if lost {
            heard.lost.store(true, Relaxed);
        }
        if lost || event.is_ok_and(|event| is_news(&event)) {
            heard.news.notify_one();
        }
    };
    let mut watcher = RecommendedWatcher::new(on_event, Config::default())?;
    watcher.watch(dir, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn is_lost(event: &Event, folder: &Path) -> bool {
    event.need_rescan() || (event.kind.is_remove() && event.paths.iter().any(|path| path == folder))
}

/// Everything but what a reader causes, which would make every look the cause of the next one.
fn is_news(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}
