//! A folder of resources, and the real agent on it, seen through its status.

use crate::support::{
    Home, PATIENCE, eventually,
    processes::{MCPFLEET, example, exists, mode, standing},
};
use mcpfleet::{
    client::{api::AgentClient, endpoint::Endpoint, http::HttpClient, mcp::McpClient},
    status::model::{AgentState, AppState, AppStatus, ConditionKind, Status},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// How fast a change to a file has to be in force. The aim is a second; the machine that tests may be busy.
pub const SOON: Duration = Duration::from_secs(5);

/// What is there before an agent runs and after: its home, its resources, a server.
pub struct World {
    home: Home,
}

impl World {
    pub fn new() -> World {
        let home = Home::new();
        // Under an agent that is root servers run as another user, who has to get here.
        fs::set_permissions(home.path(), mode(0o755)).unwrap();
        fs::create_dir(home.path().join("fleet")).unwrap();
        let world = World { home };
        world.copy(&example("fake-mcp-server"), "fake");
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A file of the folder that the agent follows.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path("fleet").join(name)
    }

    /// Copies a program to where every user can run it.
    pub fn copy(&self, program: &Path, name: &str) -> PathBuf {
        let copy = self.path(name);
        // By another process: a file that is open for writing anywhere cannot be executed.
        let copied = std::process::Command::new("cp").arg(program).arg(&copy).status().unwrap();
        assert!(copied.success());
        copy
    }

    /// An app that runs the fake server, marked with [`World::mark`].
    pub fn app(&self, name: &str, flags: &[&str]) -> Value {
        let mcp = json!({"command": self.path("fake"), "args": flags, "env": {"MARK": self.home.path()}});
        json!({"kind": "app", "version": "v3", "metadata": {"name": name}, "spec": {"mcp": mcp}})
    }

    /// What all that an app's server starts has in its environment.
    pub fn mark(&self) -> String {
        format!("MARK={}", self.home.path().display())
    }

    pub fn put(&self, file: &str, app: &Value) {
        self.write(file, format!("{app:#}\n"));
    }

    pub fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let file = self.file(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub fn remove(&self, file: &str) {
        fs::remove_file(self.file(file)).unwrap();
    }

    pub fn control_socket(&self) -> PathBuf {
        self.path("control.sock")
    }

    /// `mcpfleet run` with what keeps it from touching anything outside of this world.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(MCPFLEET), arguments)
    }

    /// The same with a copy of the binary.
    pub fn command_of(&self, binary: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(self.home.environment())
            .current_dir(self.home.path())
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .arg("run")
            .args(arguments)
            .args(["--set", &format!("state_dir={}", self.path("state").display())])
            .args(["--set", &format!("control_socket={}", self.control_socket().display())]);
        command
    }

    /// Runs an agent on the folder.
    pub fn run(&self) -> Agent<'_> {
        self.run_with(&["fleet", "--set", "gateway.listen=127.0.0.1:0"])
    }

    /// Runs an agent on the folder with a configuration to which the folder is added as a source.
    pub fn run_configured(&self, config: &Value) -> Agent<'_> {
        self.run_with(&["-c", &self.configure(config), "--set", "gateway.listen=127.0.0.1:0"])
    }

    /// Writes such a configuration.
    pub fn configure(&self, config: &Value) -> String {
        let mut config = config.clone();
        config["sources"] = json!([{"name": "local", "directory": {"path": self.path("fleet")}}]);
        self.write_config(config)
    }

    /// Writes a configuration by which everything of these sources runs.
    pub fn configure_sources(&self, sources: &[Value]) -> String {
        let service = json!({"enabled": true, "resources": [{"labels": {"*": "*"}}]});
        self.write_config(json!({"sources": sources, "app_service": service, "gateway": {"auth": "open"}}))
    }

    fn write_config(&self, mut config: Value) -> String {
        if nix::unistd::geteuid().is_root() {
            config["app_service"]["default_host_user"] = json!("nobody");
        }
        fs::write(self.path("agent.yaml"), format!("{config:#}\n")).unwrap();
        self.path("agent.yaml").to_str().unwrap().to_owned()
    }

    pub fn run_with(&self, arguments: &[&str]) -> Agent<'_> {
        self.spawn(self.command(arguments))
    }

    pub fn spawn(&self, mut command: Command) -> Agent<'_> {
        let open = |name| fs::File::options().create(true).append(true).open(self.path(name)).unwrap();
        command.stdout(Stdio::from(open("agent.out"))).stderr(Stdio::from(open("agent.log")));
        let child = command.spawn().expect("the agent starts");
        let http = HttpClient::new(vec![Endpoint::Unix(self.control_socket())], None);
        Agent { world: self, child, client: AgentClient::new(http) }
    }

    /// Runs an agent that ends by itself: its exit code and its stderr.
    pub async fn refused(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let ended = timeout(PATIENCE, self.command(arguments).output()).await.expect("an agent that ends").unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    }

    /// What the agents of this world have written to stderr and stdout.
    pub fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.path(name)).unwrap_or_default();
        read("agent.log") + &read("agent.out")
    }
}

/// A running agent. Killed when dropped.
pub struct Agent<'w> {
    world: &'w World,
    child: Child,
    pub client: AgentClient,
}

impl Agent<'_> {
    pub async fn status(&mut self) -> Option<Status> {
        if let Some(ended) = self.child.try_wait().unwrap() {
            panic!("the agent has ended: {ended}\n{}", self.world.log());
        }
        self.client.status().await.ok()
    }

    /// Looks at the status until there is something to see.
    pub async fn until<T>(&mut self, what: &str, mut look: impl FnMut(&Status) -> Option<T>) -> T {
        eventually(what, async || look(&self.status().await?)).await
    }

    /// The same, for what a change to a file brings about: within [`SOON`].
    pub async fn soon<T>(&mut self, what: &str, look: impl FnMut(&Status) -> Option<T>) -> T {
        let started = Instant::now();
        let seen = self.until(what, look).await;
        let took = started.elapsed();
        println!("{what}: {} ms", took.as_millis());
        assert!(took < SOON, "{what}: took {took:?}");
        seen
    }

    pub async fn ready(&mut self) -> Status {
        self.until("an agent that is ready", |status| (status.agent.state == AgentState::Ready).then(|| status.clone()))
            .await
    }

    /// An app once it is as it should be.
    pub async fn app(&mut self, name: &str, what: &str, is_so: impl Fn(&AppStatus) -> bool) -> AppStatus {
        self.until(&format!("{name}: {what}"), |status| app(status, name).filter(|app| is_so(app)).cloned()).await
    }

    /// The process of an app that is ready and has no other.
    pub async fn pid(&mut self, name: &str) -> u32 {
        let app = self.app(name, "ready with one process", |app| only_pid(app).is_some()).await;
        only_pid(&app).unwrap()
    }

    /// Waits until the agent has looked at its sources again and has done what follows.
    pub async fn look_again(&mut self) {
        let reads = |status: &Status| status.sources.iter().map(|source| source.last_read).collect::<Vec<_>>();
        let before = self.until("a status", |status| Some(reads(status))).await;
        self.client.reconcile(false).await.unwrap();
        self.until("another look", |status| (reads(status) != before).then_some(())).await;
    }

    /// Calls a tool of an app.
    pub async fn call(&self, app: &str, tool: &str, arguments: Value) -> Result<String, String> {
        let client = McpClient::connect(self.client.clone(), app).await.map_err(|error| error.to_string())?;
        let result = client.call_tool(tool, &arguments, &mut |_| {}).await.map_err(|error| error.to_string())?;
        let result: Value = serde_json::from_str(result.get()).unwrap();
        Ok(result["content"][0]["text"].as_str().unwrap_or_default().to_owned())
    }

    /// Runs a command that talks to this agent.
    pub async fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = self.world.home.mcpfleet(arguments);
        command.env("MCPFLEET_AGENT", self.world.control_socket()).output().await.unwrap()
    }

    /// What a command that talks to this agent prints.
    pub async fn says(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}\n{}", self.world.log());
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn control_socket(&self) -> PathBuf {
        self.world.control_socket()
    }

    pub fn id(&self) -> u32 {
        self.child.id().expect("the agent runs")
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.id()).unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("the agent ends").unwrap()
    }

    /// Stops it as an operator does.
    pub async fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        let ended = self.ended().await;
        assert_eq!(ended.code(), Some(0), "{}", self.world.log());
    }
}

pub fn app<'s>(status: &'s Status, name: &str) -> Option<&'s AppStatus> {
    status.apps.iter().find(|app| app.name == name)
}

/// The process of an app that is ready and has no other.
pub fn only_pid(app: &AppStatus) -> Option<u32> {
    match &*app.instances {
        [only] if app.state == Some(AppState::Ready) && !only.draining => only.pid,
        _ => None,
    }
}

/// The message of a condition that an app has.
pub fn condition(app: &AppStatus, kind: ConditionKind) -> Option<&str> {
    app.conditions.iter().find(|condition| condition.kind == kind).map(|condition| &*condition.message)
}

/// Whether a process runs; a zombie does not.
pub fn runs(pid: u32) -> bool {
    exists(pid) && standing(pid).is_some_and(|(state, ..)| state != 'Z')
}

/// Waits until a process is gone.
pub async fn gone(pid: u32) {
    eventually(&format!("process {pid} gone"), async || (!runs(pid)).then_some(())).await;
}
