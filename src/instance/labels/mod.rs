//! Dynamic labels: what commands print that run beside a server now and then. For people, and for who may use the app;
//! never for selectors, so that no output decides what runs.

mod command;
mod output;

use super::{host::Host, supervisor::Wish};
use crate::resource::DynamicLabel;
use std::{collections::BTreeMap, sync::Arc};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What the commands of one app came to, by label key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynamicLabels {
    /// What each printed when it last did well.
    pub values: BTreeMap<String, String>,
    /// What went wrong the last time, for people; the value before it stands.
    pub problems: BTreeMap<String, String>,
}

/// Where the labels of one app are seen.
pub struct Published {
    pub labels: watch::Sender<DynamicLabels>,
    /// Says that those of some app have changed.
    pub changes: watch::Sender<()>,
}

impl Published {
    fn send_if_modified(&self, modify: impl FnOnce(&mut DynamicLabels) -> bool) {
        if self.labels.send_if_modified(modify) {
            self.changes.send_replace(());
        }
    }
}

/// A label whose command runs now and then, until it is cancelled.
struct Kept {
    label: DynamicLabel,
    stop: CancellationToken,
}

/// Runs the commands of an app as its newest definition has them, while it is to run. Comes back when it is to end, and
/// nothing of them is left.
pub async fn keep(host: Arc<Host>, mut wish: watch::Receiver<Wish>, published: Published) {
    let published = Arc::new(published);
    let tasks = TaskTracker::new();
    let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
    wish.mark_changed();
    while wish.changed().await.is_ok() {
        let app = match &*wish.borrow_and_update() {
            Wish::Run { app, .. } => Some(app.clone()),
            Wish::Suspend(_) => None,
            Wish::Stop(..) | Wish::Kill => break,
        };
        let none = BTreeMap::new();
        let labels = app.as_ref().map_or(&none, |app| &app.spec.dynamic_labels);
        kept.retain(|key, Kept { label, stop }| {
            let same = labels.get(key) == Some(label);
            if !same {
                // The value of another command is none of this one's.
                stop.cancel();
                published.send_if_modified(|labels| {
                    labels.values.remove(key).is_some() | labels.problems.remove(key).is_some()
                });
            }
            same
        });
        for (key, label) in labels {
            if kept.contains_key(key) {
                continue;
            }
            let stop = CancellationToken::new();
            kept.insert(key.clone(), Kept { label: label.clone(), stop: stop.clone() });
            let one = One { host: host.clone(), wish: wish.clone(), key: key.clone(), label: label.clone(), stop };
            tasks.spawn(one.keep(published.clone()));
        }
    }
    kept.values().for_each(|kept| kept.stop.cancel());
    tasks.close();
    tasks.wait().await;
}

/// One label of an app.
struct One {
    host: Arc<Host>,
    wish: watch::Receiver<Wish>,
    key: String,
    label: DynamicLabel,
    stop: CancellationToken,
}

impl One {
    async fn keep(self, published: Arc<Published>) {
        loop {
            let Some(Ok(permit)) = self.stop.run_until_cancelled(self.host.label_commands.acquire()).await else {
                return;
            };
            let Wish::Run { app, .. } = self.wish.borrow().clone() else { return };
            let started = Instant::now();
            let result = command::run(&self.host, &app, &self.label, &self.stop).await;
            drop(permit);
            published.send_if_modified(|labels| {
                // Asked here, so that what has been taken back is not published again.
                !self.stop.is_cancelled() && labels.take(&app.metadata.name, &self.key, result)
            });
            if self.stop.run_until_cancelled(sleep_until(started + self.label.period)).await.is_none() {
                return;
            }
        }
    }
}

impl DynamicLabels {
    /// Takes what a command came to. Answers whether anything is different now.
    fn take(&mut self, app: &str, key: &str, result: Result<String, String>) -> bool {
        match result {
            Ok(value) => {
                let had_problem = self.problems.remove(key).is_some();
                self.values.insert(key.to_owned(), value.clone()) != Some(value) || had_problem
            }
            Err(problem) => {
                let changed = self.problems.get(key) != Some(&problem);
                if changed {
                    tracing::warn!(app, label = key, problem, "the command of a dynamic label failed");
                    self.problems.insert(key.to_owned(), problem);
                }
                changed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_the_value_and_a_success_ends_the_problem() {
        let mut labels = DynamicLabels::default();
        let ok = |text: &str| Ok(text.to_owned());
        let bad = |text: &str| Err(text.to_owned());
        let shown = |labels: &DynamicLabels| (labels.values.get("k").cloned(), labels.problems.get("k").cloned());
        for (result, changed, value, problem) in [
            (bad("a"), true, None, Some("a")),
            (bad("a"), false, None, Some("a")),
            (ok("1"), true, Some("1"), None),
            (ok("1"), false, Some("1"), None),
            (ok("2"), true, Some("2"), None),
            (bad("b"), true, Some("2"), Some("b")),
            (ok("2"), true, Some("2"), None),
        ] {
            assert_eq!(labels.take("app", "k", result.clone()), changed, "{result:?}");
            assert_eq!(shown(&labels), (value.map(str::to_owned), problem.map(str::to_owned)), "{result:?}");
        }
    }
}
