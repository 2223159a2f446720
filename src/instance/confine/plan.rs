//! Decides how the limits and the sandbox of an app are kept on this host, or why the app may not run. Pure.

use crate::{
    resource::{
        Sandbox, Stdio,
        quantity::{format_cpu, format_size},
    },
    status::model::Confinement,
};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf};

/// What to do about what this host cannot enforce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// The app is not run.
    #[default]
    Strict,
    /// It is run with what there is, and the status says what is not in force.
    BestEffort,
}

/// The two kinds of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cgroup {
    V1,
    V2,
}

impl fmt::Display for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cgroup::V1 => "cgroup v1",
            Cgroup::V2 => "cgroup v2",
        })
    }
}

/// How a server can be given a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Namespace {
    /// The agent has the right to.
    Plain,
    /// Within a user namespace, in which anybody has the right to.
    User,
}

/// What a host has, or why it has not.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    pub memory: Result<Cgroup, String>,
    pub cpu: Result<Cgroup, String>,
    pub processes: Result<Cgroup, String>,
    /// The version of landlock's interface.
    pub landlock: Result<u32, String>,
    pub network: Result<Namespace, String>,
}

/// Bounds on a server and all that it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Bytes.
    pub memory: Option<u64>,
    /// Thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Threads count too.
    pub processes: Option<u64>,
}

/// What a server may use of the file system besides what every server needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
    /// The version of landlock to ask for.
    pub landlock: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// The host's.
    #[default]
    Host,
    Own(Namespace),
    /// The host's, without TCP, by this version of landlock.
    NoTcp(u32),
}

/// What is to be done to a server before it is started, and watched afterwards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// By cgroups.
    pub grouped: Bounds,
    /// By looking at it once in a while.
    pub watched: Bounds,
    /// As an rlimit, soft and hard.
    pub open_files: Option<u64>,
    pub files: Option<Files>,
    pub network: Network,
    /// All of this in words, for the status.
    pub measures: Vec<Confinement>,
}

/// The oldest landlock that denies all writing: before, files could be truncated.
const LANDLOCK_WHOLE: u32 = 3;
/// The oldest landlock that knows of signals and abstract sockets.
const LANDLOCK_SCOPED: u32 = 6;
/// The oldest landlock that knows of Unix sockets with a path.
const LANDLOCK_SOCKETS: u32 = 9;
/// The oldest landlock that knows of TCP.
const LANDLOCK_TCP: u32 = 4;

/// How limits are kept without cgroups; see [`super::tally`].
const LOOK: &str = "a look each second";

/// A process whose bounds are to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub stdio: &'a Stdio,
    /// What is really run: the server's command, or that of a label.
    pub command: &'a str,
    /// Whether it will have the user ID of the agent. To such a process the agent's control socket is open, and it may
    /// send signals to the agent.
    pub as_agent: bool,
}

/// Decides.
///
/// # Errors
/// Why the app may not run, for people: what cannot be enforced under [`Enforcement::Strict`], and what would only seem
/// to be in any case.
pub fn decide(subject: Subject<'_>, offer: &Offer, enforcement: Enforcement) -> Result<Plan, String> {
    let Subject { stdio, command, as_agent } = subject;
    if let Some(wrong) = stdio.stops_at_client(command) {
        return Err(format!("{}; {}", wrong.message, wrong.help));
    }
    let mut plan = Plan::default();
    plan.limit(stdio, offer);
    if let Some(sandbox) = &stdio.sandbox {
        plan.sandbox_files(sandbox, offer, as_agent);
        if !sandbox.network {
            plan.cut_network(offer);
        }
    }
    let gaps: Vec<String> = plan.measures.iter().filter_map(gap).collect();
    if enforcement == Enforcement::Strict && !gaps.is_empty() {
        return Err(format!(
            "not enforceable on this host: {}; `app_service.enforcement: best_effort` runs it without",
            gaps.join("; ")
        ));
    }
    Ok(plan)
}

fn gap(measure: &Confinement) -> Option<String> {
    measure.gap.as_ref().map(|gap| format!("`{}` ({gap})", measure.what))
}

/// What a landlock of this version leaves open of what a sandbox promises. A server of another user than the agent's is
/// kept from the agent by that, and what else its user may reach is for whoever chooses the user.
fn open_in(version: u32, as_agent: bool) -> Option<String> {
    let truncates = (version < LANDLOCK_WHOLE).then_some("does not keep files from being truncated");
    let leaves = match version {
        _ if !as_agent => None,
        ..LANDLOCK_SCOPED => Some(
            "does not keep a server of the agent's own user from the agent's control socket, and from signals to the agent",
        ),
        LANDLOCK_SCOPED..LANDLOCK_SOCKETS => {
            Some("does not keep a server of the agent's own user from the agent's control socket")
        }
        LANDLOCK_SOCKETS.. => None,
    };
    let open: Vec<&str> = truncates.into_iter().chain(leaves).collect();
    (!open.is_empty()).then(|| format!("this kernel's landlock, version {version}, {}", open.join(", and ")))
}

impl Plan {
    fn limit(&mut self, stdio: &Stdio, offer: &Offer) {
        let limits = &stdio.limits;
        if let Some(bytes) = limits.memory {
            let what = format!("limits.memory: {}", format_size(bytes));
            match &offer.memory {
                Ok(group) => self.add(what, &group.to_string(), None).grouped.memory = Some(bytes),
                Err(why) => self.add(what, LOOK, Some(why)).watched.memory = Some(bytes),
            }
        }
        if let Some(millis) = limits.cpu_millis {
            let what = format!("limits.cpu: {}", format_cpu(millis));
            match &offer.cpu {
                Ok(group) => self.add(what, &group.to_string(), None).grouped.cpu_millis = Some(millis),
                Err(why) => self.lack(what, why),
            }
        }
        if let Some(number) = limits.processes {
            let what = format!("limits.processes: {number}");
            match &offer.processes {
                Ok(group) => self.add(what, &group.to_string(), None).grouped.processes = Some(number),
                Err(why) => self.add(what, LOOK, Some(why)).watched.processes = Some(number),
            }
        }
        if let Some(number) = limits.open_files {
            self.add(format!("limits.open_files: {number}"), "rlimit", None).open_files = Some(number);
        }
    }

    fn sandbox_files(&mut self, sandbox: &Sandbox, offer: &Offer, as_agent: bool) {
        let what = "sandbox: files".to_owned();
        match offer.landlock {
            Ok(version) => {
                let old = open_in(version, as_agent);
                let files = Files { read: sandbox.read.clone(), write: sandbox.write.clone(), landlock: version };
                self.add(what, "landlock", old.as_deref()).files = Some(files);
            }
            Err(ref why) => self.lack(what, why),
        }
    }

    fn cut_network(&mut self, offer: &Offer) {
        let what = "sandbox.network: false".to_owned();
        match (&offer.network, &offer.landlock) {
            (Ok(namespace), _) => {
                let by = match namespace {
                    Namespace::Plain => "a network namespace",
                    Namespace::User => "a network namespace in a user namespace",
                };
                self.add(what, by, None).network = Network::Own(*namespace);
            }
            (Err(why), Ok(version)) if *version >= LANDLOCK_TCP => {
                let gap = format!("TCP only, not UDP or other sockets: {why}");
                self.add(what, "landlock", Some(&gap)).network = Network::NoTcp(*version);
            }
            (Err(why), _) => self.lack(what, why),
        }
    }

    fn add(&mut self, what: String, by: &str, gap: Option<&str>) -> &mut Plan {
        self.measures.push(Confinement { what, by: Some(by.into()), gap: gap.map(Into::into) });
        self
    }

    fn lack(&mut self, what: String, why: &str) {
        self.measures.push(Confinement { what, by: None, gap: Some(why.into()) });
    }
}

#[cfg(test)]
mod tests;
