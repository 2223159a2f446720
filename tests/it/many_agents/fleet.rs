//! The repository, the agents, and Prometheus.

use super::network::{GIT, HUB, Network};
use crate::{
    git::servers::GitDaemon,
    lifecycle::world::World,
    metrics::server::{Prometheus, Rows},
    support::{Key, PATIENCE, Repo, eventually, policy, processes::MCPFLEET},
};
use mcpfleet::authorize::ObjectId;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::{Child, Command};

pub const SITES: [&str; 4] = ["berlin", "lima", "oslo", "quito"];

/// Where the repository is, which the agents have from the start.
const REPOSITORY: &str = "fleet.git";

pub struct Fleet<'n> {
    network: &'n Network,
    world: World,
    repo: Repo,
    alice: Key,
    root: ObjectId,
    head: Cell<ObjectId>,
    agents: Vec<Child>,
    prometheus: Prometheus,
    _daemon: GitDaemon,
}

impl<'n> Fleet<'n> {
    /// Starts everything, with one app for all sites and one for each.
    pub async fn start(network: &'n Network, program: PathBuf, agents: usize) -> Fleet<'n> {
        let world = World::new();
        let repo = Repo::at(&world.path(REPOSITORY));
        let alice = Key::new("alice");
        let root = repo.commit(&[], Some(&alice), &policy(&[("alice", &alice, &["admin"])]).changes(), "Start");
        let daemon = GitDaemon::at(GIT, &world.path(""));
        let targets: Vec<Value> = (0..agents)
            .map(|agent| json!({"targets": [format!("{}:7422", network.address(agent))], "labels": {"agent": format!("agent-{agent}")}}))
            .collect();
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/rules.yml");
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [rules],
            "scrape_configs": [{"job_name": "mcpfleet", "static_configs": targets}],
        });
        let prometheus = Prometheus::start(&program, &world.path("prometheus"), &config, &format!("{HUB}:9090")).await;
        let head = Cell::new(root);
        let mut fleet =
            Fleet { network, world, repo, alice, root, head, agents: Vec::new(), prometheus, _daemon: daemon };
        let apps = SITES.map(|site| fleet.app(&format!("at-{site}"), site, "first"));
        let apps: Vec<_> = apps.into_iter().chain([fleet.app("everywhere", "all", "first")]).collect();
        fleet.push(&apps);
        fleet.agents = (0..agents).map(|agent| fleet.run(agent)).collect();
        fleet
    }

    /// What was pushed last.
    pub fn head(&self) -> String {
        self.head.get().to_string()
    }

    /// Pushes another version of the app that is at all sites.
    pub fn push_everywhere(&self, version: &str) -> String {
        self.push(&[self.app("everywhere", "all", version)])
    }

    /// Pushes another version of the app of a site.
    pub fn push_at(&self, site: &str, version: &str) -> String {
        self.push(&[self.app(&format!("at-{site}"), site, version)])
    }

    fn push(&self, files: &[(String, String)]) -> String {
        let changes: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        let commit = self.repo.commit(&[self.head.get()], Some(&self.alice), &changes, "Change");
        self.repo.push(commit);
        self.head.set(commit);
        commit.to_string()
    }

    /// The file of an app whose server tells its version.
    fn app(&self, name: &str, site: &str, version: &str) -> (String, String) {
        let mut app = self.world.app(name, &[]);
        app["metadata"]["labels"] = json!({"site": site});
        app["spec"]["mcp"]["env"]["VERSION"] = json!(version);
        (format!("apps/{name}.yaml"), format!("{app:#}\n"))
    }

    fn folder(&self, agent: usize) -> PathBuf {
        self.world.path(&format!("agent-{agent}"))
    }

    /// Runs an agent on its host: its configuration, and a state that is its own.
    fn run(&self, agent: usize) -> Child {
        let folder = self.folder(agent);
        fs::create_dir_all(&folder).expect("a folder");
        let config = json!({
            "state_dir": "state",
            "control_socket": "control.sock",
            "sources": [{
                "name": "fleet",
                "git": {"url": format!("git://{GIT}/{REPOSITORY}"), "branch": "main", "interval": "2s", "timeout": "10s"},
                "authorization": {"root": {"commit": self.root.to_string()}},
            }],
            "app_service": {
                "resources": [{"labels": {"site": ["all", SITES[agent % SITES.len()]]}}],
                "default_host_user": "nobody",
            },
            "gateway": {"listen": "127.0.0.1:7420"},
            "admin_listen": format!("{}:7422", self.network.address(agent)),
        });
        fs::write(folder.join("agent.yaml"), format!("{config:#}\n")).expect("a file");
        let log = fs::File::options().create(true).append(true).open(folder.join("agent.log")).expect("a file");
        Command::new("ip")
            .args(["netns", "exec", &self.network.name(agent), MCPFLEET, "run", "-c", "agent.yaml"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("an agent that starts")
    }

    /// What a query gives now.
    pub async fn query(&self, query: &str) -> Rows {
        self.prometheus.query(query).await
    }

    pub async fn until<T>(&self, what: &str, query: &str, look: impl FnMut(&Rows) -> Option<T>) -> T {
        self.prometheus.until(what, query, look).await
    }

    /// Waits until these agents, and no others, have a revision in force.
    pub async fn all_at(&self, query: &str, revision: &str, agents: &[String]) {
        let mut expected = agents.to_vec();
        expected.sort();
        self.until(&format!("{} agents at {revision}", agents.len()), query, |rows| {
            let at = rows.iter().filter(|(labels, _)| labels.get("accepted").is_some_and(|at| at == revision));
            let mut at: Vec<_> = at.map(|(labels, _)| labels["agent"].clone()).collect();
            at.sort();
            (at == expected).then_some(())
        })
        .await;
    }

    /// The version that the server of all sites tells to a client on an agent's host.
    pub async fn version_served(&self, agent: usize) -> String {
        let said = eventually("an answer of the server", async || {
            self.cli(agent, &["mcp", "call", "everywhere", "env", "{}"]).await
        });
        let environment: Value = serde_json::from_str(&said.await).expect("the environment of the server, as JSON");
        environment["VERSION"].as_str().expect("a version").to_owned()
    }

    /// The commit that an agent has in force, as its own status says.
    pub async fn accepted(&self, agent: usize) -> String {
        let status = eventually("a status", async || self.cli(agent, &["status", "-o", "json"]).await).await;
        let status: Value = serde_json::from_str(&status).expect("JSON");
        status["sources"][0]["git"]["accepted"].as_str().expect("a commit").to_owned()
    }

    async fn cli(&self, agent: usize, arguments: &[&str]) -> Option<String> {
        let socket = self.folder(agent).join("control.sock");
        let output =
            Command::new(MCPFLEET).args(arguments).env("MCPFLEET_AGENT", socket).output().await.expect("it runs");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Stops an agent and takes its state away: what was there.
    pub async fn lose_state(&mut self, agent: usize) -> Vec<String> {
        stop(&mut self.agents[agent]).await;
        let state = self.folder(agent).join("state");
        let files = walkdir::WalkDir::new(&state).max_depth(3).sort_by_file_name().into_iter().flatten();
        let inside =
            |entry: &walkdir::DirEntry| entry.path().strip_prefix(&state).ok().map(|path| path.display().to_string());
        let found = files.filter(|entry| entry.depth() > 0).filter_map(|entry| inside(&entry));
        let found = found.filter(|path| !path.contains("mirror.git/")).collect();
        fs::remove_dir_all(&state).expect("a state that can be removed");
        found
    }

    pub async fn restart(&mut self, agent: usize) {
        self.agents[agent] = self.run(agent);
    }

    pub async fn stop(mut self) {
        for agent in &mut self.agents {
            signal(agent);
        }
        for agent in &mut self.agents {
            stop(agent).await;
        }
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for file in ["agent-0/agent.log", "agent-12/agent.log", "prometheus/prometheus.log"] {
                let log = fs::read_to_string(self.world.path(file)).unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                println!("--- {file}\n{}", lines[lines.len().saturating_sub(25)..].join("\n"));
            }
        }
    }
}

fn signal(agent: &Child) {
    if let Some(pid) = agent.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
}

async fn stop(agent: &mut Child) {
    signal(agent);
    let ended = tokio::time::timeout(PATIENCE, agent.wait()).await.expect("an agent that ends").expect("a child");
    assert_eq!(ended.code(), Some(0));
}
