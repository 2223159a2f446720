//! Who brings messages to one target: a task that reads what happens and sends, so that nobody waits for the target.

use super::{
    again::LetGo,
    compose::{self, Message},
    digest::Digest,
    forge::Agent,
    hook,
    memory::{Memory, Told},
    notice::Notice,
    outbox::{Effect, Event, Outbox},
    outcome::{Outcome, Outcomes},
    request::Answer,
    send::Sender,
};
use crate::{
    config::{Filter, Notification, Target},
    instance::journal::{Draft, Journal},
    jitter,
    status::{
        Applied,
        model::{
            event::{self, EventKind},
            notification::{NotificationProblem, NotificationStatus},
        },
    },
};
use jiff::Timestamp;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio::{
    sync::{
        broadcast::{Receiver, error::RecvError},
        watch,
    },
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// How many messages wait for a forge: of so many commits is remembered what became of them.
const FORGE_ROOM: usize = 200;
/// For people, who do not want more either.
const TEXT_ROOM: usize = 50;
/// For a webhook, which is to get everything.
const HOOK_ROOM: usize = 1_000;

pub(super) struct Actor {
    settings: Arc<Notification>,
    agent: Arc<Agent>,
    sender: Arc<Mutex<Sender>>,
    outbox: Outbox<Message>,
    digest: Digest,
    /// What has been offered to the target, and what it has taken or need not get.
    offered: Told,
    let_go: LetGo,
    told: Told,
    /// What an agent before this one has told.
    before: Told,
    memory: Memory,
    journal: Journal,
    status: watch::Sender<NotificationStatus>,
    sending: Option<JoinHandle<Answer>>,
    wait: Option<Instant>,
    closing: bool,
    over: bool,
}

/// What an actor needs to begin.
pub(super) struct Beginning {
    pub settings: Notification,
    pub agent: Arc<Agent>,
    pub memory: Memory,
    pub journal: Journal,
    pub status: watch::Sender<NotificationStatus>,
    /// What was known when the agent started.
    pub known: Arc<Outcomes>,
}

/// What it listens to.
pub(super) struct Inputs {
    pub events: Receiver<Arc<event::Event>>,
    pub outcomes: watch::Receiver<Arc<Outcomes>>,
    pub applied: watch::Receiver<Arc<Applied>>,
}

impl Actor {
    pub fn new(beginning: Beginning) -> Actor {
        let Beginning { settings, agent, memory, journal, status, known } = beginning;
        let (room, interval) = match &settings.target {
            Target::Slack(slack) => (TEXT_ROOM, slack.interval),
            Target::Webhook(_) => (HOOK_ROOM, std::time::Duration::ZERO),
            _ => (FORGE_ROOM, std::time::Duration::ZERO),
        };
        // One that is new is not told what is long over, but for the newest commit of its forge.
        let told = memory.told(&settings.name).unwrap_or_else(|| {
            let newest = usize::from(forge_source(&settings.target).is_some());
            let seen = |outcomes: &[Outcome]| {
                outcomes.iter().skip(newest).map(|outcome| (outcome.commit.clone(), outcome.state)).collect()
            };
            known.iter().map(|(source, known)| (source.clone(), seen(&known.outcomes))).collect()
        });
        Actor {
            sender: Arc::new(Mutex::new(Sender::new(&settings))),
            outbox: Outbox::new(room, forge_source(&settings.target).is_some()),
            digest: Digest::new(interval),
            offered: told.clone(),
            let_go: LetGo::default(),
            before: told.clone(),
            told,
            settings: Arc::new(settings),
            agent,
            memory,
            journal,
            status,
            sending: None,
            wait: None,
            closing: false,
            over: false,
        }
    }

    /// Works until `shutdown`, and then until what waits has been tried once more.
    pub async fn run(mut self, mut inputs: Inputs, shutdown: CancellationToken) {
        let hears = filter(&self.settings.target).is_some();
        inputs.outcomes.mark_changed();
        while !self.over {
            let again = self.let_go.due().filter(|_| !self.closing);
            let due = self.wait.into_iter().chain(self.digest.due()).chain(again).min();
            tokio::select! {
                answer = answer(&mut self.sending) => {
                    self.sending = None;
                    self.step(Event::Answered { answer, chance: jitter::draw() }).await;
                }
                () = shutdown.cancelled(), if !self.closing => {
                    self.closing = true;
                    // What is collected is not collected any longer.
                    let now = Instant::now();
                    if let Some(text) = self.digest.take(&self.agent, now + super::digest::WINDOW) {
                        self.step(Event::Offered(vec![(None, Message::Text(text))])).await;
                    }
                    self.step(Event::Closing).await;
                }
                changed = inputs.outcomes.changed(), if !self.closing => match changed {
                    Ok(()) => {
                        let outcomes = inputs.outcomes.borrow_and_update().clone();
                        self.take_outcomes(&outcomes).await;
                    }
                    // The agent ends.
                    Err(_) => shutdown.cancelled().await,
                },
                event = inputs.events.recv(), if hears && !self.closing => match event {
                    Ok(event) => self.take_event(&event, &inputs.applied).await,
                    Err(RecvError::Lagged(missed)) => self.outbox.counts.dropped += missed,
                    Err(RecvError::Closed) => shutdown.cancelled().await,
                },
                () = sleep(due), if due.is_some() => {
                    self.tick().await;
                    let again = if self.closing { Default::default() } else { self.let_go.take(Instant::now()) };
                    if !again.is_empty() {
                        for (source, commit) in again {
                            self.offered.get_mut(&source).and_then(|offered| offered.remove(&commit));
                        }
                        let outcomes = inputs.outcomes.borrow().clone();
                        self.take_outcomes(&outcomes).await;
                    }
                }
            }
            self.publish();
        }
    }

    async fn tick(&mut self) {
        let now = Instant::now();
        if let Some(text) = self.digest.take(&self.agent, now) {
            self.step(Event::Offered(vec![(None, Message::Text(text))])).await;
        }
        if self.wait.is_some_and(|wait| wait <= now) {
            self.wait = None;
            self.step(Event::Tick).await;
        }
    }

    async fn take_event(&mut self, event: &event::Event, applied: &watch::Receiver<Arc<Applied>>) {
        let source = event.app.as_ref().and_then(|app| {
            let applied = applied.borrow();
            let origin = applied.running.get(app)?.origin.as_ref()?;
            Some(origin.source.to_string())
        });
        let Some(notice) = Notice::of_event(event, source.as_deref()) else { return };
        let of_before = |commit: &str| self.before.values().any(|told| told.contains_key(commit));
        if notice.commit().is_none_or(|commit| !of_before(commit)) {
            self.take(notice).await;
        }
    }

    async fn take(&mut self, notice: Notice) {
        let settings = self.settings.clone();
        match &settings.target {
            Target::Slack(slack) => {
                let over = notice.good && self.digest.is_troubled(&notice.subject);
                if notice.passes(&slack.filter) || over {
                    self.digest.add(&notice, Instant::now());
                }
            }
            Target::Webhook(webhook) if notice.passes(&webhook.filter) => {
                let message = Message::Signed { id: new_id(), body: hook::body(&notice, &self.agent) };
                self.step(Event::Offered(vec![(None, message)])).await;
            }
            _ => {}
        }
    }

    /// Offers what the target has not been told.
    async fn take_outcomes(&mut self, outcomes: &Outcomes) {
        let only = forge_source(&self.settings.target).map(str::to_owned);
        let mut offered = false;
        for (source, known) in outcomes.iter().filter(|(source, _)| only.as_ref().is_none_or(|only| only == *source)) {
            let told = self.offered.entry(source.clone()).or_default();
            let new: Vec<Outcome> = known
                .outcomes
                .iter()
                .rev()
                .filter(|outcome| told.get(&outcome.commit) != Some(&outcome.state))
                .cloned()
                .collect();
            told.extend(new.iter().map(|outcome| (outcome.commit.clone(), outcome.state)));
            let kept = |commit: &String| known.outcomes.iter().any(|outcome| outcome.commit == *commit);
            told.retain(|commit, _| kept(commit));
            self.told.entry(source.clone()).or_default().retain(|commit, _| kept(commit));
            offered |= !new.is_empty();
            if only.is_some() {
                let message = |outcome: Outcome| {
                    let key = Some(outcome.commit.clone());
                    (key, Message::Commit { source: source.clone(), outcome })
                };
                self.step(Event::Offered(new.into_iter().map(message).collect())).await;
                continue;
            }
            for outcome in new {
                self.take(Notice::of_outcome(&outcome, source, Timestamp::now())).await;
            }
        }
        // Forges are to be told until they have taken it, the others once.
        if offered && only.is_none() {
            self.told = self.offered.clone();
            self.remember().await;
        }
    }

    async fn step(&mut self, event: Event<Message>) {
        for effect in self.outbox.step(event, Instant::now()) {
            match effect {
                Effect::Send(message) => self.send(message),
                Effect::Wait(until) => self.wait = Some(until),
                Effect::Taken(Message::Commit { source, outcome }) => {
                    self.told.entry(source).or_default().insert(outcome.commit, outcome.state);
                    self.remember().await;
                }
                // A status is true until it is another one.
                Effect::LetGo(Message::Commit { source, outcome }) => {
                    self.let_go.add(source, outcome.commit, Instant::now());
                }
                Effect::Taken(_) | Effect::LetGo(_) => {}
                Effect::Failed(problem) => {
                    let text = format!("{}: {problem}", self.called());
                    self.journal.record(Draft::warning(EventKind::NotificationFailed, text));
                }
                Effect::Recovered => {
                    let text = format!("{}: messages get through again", self.called());
                    self.journal.record(Draft::info(EventKind::NotificationRecovered, text));
                }
                Effect::Empty => self.over = true,
            }
        }
    }

    fn called(&self) -> String {
        format!("notification `{}` ({})", self.settings.name, self.settings.target.kind())
    }

    fn send(&mut self, message: Message) {
        let (sender, settings, agent) = (self.sender.clone(), self.settings.clone(), self.agent.clone());
        self.sending = Some(tokio::task::spawn_blocking(move || {
            let mut sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
            let (setting, file) = settings.target.credential();
            let compose = |secret: &str| compose::request(&settings.target, &agent, &message, secret, Timestamp::now());
            sender.send((setting, file), compose).0
        }));
    }

    async fn remember(&mut self) {
        let (memory, settings, told) = (self.memory.clone(), self.settings.clone(), self.told.clone());
        // Nobody else writes this file: whatever comes of it has been said.
        let _ = tokio::task::spawn_blocking(move || memory.write_told(&settings.name, &told)).await;
    }

    fn publish(&self) {
        let (now, instant) = (Timestamp::now(), Instant::now());
        let counts = self.outbox.counts;
        self.status.send_if_modified(|status| {
            let before = status.clone();
            if counts.delivered > status.delivered {
                status.last_success = Some(now);
            }
            (status.delivered, status.dropped, status.waiting) =
                (counts.delivered, counts.dropped, self.outbox.waiting());
            status.problem = self.outbox.problem().map(|message| NotificationProblem {
                since: before.problem.as_ref().map_or(now, |problem| problem.since),
                message: message.to_owned(),
                next_attempt: match (&before.problem, self.outbox.not_before()) {
                    (_, None) => None,
                    // The same one, to the letter.
                    (Some(same), Some(_))
                        if same.message == message && same.next_attempt.is_some_and(|at| at > now) =>
                    {
                        same.next_attempt
                    }
                    (_, Some(at)) => now.checked_add(at.saturating_duration_since(instant)).ok(),
                },
            });
            *status != before
        });
    }
}

/// What came of a message that is being sent. Without one, for ever.
async fn answer(sending: &mut Option<JoinHandle<Answer>>) -> Answer {
    match sending {
        Some(sending) => sending.await.unwrap_or_else(|error| Answer::Refused { problem: error.to_string() }),
        None => std::future::pending().await,
    }
}

async fn sleep(until: Option<Instant>) {
    if let Some(until) = until {
        tokio::time::sleep_until(until.into()).await;
    }
}

fn filter(target: &Target) -> Option<&Filter> {
    match target {
        Target::Slack(slack) => Some(&slack.filter),
        Target::Webhook(webhook) => Some(&webhook.filter),
        Target::Github(_) | Target::Gitlab(_) | Target::Gitea(_) => None,
    }
}

fn forge_source(target: &Target) -> Option<&str> {
    match target {
        Target::Github(forge) | Target::Gitlab(forge) | Target::Gitea(forge) => Some(&forge.source),
        Target::Slack(_) | Target::Webhook(_) => None,
    }
}

/// An id that no other message has.
pub(super) fn new_id() -> String {
    let mut bytes = [0u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // Without chance, the time is as good as it gets.
        let nanoseconds = Timestamp::now().as_nanosecond();
        bytes = nanoseconds.to_be_bytes();
    }
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("msg_{digits}")
}
