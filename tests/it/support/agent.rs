//! The real agent, on a folder and a port of its own.

use super::{
    Home, eventually,
    processes::{copy, example},
};
use serde_json::Value;
use std::{
    path::PathBuf,
    process::{Output, Stdio},
};
use tokio::process::{Child, Command};

const FAKE: &str = "fake-mcp-server";

/// The folder below home where the agent looks for programs first.
const PROGRAMS: &str = "bin";

/// A running agent. Killed when dropped, if it has not been stopped.
pub struct Agent {
    pub home: Home,
    child: Child,
    /// `127.0.0.1:PORT`.
    pub listen: String,
}

impl Agent {
    /// Runs an agent on a folder with these files.
    pub async fn start(files: &[(&str, &str)]) -> Agent {
        Agent::start_with(files, &[]).await
    }

    /// The same with these settings, each `PATH=VALUE`.
    pub async fn start_with(files: &[(&str, &str)], settings: &[&str]) -> Agent {
        Agent::start_in_with(Home::new(), files, settings).await
    }

    /// The same in a home that is there already.
    pub async fn start_in_with(home: Home, files: &[(&str, &str)], settings: &[&str]) -> Agent {
        for (name, text) in files {
            write(&home, name, text);
        }
        // As root, servers are other users', who may not get to where the examples are built.
        if files.iter().any(|(_, text)| text.contains(FAKE)) {
            let programs = home.path().join(PROGRAMS);
            std::fs::create_dir(&programs).unwrap();
            copy(&example(FAKE), programs.join(FAKE));
        }
        Agent::run(home, "127.0.0.1:0", settings).await
    }

    /// Runs an agent on the folder that is already in `home`.
    pub async fn start_in(home: Home, listen: &str) -> Agent {
        Agent::run(home, listen, &[]).await
    }

    async fn run(home: Home, listen: &str, settings: &[&str]) -> Agent {
        std::fs::create_dir_all(home.path().join("fleet")).unwrap();
        // What the agent and its servers say is kept for whoever looks at a failed test.
        let log = std::fs::File::create(home.path().join("agent.log")).unwrap();
        let inherited = std::env::var("PATH").unwrap_or_default();
        let child = home
            .mcpfleet(["run", "fleet"])
            .env("PATH", format!("{}:{inherited}", home.path().join(PROGRAMS).display()))
            .args(["--set", &format!("gateway.listen={listen}")])
            .args(["--set", &format!("state_dir={}", home.path().join("state/mcpfleet").display())])
            .args(["--set", &format!("control_socket={}", socket(&home).display())])
            .args(settings.iter().flat_map(|setting| ["--set", *setting]))
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("the agent starts");
        let mut agent = Agent { home, child, listen: String::new() };
        let status = agent.ready().await;
        let url = status["agent"]["gateway"].as_str().expect("the gateway's URL").to_owned();
        agent.listen = url.split_once("://").expect("a URL").1.to_owned();
        agent
    }

    /// The folder that the agent watches.
    pub fn folder(&self) -> PathBuf {
        self.home.path().join("fleet")
    }

    /// Writes a file into the folder that the agent watches.
    pub fn write(&self, name: &str, text: &str) {
        write(&self.home, name, text);
    }

    pub fn socket(&self) -> PathBuf {
        socket(&self.home)
    }

    /// Where clients reach an app.
    pub fn url(&self, app: &str) -> String {
        format!("http://{}/mcp/{app}", self.listen)
    }

    /// A command that talks to this agent by its control socket.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.mcpfleet(arguments);
        command.env("MCPFLEET_AGENT", self.socket());
        command
    }

    /// Runs a command that talks to this agent.
    pub async fn cli(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.expect("the command runs")
    }

    /// What a command prints, which must end well.
    pub async fn says(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}\n{}", self.log());
        String::from_utf8(output.stdout).unwrap()
    }

    /// The status, once there is nothing left to do.
    pub async fn ready(&mut self) -> Value {
        let socket = socket(&self.home);
        eventually("an agent that is ready", async || {
            if let Some(ended) = self.child.try_wait().unwrap() {
                panic!("the agent has ended: {ended}\n{}", log(&self.home));
            }
            // Asking before there is a socket would only make the log of a failed test longer.
            let asked =
                self.home.mcpfleet(["status", "-o", "json"]).env("MCPFLEET_AGENT", &socket).output().await.unwrap();
            let status: Value = serde_json::from_slice(&asked.stdout).ok()?;
            (status["agent"]["state"] == "Ready").then_some(status)
        })
        .await
    }

    /// What the agent has written.
    pub fn log(&self) -> String {
        log(&self.home)
    }

    /// Stops the agent as an operator does and gives back its world.
    pub async fn stop(mut self) -> Home {
        let pid = i32::try_from(self.child.id().expect("the agent runs")).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
        let ended = tokio::time::timeout(super::PATIENCE, self.child.wait()).await.expect("the agent stops").unwrap();
        assert_eq!(ended.code(), Some(0), "{}", self.log());
        self.home
    }
}

/// The file of an app that runs the demo server.
pub fn demo_app(name: &str) -> String {
    app(name, "mcpfleet", &["demo-server"])
}

/// The file of an app that runs the fake server of `examples/`.
pub fn fake_app(name: &str, flags: &[&str]) -> String {
    app(name, FAKE, flags)
}

fn app(name: &str, command: &str, args: &[&str]) -> String {
    format!(
        "kind: app\nversion: v3\nmetadata:\n  name: {name}\n  description: A playground\n  labels: {{env: dev, team: a}}\n\
         spec:\n  mcp: {{command: {command}, args: {args:?}}}\n"
    )
}

fn write(home: &Home, name: &str, text: &str) {
    let path = home.path().join("fleet").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn socket(home: &Home) -> PathBuf {
    home.path().join("control.sock")
}

fn log(home: &Home) -> String {
    std::fs::read_to_string(home.path().join("agent.log")).unwrap_or_default()
}
