//! What all supervisors of an agent share: the host's settings, the launcher, the bound on starts.

use super::{
    confine::plan::{self, Enforcement, Subject},
    environment::{Ambient, environment},
    grant::{Grant, granted},
    journal::Journal,
    launch::{HostUser, LaunchSpec, Launcher, Program, Start},
    orphans::containers,
    redact::Redaction,
    remote::{self, HostPattern, Trust},
    secrets::{SecretSettings, Secrets},
    tools::ToolBook,
    user::{self, UserSettings},
};
use crate::resource::{App, EnvValue, Selector, Server, Stdio};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::Semaphore;

/// How this agent runs servers.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// Private working directories are made below it.
    pub runtime_dir: PathBuf,
    /// What is known of the tools of servers is kept in it.
    pub tools_dir: PathBuf,
    /// For apps that name no host user, under a root agent.
    pub default_host_user: Option<String>,
    pub allow_root: bool,
    /// Which apps may name which host user. `None`: any may name any.
    pub host_users: Option<BTreeMap<String, Selector>>,
    /// The agent's own PATH, LANG and TZ.
    pub ambient: BTreeMap<String, OsString>,
    /// The agent's variables that apps may take over.
    pub allowed: BTreeMap<String, Option<OsString>>,
    /// How many servers may be starting at a time.
    pub parallel_starts: usize,
    /// For apps that do not say how long their sessions may stay on an old version.
    pub drain_timeout: Duration,
    pub secrets: SecretSettings,
    /// What to do about limits and sandboxes that cannot be had here.
    pub enforcement: Enforcement,
    /// Where remote servers may be. `None`: anywhere.
    pub remote_hosts: Option<Vec<HostPattern>>,
}

impl HostSettings {
    /// What of this decides whether an app may start.
    pub fn grant(&self) -> Grant {
        Grant {
            host_users: self.host_users.clone(),
            allow_root: self.allow_root,
            secrets: self.secrets.granted.clone(),
            remote_hosts: self.remote_hosts.clone(),
            from_agent: self.allowed.keys().cloned().collect(),
        }
    }
}

#[derive(Debug)]
pub struct Host {
    pub settings: HostSettings,
    pub launcher: Launcher,
    pub starts: Arc<Semaphore>,
    /// The tools that each app had at first.
    pub tools: ToolBook,
    pub secrets: Arc<Secrets>,
    /// Held while a command of a dynamic label runs.
    pub label_commands: Arc<Semaphore>,
    /// Whose certificates remote servers may have.
    trust: Trust,
    agent: HostUser,
    next_instance: AtomicU64,
    /// What happens to the servers, and to the agent as a whole.
    pub journal: Journal,
}

/// The command that means this very binary, wherever it lies.
const OWN_COMMAND: &str = "mcpfleet";

/// How many commands of dynamic labels run at a time, over all apps. They are to cost little, and nobody waits for them.
const LABEL_COMMANDS: usize = 4;

/// How long it may take to find out what a process needs. User databases and secrets may be on a network.
const PREPARE_WITHIN: Duration = Duration::from_secs(10);

/// Why a process cannot be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unprepared {
    /// For people.
    pub reason: String,
    /// It will be the same again until somebody changes something.
    pub lasting: bool,
}

impl Host {
    pub fn new(settings: HostSettings, launcher: Launcher, agent: HostUser) -> Arc<Self> {
        let starts = Arc::new(Semaphore::new(settings.parallel_starts.max(1)));
        let tools = ToolBook::new(&settings.tools_dir);
        let secrets = Secrets::new(settings.secrets.clone());
        let label_commands = Arc::new(Semaphore::new(LABEL_COMMANDS));
        let journal = Journal::default();
        let next_instance = AtomicU64::new(1);
        Arc::new(Host {
            settings,
            launcher,
            starts,
            tools,
            secrets,
            label_commands,
            trust: Trust::default(),
            agent,
            next_instance,
            journal,
        })
    }

    /// Everything that is needed to start a server of an app, or why it cannot be.
    pub async fn prepare(self: &Arc<Self>, app: &Arc<App>) -> Result<Start, Unprepared> {
        self.prepare_with(app, |host, app| match &app.spec.server {
            Server::Stdio(stdio) => {
                host.process(app, stdio, Purpose::Server).map(|spec| Start::Process(Box::new(spec)))
            }
            Server::Remote(remote) => {
                let (secrets, hosts) = (host.secrets.values(app), host.settings.remote_hosts.as_deref());
                let permitted = remote::Permitted { hosts, secrets: &secrets, trust: &host.trust };
                let spec = remote::prepare(app, remote, host.instance(app), &permitted)?;
                Ok(Start::Remote(Box::new(spec)))
            }
        })
        .await
    }

    /// The same for a command whose output is a label: whatever holds for the server's process holds for it, but it gets
    /// none of the app's secrets. Of an app whose server is elsewhere it is run as one that says nothing of a process.
    pub async fn prepare_label(
        self: &Arc<Self>,
        app: &Arc<App>,
        command: Vec<String>,
    ) -> Result<LaunchSpec, Unprepared> {
        self.prepare_with(app, |host, app| match app.stdio() {
            Some(stdio) => host.process(app, stdio, Purpose::Label(command)),
            None => host.process(app, &Stdio::of(String::new(), Vec::new()), Purpose::Label(command)),
        })
        .await
    }

    async fn prepare_with<T: Send + 'static>(
        self: &Arc<Self>,
        app: &Arc<App>,
        prepare: impl FnOnce(&Host, &App) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Unprepared> {
        let (host, app) = (self.clone(), app.clone());
        let prepared = async {
            let turn = self.secrets.turn_to_read(&app).await;
            // Asks the host's user database, and reads secrets.
            let prepare = move || {
                let prepared = prepare(&host, &app);
                drop(turn);
                prepared
            };
            tokio::task::spawn_blocking(prepare).await
        };
        match tokio::time::timeout(PREPARE_WITHIN, prepared).await {
            Ok(Ok(prepared)) => prepared.map_err(|reason| Unprepared { reason, lasting: true }),
            Ok(Err(error)) => Err(Unprepared { reason: format!("internal error: {error}"), lasting: true }),
            Err(_) => {
                let dir = self.settings.secrets.dir.display();
                let reason = format!("the user database or the folder of the secrets, {dir}, does not answer");
                Err(Unprepared { reason, lasting: false })
            }
        }
    }

    /// A name that no other instance has.
    fn instance(&self, app: &App) -> String {
        format!("{}-{}", app.metadata.name, self.next_instance.fetch_add(1, Relaxed))
    }

    fn process(&self, app: &App, stdio: &Stdio, purpose: Purpose) -> Result<LaunchSpec, String> {
        let settings = UserSettings {
            default_host_user: self.settings.default_host_user.clone(),
            allow_root: self.settings.allow_root,
            granted: granted(&self.settings.host_users, app),
        };
        let run_as = user::resolve(stdio.run_as_host_user.as_deref(), &self.agent, &settings)?;
        let (command, args, declared, secrets) = match purpose {
            Purpose::Server => (stdio.command.clone(), stdio.args.clone(), stdio.env.clone(), self.secrets.values(app)),
            Purpose::Label(command) => {
                let mut words = command.into_iter();
                (words.next().unwrap_or_default(), words.collect(), without_secrets(stdio), BTreeMap::new())
            }
        };
        let (agent, allowed) = (&self.settings.ambient, &self.settings.allowed);
        let ambient = Ambient { run_as: &run_as, agent, allowed, secrets: &secrets };
        let mut env = environment(&ambient, &declared).map_err(|e| e.to_string())?;
        let no_network = stdio.sandbox.as_ref().is_some_and(|sandbox| !sandbox.network);
        let subject = Subject { stdio, command: &command, as_agent: run_as.user.uid == self.agent.uid };
        let plan = plan::decide(subject, &self.launcher.offer(no_network), self.settings.enforcement)?;
        if plan.files.is_some() {
            // Both are out of reach: the server gets its private directory instead.
            for variable in ["HOME", "TMPDIR"].into_iter().filter(|name| !declared.contains_key(*name)) {
                env.remove(variable);
            }
        }
        let program = if command == OWN_COMMAND { Program::OwnBinary } else { Program::Named(command) };
        let spec = LaunchSpec {
            app: app.metadata.name.clone(),
            instance: self.instance(app),
            program,
            args,
            env,
            working_directory: stdio.working_directory.clone(),
            runtime_dir: self.settings.runtime_dir.clone(),
            user: run_as.switch.then_some(run_as.user),
            redaction: Arc::new(Redaction::new(secrets.values().flatten().map(|value| value.reveal()))),
            plan,
        };
        containers::check(&spec, |name| matches!(declared.get(name), Some(EnvValue::Secret(_))))?;
        Ok(spec)
    }
}

fn without_secrets(stdio: &Stdio) -> BTreeMap<String, EnvValue> {
    let plain = |value: &EnvValue| !matches!(value, EnvValue::Secret(_));
    stdio.env.iter().filter(|(_, value)| plain(value)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What a process is for.
enum Purpose {
    Server,
    /// A command whose output is a label.
    Label(Vec<String>),
}
