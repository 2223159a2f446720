//! The loop: looks at what the sources say, decides what is to run, and tells the fleet.
//!
//! It is level-triggered: whatever wakes it, it looks at everything and does what is missing. So nothing is lost when
//! two things happen at once, and doing it all again does nothing.

use super::{
    auditor::Auditor,
    observer::{self, Observer},
    policing::Policing,
    service::Beat,
    spans,
    suspension::Suspension,
};
use crate::{
    audit::Log,
    instance::fleet::Fleet,
    manifest::Snapshot,
    measure::Durations,
    reconcile::{
        Action, DesiredApp, Plan, PruneGuard, PruneSettings, Running, Selection, SourceInput, Verb, desired, frozen,
        plan,
    },
    source::Source,
    status::{
        Applied, Suspended,
        command::{Command, CommandError, Done},
    },
    telemetry::span::Parent,
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

pub struct Controller {
    pub sources: Vec<Source>,
    pub selection: Selection,
    pub prune: PruneSettings,
    pub fleet: Arc<Fleet>,
    pub commands: mpsc::Receiver<Command>,
    /// Questions whether this loop still goes round.
    pub beats: mpsc::Receiver<Beat>,
    pub published: watch::Sender<Arc<Applied>>,
    pub policing: Policing,
    pub suspension: Suspension,
    pub audit: Log,
    /// How long each round took.
    pub rounds: Arc<Durations>,
}

/// However often dynamic labels change, who may use what is decided anew no more often than this.
const BETWEEN_LABELS: Duration = Duration::from_millis(200);

/// The longest sleep. Clocks are set, and machines suspended: an expiry must not be missed for long.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl Controller {
    /// Works until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut guard = PruneGuard::new(self.prune.clone());
        let mut running = self.suspension.running();
        end_expired(&mut running, Timestamp::now(), |_| {});
        self.fleet.suspend(self.suspension.apps().clone());
        running.values().for_each(|told| self.fleet.run(told.app.clone()));
        let (mut observer, mut auditor) = (Observer::default(), Auditor::default());
        let mut release = false;
        // A source publishes more often than it has something new to say.
        let mut due = true;
        let mut wake = Instant::now();
        let mut answers: Vec<(Done, Result<(), CommandError>)> = Vec::new();
        let mut labels = self.fleet.label_changes();
        let (mut relabelled, mut labels_from) = (false, Instant::now());
        loop {
            let inputs = self.inputs(&mut observer, &mut auditor);
            if let Some(inputs) = inputs.as_ref().filter(|_| relabelled) {
                self.policing.publish(inputs.all(), running.iter(), &self.fleet);
            }
            if due {
                let now = Timestamp::now();
                // What runs since a suspension expires, although a source has not said anything yet.
                let expiry = match &inputs {
                    None => end_expired(&mut running, now, |app| self.fleet.stop(app)),
                    Some(_) => None,
                };
                wake = Instant::now() + sleep_to(expiry, now);
            }
            let news = |said: &[Option<Arc<Snapshot>>]| !self.published.borrow().is_of(said.iter());
            if let Some(said) = inputs.filter(|said| due || news(&said.snapshots)) {
                let began = Instant::now();
                let inputs = &said.read;
                let (now, clock) = (Timestamp::now(), SystemTime::now());
                let told = running.iter().map(|(name, app)| (name.clone(), Running::from(app))).collect();
                let mut wanted = desired(inputs, &self.selection, now);
                let mut suspended =
                    Suspended { since: self.suspension.since(), waiting: 0, apps: self.suspension.apps().clone() };
                if suspended.since.is_some() {
                    suspended.waiting = plan(&told, &wanted, &guard, true).actions.len();
                    wanted = frozen(&running, wanted, now);
                }
                let plan = plan(&told, &wanted, &guard, release);
                guard.holds = plan.holds.clone();
                // What is frozen is in force as it was.
                let applied = inputs.iter().filter(|_| suspended.since.is_none());
                let applied = applied.filter_map(|input| observer.applied(&input.name, &input.snapshot));
                applied.for_each(|draft| drop(self.fleet.journal().keep(draft)));
                // Before what it is about: nobody reaches an app by rules that were not made for it. What is still to be
                // stopped is ruled too. Users and roles are never suspended, so that nothing keeps a revocation waiting.
                self.policing.publish(said.all(), wanted.apps.iter().chain(&running), &self.fleet);
                let span = spans::of_plan(&plan, &said.news(&self.published.borrow()), clock);
                {
                    let _working = span.as_parent().enter();
                    self.carry_out(&plan, &mut running);
                }
                drop(span);
                refresh(&mut running, &wanted.apps);
                wake = Instant::now() + sleep_to(wanted.next_expiry, now);
                let (desired, held) = (Arc::new(wanted), plan.held);
                let applied = Applied { snapshots: said.snapshots, desired, running: running.clone(), held, suspended };
                self.published.send_replace(Arc::new(applied));
                self.fleet.set_applied();
                self.rounds.add(began.elapsed());
            }
            // Once the status says so. Whoever asked may have gone: nobody has to hear it.
            answers.drain(..).for_each(|(done, answer)| drop(done.send(answer)));
            release = false;
            let woken = tokio::select! {
                () = shutdown.cancelled() => return,
                changed = any_change(&mut self.sources) => Woken::Change(changed),
                Some(command) = self.commands.recv() => Woken::Command(command),
                () = next_labels(&mut labels, labels_from) => Woken::Labels,
                Some(beat) = self.beats.recv() => Woken::Beat(beat),
                () = sleep_until(wake) => Woken::Time,
            };
            due = !matches!(woken, Woken::Change(_) | Woken::Labels | Woken::Beat(_));
            relabelled = matches!(woken, Woken::Labels);
            if relabelled {
                labels_from = Instant::now() + BETWEEN_LABELS;
            }
            match woken {
                Woken::Change(Ok(())) | Woken::Labels | Woken::Time => {}
                // Nobody has to hear it.
                Woken::Beat(beat) => drop(beat.send(())),
                // The last state of a source that has ended stays in force, until the agent, which notices too, ends.
                Woken::Change(Err(Ended)) => return,
                Woken::Command(Command::Reconcile { prune, heard }) => {
                    release = prune;
                    self.sources.iter().for_each(|source| source.trigger.fire());
                    let _ = heard.send(());
                }
                Woken::Command(Command::Suspend { app, done }) => {
                    answers.push((done, self.suspend(app.as_deref(), &running)));
                }
                Woken::Command(Command::Resume { app, done }) => {
                    answers.push((done, self.resume(app.as_deref())));
                }
            }
        }
    }

    fn suspend(&mut self, app: Option<&str>, running: &BTreeMap<String, DesiredApp>) -> Result<(), CommandError> {
        let known = |app: &str| running.contains_key(app) || self.published.borrow().desired.others.contains_key(app);
        if let Some(app) = app.filter(|app| !known(app)) {
            return Err(CommandError::UnknownApp(app.to_owned()));
        }
        self.suspension
            .suspend(app, running, Timestamp::now())
            .map_err(|error| CommandError::State(error.to_string()))?;
        self.fleet.journal().record(observer::suspended(app));
        self.fleet.suspend(self.suspension.apps().clone());
        Ok(())
    }

    fn resume(&mut self, app: Option<&str>) -> Result<(), CommandError> {
        match self.suspension.resume(app) {
            Ok(true) => {}
            Ok(false) => return Err(CommandError::NotSuspended(app.map(str::to_owned))),
            Err(error) => return Err(CommandError::State(error.to_string())),
        }
        self.fleet.journal().record(observer::resumed(app));
        self.fleet.suspend(self.suspension.apps().clone());
        Ok(())
    }

    /// What the sources say. `None` as long as one of them has neither been read nor failed to be: half of the sources
    /// must not be taken for all of them.
    fn inputs(&mut self, observer: &mut Observer, auditor: &mut Auditor) -> Option<Inputs> {
        let (mut names, mut read, mut snapshots) = (Vec::new(), Vec::with_capacity(self.sources.len()), Vec::new());
        let mut found_by = Vec::new();
        for source in &mut self.sources {
            let view = source.view.borrow_and_update();
            observer.look(&view).into_iter().for_each(|draft| drop(self.fleet.journal().keep(draft)));
            auditor.look(&view).into_iter().for_each(|record| self.audit.record(record));
            let name: Arc<str> = view.name.as_str().into();
            match &view.snapshot {
                Some(snapshot) => read.push(SourceInput { name: name.clone(), snapshot: snapshot.clone() }),
                None if view.error.is_some() => {}
                None => return None,
            }
            names.push(name);
            snapshots.push(view.snapshot.clone());
            found_by.push(view.found_by.clone());
        }
        Some(Inputs { names, read, snapshots, found_by })
    }

    fn carry_out(&self, plan: &Plan, running: &mut BTreeMap<String, DesiredApp>) {
        let before = self.published.borrow().clone();
        for held in plan.held.iter().filter(|held| !before.held.contains(held)) {
            self.fleet.journal().record(observer::held(held));
        }
        for action in &plan.actions {
            self.fleet.journal().record(observer::action(action));
            let Action { app, verb, desired, .. } = action;
            match (verb, desired) {
                (Verb::Stop, _) | (_, None) => {
                    running.remove(app);
                    self.fleet.stop(app);
                }
                (Verb::Start | Verb::Replace | Verb::Update, Some(desired)) => {
                    running.insert(app.clone(), desired.clone());
                    self.fleet.run(desired.app.clone());
                }
            }
        }
    }
}

/// What the sources say.
struct Inputs {
    names: Vec<Arc<str>>,
    /// Of those that could be read, in their order.
    read: Vec<SourceInput>,
    /// Of all of them.
    snapshots: Vec<Option<Arc<Snapshot>>>,
    /// The looks that found them.
    found_by: Vec<Parent>,
}

impl Inputs {
    /// All sources, by name and in their order.
    fn all(&self) -> impl Iterator<Item = (Arc<str>, Option<&Snapshot>)> {
        self.names.iter().cloned().zip(self.snapshots.iter().map(Option::as_deref))
    }

    /// What is new since then: the revisions of sources, with the looks that found them.
    fn news(&self, before: &Applied) -> Vec<spans::News> {
        let known = |new: &Arc<Snapshot>| before.snapshots.iter().flatten().any(|old| Arc::ptr_eq(old, new));
        let all = self.names.iter().zip(&self.snapshots).zip(&self.found_by);
        let new = all.filter_map(|((name, snapshot), look)| {
            let snapshot = snapshot.as_ref().filter(|snapshot| !known(snapshot))?;
            Some(spans::News { source: name.clone(), revision: snapshot.revision.clone(), look: look.clone() })
        });
        new.collect()
    }
}

/// Why the loop goes round.
enum Woken {
    Change(Result<(), Ended>),
    /// Dynamic labels have changed.
    Labels,
    Command(Command),
    /// Somebody asks whether it does.
    Beat(Beat),
    Time,
}

/// A source has ended.
struct Ended;

/// Waits until a source has published something new. An agent without sources waits for ever.
async fn any_change(sources: &mut [Source]) -> Result<(), Ended> {
    if sources.is_empty() {
        return std::future::pending().await;
    }
    let changes = sources.iter_mut().map(|source| Box::pin(source.view.changed()));
    let (changed, ..) = futures_util::future::select_all(changes).await;
    changed.map_err(|_| Ended)
}

/// Waits for the next change of dynamic labels, and until that time.
async fn next_labels(changes: &mut watch::Receiver<()>, from: Instant) {
    // Whoever stops waiting in between has not heard of it. The other end is the fleet's, which is here.
    if changes.clone().changed().await.is_err() {
        std::future::pending().await
    }
    sleep_until(from).await;
    changes.mark_unchanged();
}

/// Takes over what may change without any action: where a definition stands, and whether it is stale.
fn refresh(running: &mut BTreeMap<String, DesiredApp>, wanted: &BTreeMap<String, DesiredApp>) {
    for (name, told) in running {
        if let Some(wanted) = wanted.get(name) {
            *told = wanted.clone();
        }
    }
}

/// Takes out what has expired, and says when the next one will.
fn end_expired(
    running: &mut BTreeMap<String, DesiredApp>,
    now: Timestamp,
    mut end: impl FnMut(&str),
) -> Option<Timestamp> {
    running.retain(|name, told| {
        let expired = told.app.metadata.expires.is_some_and(|at| at <= now);
        if expired {
            end(name);
        }
        !expired
    });
    running.values().filter_map(|told| told.app.metadata.expires).min()
}

fn sleep_to(at: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(at) = at else { return LONGEST_SLEEP };
    // A moment more, so that it has surely come.
    let sleep = Duration::try_from(at.duration_since(now)).unwrap_or_default() + Duration::from_millis(1);
    sleep.min(LONGEST_SLEEP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifest::decode::{decode_document, static_app},
        resource::App,
    };

    fn told(name: &str, expires: &str) -> (String, DesiredApp) {
        let text = format!("metadata: {{name: {name}{expires}}}\nspec: {{mcp: {{command: x}}}}\n");
        let app: App = decode_document("app.yaml", text.as_bytes(), static_app).value.unwrap();
        (name.to_owned(), DesiredApp { app: Arc::new(app), origin: None, selected_by: None })
    }

    #[test]
    fn what_has_expired_is_taken_out() {
        let mut running = BTreeMap::from([
            told("for-ever", ""),
            told("over", ", expires: 2026-01-01T00:00:00Z"),
            told("later", ", expires: 2026-03-01T00:00:00Z"),
        ]);
        let now: Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
        let mut ended = Vec::new();
        let next = end_expired(&mut running, now, |name| ended.push(name.to_owned()));
        assert_eq!((ended, running.len()), (vec!["over".to_owned()], 2));
        assert_eq!(next, "2026-03-01T00:00:00Z".parse().ok());
        assert_eq!(sleep_to(next, now), LONGEST_SLEEP);
        assert_eq!(sleep_to(Some(now), now), Duration::from_millis(1));
    }
}
