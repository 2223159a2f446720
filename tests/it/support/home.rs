//! A world of its own for the processes of one test.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};
use tempfile::TempDir;

/// A temporary home folder and a way to start the binary so that it sees nothing of the machine it runs on: no
/// inherited variables, no configuration, no agent of somebody else.
pub struct Home {
    dir: TempDir,
}

impl Home {
    pub fn new() -> Home {
        let dir = tempfile::tempdir().expect("a temporary folder");
        // Servers of an agent that runs as root run as somebody else, who must get into their folders.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        Home { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The variables that every process gets, and no others.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let home = self.path();
        vec![
            ("HOME", home.to_owned()),
            ("PATH", std::env::var_os("PATH").unwrap_or_default().into()),
            ("TMPDIR", home.to_owned()),
            ("XDG_CONFIG_HOME", home.join("config")),
            ("XDG_RUNTIME_DIR", home.join("run")),
            ("XDG_STATE_HOME", home.join("state")),
        ]
    }

    /// Git, to be started in the home folder.
    pub fn git<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> tokio::process::Command {
        let mut command = tokio::process::Command::new("git");
        command.args(arguments).env_clear().envs(self.environment()).current_dir(self.path()).kill_on_drop(true);
        command.env("GIT_CONFIG_NOSYSTEM", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The binary under test, to be started in the home folder.
    pub fn mcpfleet<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_mcpfleet"));
        command.args(arguments).env_clear().envs(self.environment()).current_dir(self.path()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}
