//! Launching processes the way the agent does, and looking at what they leave in /proc.

use super::missing;
use mcpfleet::instance::launch::{LaunchSpec, Launcher, Process, Program};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::unix::pipe,
};

/// The binary under test.
pub const MCPFLEET: &str = env!("CARGO_BIN_EXE_mcpfleet");

/// One of `examples/`, which are built along with the tests.
pub fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a test has a path");
    let path = tests.ancestors().nth(2).expect("tests are in target/PROFILE/deps").join("examples").join(name);
    assert!(path.exists(), "{} is missing: run all targets' tests, or `cargo build --examples`", path.display());
    path
}

/// A launcher with the binary under test as keeper, and a folder for private directories.
pub struct Stage {
    dir: TempDir,
    pub launcher: Launcher,
}

impl Stage {
    pub fn new() -> Stage {
        let dir = tempfile::Builder::new().permissions(mode(0o711)).tempdir().expect("a temporary folder");
        Stage { dir, launcher: Launcher::with_keeper(MCPFLEET) }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn runtime_dir(&self) -> PathBuf {
        self.path().join("run")
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
            redaction: Arc::default(),
            plan: Default::default(),
        }
    }

    pub async fn launch(&self, spec: LaunchSpec) -> Process {
        self.launcher.launch(spec).await.expect("the process starts")
    }

    /// A shell script as server.
    pub async fn shell(&self, script: &str) -> Process {
        self.launch(self.spec("sh", &["-c", script])).await
    }

    /// The fake server; all that it starts can be found with [`marked`] by its folder.
    pub fn fake_spec(&self, flags: &[&str]) -> LaunchSpec {
        let mut spec = self.spec(example("fake-mcp-server").to_str().expect("a readable path"), flags);
        spec.env.insert("MARK".into(), self.path().into());
        spec
    }

    pub async fn fake(&self, flags: &[&str]) -> FakeServer {
        FakeServer::over(self.launch(self.fake_spec(flags)).await)
    }

    /// A copy of a file at a place that every user can reach.
    pub fn copy(&self, file: &Path, to: &str) -> PathBuf {
        copy(file, self.path().join(to))
    }

    /// The processes that run with this stage's mark.
    pub fn marked(&self) -> Vec<u32> {
        let mark = self.path().to_str().expect("a readable path");
        marked(&format!("MARK={mark}"))
    }
}

/// A running fake server, spoken to without any ceremony.
pub struct FakeServer {
    pub process: Process,
    stdout: BufReader<pipe::Receiver>,
}

impl FakeServer {
    pub fn over(mut process: Process) -> FakeServer {
        // The pipe stays with the reader; nobody else wants it here.
        let (_, nothing) = pipe::pipe().expect("a pipe");
        let stdout = BufReader::new(std::mem::replace(&mut process.stdout, nothing));
        FakeServer { process, stdout }
    }

    /// Calls a tool and gives its text.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> String {
        self.send(tool, arguments).await;
        let mut line = String::new();
        self.stdout.read_line(&mut line).await.expect("readable output");
        let answer: Value = serde_json::from_str(&line).expect("an answer in JSON");
        answer.pointer("/result/content/0/text").and_then(Value::as_str).expect("a text").to_owned()
    }

    /// Calls a tool that gives no answer.
    pub async fn send(&mut self, tool: &str, arguments: Value) {
        let params = json!({"name": tool, "arguments": arguments});
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        self.process.stdin.write_all(format!("{request}\n").as_bytes()).await.expect("a server that reads");
    }

    /// The same for tools whose text is JSON.
    pub async fn look(&mut self, tool: &str) -> Value {
        serde_json::from_str(&self.call(tool, json!({})).await).expect("JSON")
    }
}

/// Copies a program so that it can be started at once.
pub fn copy(file: &Path, to: PathBuf) -> PathBuf {
    // By another process: a file that is open for writing anywhere cannot be executed.
    let copied = std::process::Command::new("cp").arg(file).arg(&to).status().expect("`cp` runs");
    assert!(copied.success());
    to
}

/// Whether the tests run as root, as in CI. Says so if not, because something is not tested then.
pub fn is_root(test: &str) -> bool {
    let root = nix::unistd::Uid::effective().is_root();
    if !root {
        missing(test, "it needs root");
    }
    root
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

/// The processes that have this variable in their environment.
pub fn marked(variable: &str) -> Vec<u32> {
    let has_it = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
    };
    all_processes().filter(has_it).collect()
}

pub fn all_processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("a readable /proc").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// State, parent and session of a process.
pub fn standing(pid: u32) -> Option<(char, u32, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split_ascii_whitespace();
    let (state, parent) = (fields.next()?.chars().next()?, fields.next()?.parse().ok()?);
    Some((state, parent, fields.nth(1)?.parse().ok()?))
}
