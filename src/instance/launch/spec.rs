//! What is to be started.

use super::super::{confine::plan::Plan, redact::Redaction};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ffi::OsString, fmt, path::PathBuf, sync::Arc};

/// A process to start: everything has been decided and looked up.
#[derive(Clone)]
pub struct LaunchSpec {
    /// For the process list.
    pub app: String,
    /// Unique in the life of the agent; names the private working directory.
    pub instance: String,
    pub program: Program,
    pub args: Vec<String>,
    /// The whole environment; nothing of the agent's own is passed on. Only `HOME` is added, as the private working
    /// directory, where there is one and `env` names no other.
    pub env: BTreeMap<String, OsString>,
    /// `None`: a private empty directory below `runtime_dir`, removed after the end.
    pub working_directory: Option<PathBuf>,
    /// Below which private directories are made; belongs to the agent.
    pub runtime_dir: PathBuf,
    /// `None`: the agent's own user.
    pub user: Option<HostUser>,
    /// What must not be seen of what the server writes.
    pub redaction: Arc<Redaction>,
    /// What it may use. With [`Plan::files`] there is a private directory also beside a working directory that is
    /// given, and `TMPDIR` is added like `HOME`.
    pub plan: Plan,
}

/// Without the values of `env`, which may be secrets.
impl fmt::Debug for LaunchSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchSpec")
            .field("app", &self.app)
            .field("instance", &self.instance)
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &self.env.keys())
            .field("working_directory", &self.working_directory)
            .field("runtime_dir", &self.runtime_dir)
            .field("user", &self.user)
            .field("plan", &self.plan)
            .finish()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// Looked up in the PATH of `env`, or a path.
    Named(String),
    /// This very binary, run from an open descriptor: its path may be unreadable to the user it runs as.
    OwnBinary,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Program::Named(name) => name,
            Program::OwnBinary => "mcpfleet",
        })
    }
}

/// A user of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostUser {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// All groups, `gid` among them or not.
    pub groups: Vec<u32>,
    pub home: PathBuf,
    pub shell: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_value_of_the_environment() {
        let spec = LaunchSpec {
            app: "a".into(),
            instance: "a-1".into(),
            program: Program::Named("x".into()),
            args: vec![],
            env: BTreeMap::from([("TOKEN".into(), "hush".into())]),
            working_directory: None,
            runtime_dir: "/run/mcpfleet".into(),
            user: None,
            redaction: Arc::default(),
            plan: Plan::default(),
        };
        let shown = format!("{spec:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hush"), "{shown}");
    }
}
