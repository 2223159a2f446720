//! Puts the status together from what the parts of the agent publish. Holds nothing of its own.

use super::{
    git,
    judge::judge,
    model::{
        AgentStatus, AppCondition, AppStatus, ConditionKind, SourceProblem, SourceStatus, Status, ToolsStatus,
        notification::NotificationStatus, plan::Basis,
    },
    sight::{agent_shown_to, shown_to},
};
use crate::{
    gateway::{Access, Gateway, access::Principal, tls::Tls},
    instance::{fleet::Entry, grant::Grant, labels::DynamicLabels, view::View},
    manifest::Snapshot,
    measure::Durations,
    reconcile::{Desired, DesiredApp, Held, Idle, Origin, PruneSettings, Selection, Why},
    resource::{App, RemoteTransport, Server, Verb},
    source::{Source, SourceView},
    webhook::Calls,
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::watch;

/// The code of a removal that the prune guard holds.
pub const PRUNE_GUARD: &str = "prune-guard";

/// What the agent has undertaken, published by its controller after each look.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// What each source said then, in their order.
    pub snapshots: Vec<Option<Arc<Snapshot>>>,
    pub desired: Arc<Desired>,
    /// The apps that were told to run, as they were told.
    pub running: BTreeMap<String, DesiredApp>,
    pub held: Vec<Held>,
    pub suspended: Suspended,
}

/// What somebody has suspended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Suspended {
    /// Since when nothing new is applied.
    pub since: Option<Timestamp>,
    /// How many actions wait for that to end.
    pub waiting: usize,
    /// Apps that are stopped one by one, there or not.
    pub apps: BTreeSet<String>,
}

impl Applied {
    /// Whether this is what became of what the sources say.
    pub fn is_of<'s>(&self, said: impl ExactSizeIterator<Item = &'s Option<Arc<Snapshot>>>) -> bool {
        let same = |(said, applied): (&Option<Arc<Snapshot>>, &Option<Arc<Snapshot>>)| match (said, applied) {
            (Some(said), Some(applied)) => Arc::ptr_eq(said, applied),
            (None, None) => true,
            _ => false,
        };
        said.len() == self.snapshots.len() && said.zip(&self.snapshots).all(same)
    }
}

#[derive(Debug)]
pub struct Store {
    pub started: Timestamp,
    /// Where clients find the gateway, without a trailing slash.
    pub url: String,
    pub sources: Vec<Source>,
    pub applied: watch::Receiver<Arc<Applied>>,
    pub gateway: Arc<Gateway>,
    pub tls: Option<Arc<Tls>>,
    /// What it decides by, as far as it is configured.
    pub configured: Basis,
    /// How long it took to carry out what the sources say, each time.
    pub rounds: Arc<Durations>,
    /// Of webhooks.
    pub calls: Arc<Calls>,
    /// The same, as it is used.
    pub selection: Selection,
    pub prune: PruneSettings,
    /// What it gives to apps.
    pub grant: Arc<Grant>,
    /// How it stands with each of `notifications`.
    pub notifications: Vec<watch::Receiver<NotificationStatus>>,
}

impl Store {
    /// The state of everything, now.
    pub fn status(&self) -> Status {
        self.status_for(&Principal::Operator)
    }

    /// What a principal may know of it.
    pub fn status_for(&self, principal: &Principal) -> Status {
        let policy = self.gateway.policy.borrow().clone();
        // What is asked for before what is said, and that before what is done: whatever changes in between makes this
        // say that something is on its way, and never that nothing is.
        let asked = self.sources.iter().any(Source::is_asked);
        let views: Vec<SourceView> = self.sources.iter().map(|source| source.view.borrow().clone()).collect();
        let applied = self.applied.borrow().clone();
        let sources: Vec<SourceStatus> = views.iter().map(source_status).collect();
        let apps = self.apps(&applied, &views, None);
        let done = applied.is_of(views.iter().map(|view| &view.snapshot));
        let current = !asked && done && self.gateway.fleet.is_settled();
        let sees_all = policy.may_order(principal, Verb::Read, None);
        let (sources, apps, suspended) = match sees_all {
            true => (sources, apps, applied.suspended.clone()),
            false => (Vec::new(), apps, Suspended::default()),
        };
        let apps = shown_to(apps, principal, &policy);
        let (state, message) = judge(&sources, &apps, &suspended, current);
        let status = Status {
            agent: AgentStatus {
                version: env!("CARGO_PKG_VERSION").into(),
                principal: None,
                pid: Some(std::process::id()),
                started: Some(self.started),
                gateway: self.url.clone(),
                auth: match self.gateway.guard.access {
                    Access::Open => "open".into(),
                    Access::Required => "required".into(),
                },
                state,
                message,
                suspended: suspended.since,
                suspended_apps: suspended.apps.into_iter().collect(),
                audit: self.gateway.audit.status(),
                tls: self.tls.as_ref().map(|tls| tls.status()),
                notifications: self.notifications.iter().map(|seen| seen.borrow().clone()).collect(),
            },
            sources,
            apps,
        };
        match principal {
            Principal::User(user) => agent_shown_to(status, user, sees_all),
            Principal::Operator | Principal::Anonymous => status,
        }
    }

    /// The app of a name, as far as a principal may know of it. Of several definitions it is the one that runs.
    pub fn app_for(&self, principal: &Principal, name: &str) -> Option<AppStatus> {
        let policy = self.gateway.policy.borrow().clone();
        let views: Vec<SourceView> = self.sources.iter().map(|source| source.view.borrow().clone()).collect();
        let applied = self.applied.borrow().clone();
        shown_to(self.apps(&applied, &views, Some(name)), principal, &policy).into_iter().next()
    }

    /// What it decides by, and what it has accepted.
    pub fn basis(&self) -> Basis {
        let mut basis = Basis { agent: self.url.clone(), ..self.configured.clone() };
        for source in &self.sources {
            let view = source.view.borrow();
            let Some(told) = basis.sources.iter_mut().find(|told| told.name == view.name) else { continue };
            told.location.clone_from(&view.location);
            if let Some(git) = &view.git {
                told.accepted = git.accepted.map(|commit| commit.to_string());
                told.root = git.root.map(|commit| commit.to_string());
            }
        }
        basis
    }

    /// All of them, or those of one name: in the order of names, and first what runs.
    fn apps(&self, applied: &Applied, views: &[SourceView], only: Option<&str>) -> Vec<AppStatus> {
        let is_asked = |name: &str| only.is_none_or(|only| only == name);
        let refused = git::refused_by_path(views);
        let shared = self.gateway.sessions.shared_by_app();
        let entries: BTreeMap<String, Arc<Entry>> = self
            .gateway
            .fleet
            .all()
            .into_iter()
            .filter(|entry| is_asked(&entry.name))
            .map(|entry| (entry.name.to_string(), entry))
            .collect();
        let mut rows = Vec::new();
        for (name, told) in applied.running.iter().filter(|(name, _)| is_asked(name)) {
            let mut row = self.row(&told.app, told.origin.as_ref());
            row.selected_by = told.selected_by.as_ref().map(ToString::to_string);
            if let Some(held) = applied.held.iter().find(|held| held.app == *name) {
                row.held(PRUNE_GUARD, held.reason.clone());
            }
            if let Some((code, message)) = refused.get(&(&*row.source, &*row.path)).cloned() {
                row.held(&code, message);
            }
            if let Some(entry) = entries.get(name) {
                row.updating = !entry.is_up_to_date();
                row.fill(&entry.view.borrow(), shared.get(name).copied().unwrap_or_default());
                row.dynamic(&entry.dynamic_labels.borrow());
            }
            rows.push(row);
        }
        // Wanted no more, but not all of their processes are gone.
        for (name, entry) in entries.iter().filter(|(name, _)| !applied.running.contains_key(*name)) {
            let mut row = self.bare(name);
            row.fill(&entry.view.borrow(), 0);
            rows.push(row);
        }
        for (name, idles) in applied.desired.others.iter().filter(|(name, _)| is_asked(name)) {
            // A definition whose removal is held is listed already, as what it still runs as.
            let held = applied.held.iter().any(|held| held.app == *name);
            rows.extend(
                idles.iter().filter(|idle| !held || idle.why != Why::NotSelected).map(|idle| self.idle_row(idle)),
            );
        }
        rows.sort_by(|a, b| a.name.cmp(&b.name).then(b.state.is_some().cmp(&a.state.is_some())));
        rows
    }

    fn bare(&self, name: &str) -> AppStatus {
        AppStatus::bare(name, format!("{}/mcp/{name}", self.url))
    }

    fn row(&self, app: &App, origin: Option<&Origin>) -> AppStatus {
        let (transport, command, remote) = match &app.spec.server {
            Server::Stdio(stdio) => {
                ("stdio", std::iter::once(&stdio.command).chain(&stdio.args).cloned().collect(), None)
            }
            Server::Remote(remote) => {
                let transport = match remote.transport {
                    RemoteTransport::StreamableHttp => "streamable-http",
                    RemoteTransport::Sse => "sse",
                };
                (transport, Vec::new(), remote.url.split('?').next().map(str::to_owned))
            }
        };
        let entry = origin.map(|origin| &origin.entry);
        let mut row = AppStatus {
            description: app.metadata.description.clone(),
            transport: transport.into(),
            labels: app.metadata.labels.clone(),
            command,
            remote,
            source: origin.map_or("agent configuration", |origin| &origin.source).into(),
            path: entry.map_or("", |entry| &entry.located.path).into(),
            revision: entry.map(|entry| entry.since.to_string()),
            author: entry.and_then(|entry| Some(entry.author.as_ref()?.name.clone())),
            signer: entry.and_then(|entry| entry.author.as_ref()?.signer.clone()),
            ..self.bare(&app.metadata.name)
        };
        if let Some(entry) = entry.filter(|entry| entry.is_stale()) {
            let text = format!("the last good content is in force because of {}", entry.held_by.join(", "));
            row.condition(ConditionKind::Invalid, text);
        }
        row
    }

    fn idle_row(&self, idle: &Idle) -> AppStatus {
        let kind = match idle.why {
            Why::NotSelected | Why::Disabled => ConditionKind::NotSelected,
            Why::Expired(_) => ConditionKind::Expired,
            _ => ConditionKind::Shadowed,
        };
        let mut row = self.row(&idle.app, idle.origin.as_ref());
        row.condition(kind, idle.why.to_string());
        row
    }
}

impl AppStatus {
    fn condition(&mut self, kind: ConditionKind, message: String) {
        self.conditions.push(AppCondition { kind, code: None, message });
    }

    fn held(&mut self, code: &str, message: String) {
        self.conditions.push(AppCondition { kind: ConditionKind::Held, code: Some(code.to_owned()), message });
    }

    fn dynamic(&mut self, labels: &DynamicLabels) {
        self.dynamic_labels = labels.values.clone();
        self.dynamic_label_problems = labels.problems.clone();
    }

    fn fill(&mut self, view: &View, shared_sessions: usize) {
        self.state = Some(view.state);
        self.reason = view.reason.clone();
        self.since = Some(view.since);
        self.era = view.profile.as_ref().map(|profile| profile.era.to_string());
        self.server = view.profile.as_ref().and_then(|profile| profile.server());
        self.sessions = view.sessions() + shared_sessions;
        self.restarts = view.restarts;
        self.next_attempt = view.next_attempt;
        self.last_exit = view.last_exit.clone();
        self.last_exit_at = view.last_exit_at;
        self.last_lines = view.last_lines.clone();
        self.instances = view.instances.clone();
        self.tools = view
            .tools
            .as_ref()
            .map(|look| ToolsStatus { count: look.tools.len(), digest: look.tools.digest().short(12) });
        if let Some(change) = view.tools.as_ref().and_then(|look| look.change.as_ref()) {
            let text = format!("its definition has not changed, its tools have ({change})");
            self.condition(ConditionKind::ToolsChanged, text);
        }
        self.confinement = view.confinement.clone();
    }
}

fn source_status(view: &SourceView) -> SourceStatus {
    let snapshot = view.snapshot.as_ref();
    SourceStatus {
        name: view.name.clone(),
        kind: if view.git.is_some() { "git" } else { "directory" }.into(),
        location: view.location.clone(),
        watch: view.watch.to_string(),
        watch_problem: view.watch_problem.clone(),
        revision: snapshot.map(|snapshot| snapshot.revision.to_string()),
        last_read: view.last_read,
        files: snapshot.map_or(0, |snapshot| snapshot.files),
        resources: snapshot.map_or(0, |snapshot| snapshot.resources.len()),
        error: view.error.as_ref().map(|problem| SourceProblem {
            since: problem.since,
            code: problem.code.clone(),
            message: problem.message.clone(),
            next_attempt: problem.next_attempt,
        }),
        diagnostics: snapshot.map(|snapshot| snapshot.diagnostics.clone()).unwrap_or_default(),
        git: view.git.as_ref().map(git::status),
    }
}
