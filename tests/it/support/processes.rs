//! Launching processes the way the agent does, and looking at what they leave in /proc.

use mcpfleet::instance::launch::{LaunchSpec, Launcher, Process, Program};
use std::{collections::BTreeMap, ffi::OsString, fs, path::PathBuf};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

/// A launcher with the binary under test as keeper, and a folder for private directories.
pub struct Stage {
    dir: TempDir,
    pub launcher: Launcher,
}

impl Stage {
    pub fn new() -> Stage {
        let dir = tempfile::Builder::new().permissions(mode(0o711)).tempdir().expect("a temporary folder");
        Stage { dir, launcher: Launcher::with_keeper(env!("CARGO_BIN_EXE_mcpfleet")) }
    }

    pub fn runtime_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    pub fn path(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub fn spec(&self, program: &str, args: &[&str]) -> LaunchSpec {
        LaunchSpec {
            app: "test".into(),
            instance: "test-1".into(),
            program: Program::Named(program.into()),
            args: args.iter().map(ToString::to_string).collect(),
            env: BTreeMap::from([("PATH".into(), OsString::from("/usr/local/bin:/usr/bin:/bin"))]),
            working_directory: None,
            runtime_dir: self.runtime_dir(),
            user: None,
        }
    }

    /// A shell script as server.
    pub async fn shell(&self, script: &str) -> Process {
        self.launch(self.spec("sh", &["-c", script])).await
    }

    pub async fn launch(&self, spec: LaunchSpec) -> Process {
        self.launcher.launch(spec).await.expect("the process starts")
    }
}

pub fn mode(bits: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(bits)
}

/// All that the server writes until it closes its stdout.
pub async fn output(process: &mut Process) -> String {
    let mut text = String::new();
    process.stdout.read_to_string(&mut text).await.expect("readable output");
    text
}

/// Whether there is such a process; a zombie is one.
pub fn exists(pid: u32) -> bool {
    fs::exists(format!("/proc/{pid}")).expect("a readable /proc")
}
