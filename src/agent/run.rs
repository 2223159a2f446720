//! Starts the parts of an agent, waits for signals, and stops them in order.

use super::{
    controller::Controller,
    memory, open_files,
    policing::Policing,
    service::Service,
    signals::{Signals, Told},
    socket::{self, SocketError},
    suspension::Suspension,
};
use crate::{
    audit,
    gateway::{
        self, Access, Gateway, Guard, Limits, Listener,
        access::Policy,
        identity::{Identity, oidc::Issuer},
        limits::ConnectionLimits,
        tls::{self, Tls, TlsError},
    },
    instance::{
        confine::cgroup::Groups,
        fleet::Fleet,
        host::{Host, HostSettings},
        keeper,
        launch::Launcher,
        orphans::{self, Claim, ClaimError, containers},
        user,
    },
    measure::Durations,
    notify,
    reconcile::{PruneSettings, Selection},
    source,
    status::{
        self, Applied, Store,
        model::{
            audit::{Kind, Outcome, Record},
            plan::Basis,
        },
    },
    webhook::{self, Webhook},
};
use jiff::Timestamp;
use std::{collections::BTreeMap, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// Everything an agent needs to know, resolved from its configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    pub sources: Vec<source::Settings>,
    pub selection: Selection,
    pub prune: PruneSettings,
    /// The same and more, for those who ask what this agent would do.
    pub basis: Basis,
    pub host: HostSettings,
    pub listen: SocketAddr,
    /// Where clients find the gateway, if that is not where it listens.
    pub public_url: Option<String>,
    pub access: Access,
    /// Names by which the gateway may be called, besides loopback's and the public URL's.
    pub allowed_hosts: Vec<String>,
    /// Whose signed tokens are accepted.
    pub issuers: Vec<Issuer>,
    pub limits: Limits,
    pub connections: ConnectionLimits,
    /// Where the gateway's certificate is, if it speaks TLS.
    pub tls: Option<tls::Files>,
    pub audit: audit::Settings,
    pub webhooks: Option<Webhooks>,
    /// Where metrics and health are served without asking who wants them.
    pub admin_listen: Option<SocketAddr>,
    pub notifications: notify::Settings,
    pub control_socket: PathBuf,
    /// Where the agent keeps what it has to know after a restart; no other agent may have it.
    pub state_dir: PathBuf,
    /// How long open requests have when the agent stops.
    pub shutdown_timeout: Duration,
}

/// Webhooks, and where they are served.
#[derive(Clone, Debug)]
pub struct Webhooks {
    pub listen: SocketAddr,
    pub hooks: Vec<Webhook>,
}

/// Why an agent could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("cannot listen on {address}: {error}")]
    Listen { address: SocketAddr, error: io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Audit(#[from] audit::OpenError),
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error(transparent)]
    State(#[from] ClaimError),
    #[error("{what}: {error}")]
    Io { what: &'static str, error: io::Error },
    #[error("{0}")]
    Host(String),
    #[error("{0} ended unexpectedly")]
    Part(&'static str),
}

/// How often sessions that nobody uses are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// The longest that the first report waits for servers that are starting.
const REPORT_WITHIN: Duration = Duration::from_secs(10);

/// What to do where `gateway.auth` is `required` and the sources have no user who could come in.
const NOBODY: &str = "nobody can come in over TCP: no source has a user with a token, an OIDC subject or a host user. \
    `mcpfleet token create NAME` makes a token and shows what to commit. Until then only root and this agent's own user can \
    connect, by the control socket";

/// Runs an agent until it is told to stop. `report` is called once, when the first servers run or after a while.
pub async fn run(settings: Settings, report: impl FnOnce(&status::model::Status)) -> Result<(), AgentError> {
    memory::keep_private();
    let service = Service::from_environment();
    let mut signals = Signals::new().map_err(|error| AgentError::Io { what: "cannot listen for signals", error })?;
    let claim = Claim::take(&settings.state_dir)?;
    let tls = settings.tls.clone().map(Tls::open).transpose()?;
    let (socket, _socket_file) = socket::bind(&settings.control_socket).await?;
    let tcp = listen(settings.listen).await?;
    let webhooks = match settings.webhooks.clone() {
        Some(Webhooks { listen: address, hooks }) => Some((listen(address).await?, hooks)),
        None => None,
    };
    let admin = match settings.admin_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let address = tcp.local_addr().map_err(|error| AgentError::Listen { address: settings.listen, error })?;
    // The state directory is this agent's: what is found now is of no agent that lives.
    let launcher = Launcher::default().with_identity(claim.identity.clone()).with_open_files(open_files::raise());
    orphans::kill_processes(claim.identity.clone()).await;
    // After that: keepers of an earlier agent had time to finish, and what is left in their groups is left for good.
    let tag = claim.identity.agent.to_string();
    let groups = tokio::task::spawn_blocking(move || Groups::find(&tag)).await.unwrap_or_default();
    let launcher = launcher.with_groups(groups);
    // After that: to limit servers this must be alone in its group, without processes that ask engines.
    containers::clear(&launcher, &settings.host.runtime_dir).await;
    match keeper::sweep(&settings.host.runtime_dir) {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "removed working directories that an earlier agent left behind"),
        Err(error) => tracing::warn!(%error, "cannot look for what an earlier agent left behind"),
    }

    let suspension = Suspension::load(&settings.state_dir).map_err(|error| AgentError::Host(error.to_string()))?;
    let agent = user::current().map_err(AgentError::Host)?;
    let guard = Guard { access: settings.access, hosts: hosts(&settings), uid: agent.uid };
    let host = Host::new(settings.host.clone(), launcher, agent);
    let secrets = host.secrets.clone();
    // Nobody waits for it: the folder may be on a network that does not answer.
    let folder = secrets.clone();
    tokio::task::spawn_blocking(move || folder.warn_if_readable_by_all());
    let fleet = Fleet::new(host);
    let (notifying, notified) = notify::prepare(settings.notifications.clone(), fleet.journal());
    let (policy, in_force) = watch::channel(Arc::new(Policy::default()));
    let audit = audit::Log::open(&settings.audit)?;
    audit.record(Record {
        reason: Some(format!("mcpfleet {}, process {}", env!("CARGO_PKG_VERSION"), std::process::id())),
        ..Record::new(Kind::AgentStart, Outcome::Ok)
    });
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = settings.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
    let url = url.trim_end_matches('/').to_owned();
    let identity = Identity::new(url.clone(), settings.issuers.clone());
    let gateway = Gateway::new(fleet.clone(), settings.limits, guard, identity, in_force, audit.clone());

    // Two stops: the loop first, so that nothing is started any more, and the connections last, so that answers arrive.
    let (stop_loop, stop_connections) = (CancellationToken::new(), CancellationToken::new());
    let mut parts = JoinSet::new();
    let mut sources = Vec::new();
    let mut by_name = BTreeMap::new();
    for source in settings.sources {
        let name = source.name().to_owned();
        let (source, task) = source::spawn(source, stop_loop.clone());
        by_name.insert(name, source.trigger.clone());
        sources.push(source);
        parts.spawn(async move {
            let _ = task.await;
            "a source"
        });
    }
    let followed = sources.clone();
    let (published, applied) = watch::channel(Arc::new(Applied::default()));
    let (commands_sender, commands) = mpsc::channel(16);
    let rounds: Arc<Durations> = Arc::default();
    let (beats_sender, beats) = mpsc::channel(1);
    let controller = Controller {
        sources: sources.clone(),
        selection: settings.selection.clone(),
        prune: settings.prune.clone(),
        fleet: fleet.clone(),
        commands,
        beats,
        published,
        policing: Policing(policy),
        suspension,
        audit: audit.clone(),
        rounds: rounds.clone(),
    };
    let loop_token = stop_loop.clone();
    parts.spawn(async move {
        controller.run(loop_token).await;
        "the controller"
    });
    let hooks = settings.webhooks.as_ref().map(|webhooks| webhooks.hooks.as_slice()).unwrap_or_default();
    let calls = Arc::new(webhook::Calls::of(hooks));
    let store = Arc::new(Store {
        started: Timestamp::now(),
        url,
        sources,
        applied,
        gateway: gateway.clone(),
        tls: tls.clone(),
        configured: settings.basis,
        rounds,
        calls: calls.clone(),
        selection: settings.selection,
        prune: settings.prune,
        grant: Arc::new(settings.host.grant()),
        notifications: notified,
    });
    let mut notifying = notifying.start(&store, &stop_loop);
    service.attend(store.clone(), beats_sender, stop_loop.clone(), &mut parts);
    let router = gateway::router(gateway.clone(), status::api::router(store.clone(), commands_sender));
    let tcp = match tls.clone() {
        Some(tls) => Listener::Tls(tcp, tls),
        None => Listener::Tcp(tcp),
    };
    let connections = open_files::within(settings.connections);
    for listener in [tcp, Listener::Unix(socket)] {
        let serving = gateway::serve_within(listener, connections, router.clone(), stop_connections.clone());
        parts.spawn(async move {
            serving.await;
            "a listener"
        });
    }
    if let Some(tls) = tls {
        let watching = tls.watch(fleet.journal().clone(), stop_loop.clone());
        parts.spawn(async move {
            watching.await;
            "the watch on the certificate"
        });
    }
    let watching = secrets.watch(stop_loop.clone());
    parts.spawn(async move {
        watching.await;
        "the watch on the secrets"
    });
    if let Some((listener, hooks)) = webhooks {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "webhooks are served");
        }
        let router = webhook::router(hooks, &by_name, calls, &stop_loop);
        let serving = gateway::serve(Listener::Tcp(listener), router, stop_loop.clone());
        parts.spawn(async move {
            serving.await;
            "the webhooks"
        });
    }
    if let Some(listener) = admin {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "metrics and health are served to whoever can reach this");
        }
        let router = status::metrics::admin_router(store.clone());
        // Until the last answer: whoever watches the agent is to see it drain.
        let limits = status::metrics::ADMIN_CONNECTIONS;
        let serving = gateway::serve_within(Listener::Tcp(listener), limits, router, stop_connections.clone());
        parts.spawn(async move {
            serving.await;
            "the listener for metrics and health"
        });
    }
    let (sweeping, sweep_token) = (gateway.clone(), stop_connections.clone());
    parts.spawn(async move {
        let mut interval = tokio::time::interval(SWEEP);
        while sweep_token.run_until_cancelled(interval.tick()).await.is_some() {
            sweeping.sweep();
        }
        "the sweeper"
    });
    let giving_back = memory::give_back(stop_connections.clone());
    parts.spawn(async move {
        giving_back.await;
        "what gives memory back"
    });

    let mut report = Some(report);
    let settled = tokio::time::timeout(REPORT_WITHIN, fleet.settled());
    tokio::pin!(settled);
    let failure = loop {
        tokio::select! {
            // Not for ever: a server may take its time.
            _ = &mut settled, if report.is_some() => if let Some(report) = report.take() {
                report(&store.status());
                service.ready();
                if settings.access == Access::Required && gateway.policy.borrow().users() == 0 {
                    tracing::warn!("{NOBODY}");
                }
            },
            signal = signals.next() => match signal {
                Told::Look => {
                    followed.iter().for_each(|source| source.trigger.fire());
                    // One that has not started cannot reload, and would be taken for started.
                    if report.is_none() {
                        service.reload(&followed);
                    }
                }
                Told::Stop(name) => {
                    tracing::info!(signal = name, "stopping; a second signal forces");
                    break None;
                }
            },
            Some(_) = notifying.join_next() => break Some(AgentError::Part("the notifications")),
            Some(part) = parts.join_next() => break Some(AgentError::Part(part.unwrap_or("a part of the agent"))),
        }
    };
    service.stopping();
    stop_loop.cancel();
    fleet.stop_all(settings.shutdown_timeout);
    tokio::select! {
        () = fleet.stopped() => {}
        forced = forced(&mut signals, settings.shutdown_timeout) => {
            tracing::warn!("{forced}: what still runs is killed");
            fleet.kill_all();
            fleet.stopped().await;
        }
    }
    stop_connections.cancel();
    // Whoever still holds a connection open then has nothing to wait for.
    let _ = tokio::time::timeout(Duration::from_secs(1), async { while parts.join_next().await.is_some() {} }).await;
    // Those began to end when the servers did.
    notify::flushed(notifying).await;
    gateway.sessions.farewell();
    audit.record(Record::new(Kind::AgentStop, Outcome::Ok));
    // Blocks, with nothing else left to do.
    audit.close();
    failure.map_or(Ok(()), Err)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, AgentError> {
    TcpListener::bind(address).await.map_err(|error| AgentError::Listen { address, error })
}

/// Waits for a reason not to wait any longer for an orderly end.
async fn forced(signals: &mut Signals, limit: Duration) -> &'static str {
    tokio::select! {
        () = signals.stop() => "a second signal",
        () = tokio::time::sleep(limit) => "shutdown_timeout is over",
    }
}

/// The hosts that the configuration names.
fn hosts(settings: &Settings) -> Vec<String> {
    let public = settings.public_url.as_deref().and_then(|url| {
        let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
        let end = authority.rfind(':').filter(|_| !authority.ends_with(']')).unwrap_or(authority.len());
        authority.get(..end).map(str::to_lowercase)
    });
    settings.allowed_hosts.iter().map(|host| host.to_lowercase()).chain(public).collect()
}
