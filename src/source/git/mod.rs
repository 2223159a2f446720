//! The git source: follows a reference of a repository, and lets take effect what is authorized.

mod settings;

pub use settings::{GitSettings, Mode, Root};

use super::view::{Problem, SourceView, Trigger, WatchMode};
use jiff::Timestamp;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Starts to follow a repository until `shutdown` is cancelled.
pub fn spawn(
    settings: GitSettings,
    shutdown: CancellationToken,
) -> (watch::Receiver<SourceView>, Trigger, JoinHandle<()>) {
    let (trigger, mut events) = Trigger::new();
    let (view, receiver) = watch::channel(SourceView {
        name: settings.name,
        location: settings.remote.url,
        watch: WatchMode::Poll,
        watch_problem: None,
        snapshot: None,
        last_read: None,
        error: Some(Problem { since: Timestamp::now(), message: "git sources are not followed yet".to_owned() }),
        reads: 0,
    });
    let task = tokio::spawn(async move {
        let _view = view;
        shutdown.run_until_cancelled(async { while events.recv().await.is_some() {} }).await;
    });
    (receiver, trigger, task)
}
