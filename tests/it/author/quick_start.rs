//! From an empty machine to a change that is live and one that is refused, as the README has it and as `init` says.

use super::world::{FOLDER, World};
use crate::support::{PATIENCE, eventually};
use mcpfleet::status::model::{AppState, Status};
use std::{fs, path::Path, process::Stdio};
use tokio::process::{Child, Command};

/// The blocks of commands in a section of the README.
fn readme(section: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let rest = text.split(&format!("\n## {section}\n")).nth(1).expect("the section");
    let section = rest.split("\n## ").next().unwrap_or_default();
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// An agent that was started by a line of a script.
struct Agent<'w> {
    world: &'w World,
    child: Child,
}

impl World {
    /// Runs commands in the home folder as somebody would type them. An agent among them gets ports and paths of its own.
    fn shell(&self, script: &str) -> Command {
        let own = format!(
            "mcpfleet run --set gateway.listen=127.0.0.1:0 --set state_dir={} --set control_socket={}",
            self.path("state").display(),
            self.path("control.sock").display(),
        );
        let programs = Path::new(env!("CARGO_BIN_EXE_mcpfleet")).parent().unwrap().display();
        let inherited = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command.arg("-ec").arg(script.replace("mcpfleet run", &format!("exec {own}")));
        command.env_clear().envs(self.home.environment()).current_dir(self.home.path()).kill_on_drop(true);
        command.env("PATH", format!("{programs}:{inherited}")).env("MCPFLEET_AGENT", self.path("control.sock"));
        command.env("GIT_CONFIG_NOSYSTEM", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self, script: &str) -> Agent<'_> {
        let log = fs::File::create(self.path("agent.log")).unwrap();
        let mut command = self.shell(script);
        command.stdout(Stdio::from(log.try_clone().unwrap())).stderr(Stdio::from(log));
        Agent { world: self, child: command.spawn().expect("a shell") }
    }

    async fn type_in(&self, script: &str) -> String {
        let answer = self.run(self.shell(script), "").await;
        answer.good()
    }
}

impl Agent<'_> {
    /// The status, once it is as wanted.
    async fn until(&mut self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        let world = self.world;
        eventually(what, async || {
            let log = || fs::read_to_string(world.path("agent.log")).unwrap_or_default();
            if let Some(ended) = self.child.try_wait().unwrap() {
                panic!("the agent has ended: {ended}\n{}", log());
            }
            let mut command = world.home.mcpfleet(["status", "-o", "json"]);
            let asked = command.env("MCPFLEET_AGENT", world.path("control.sock")).output().await.unwrap();
            serde_json::from_slice(&asked.stdout).ok().filter(|status| holds(status))
        })
        .await
    }

    async fn stop(mut self) {
        let pid = i32::try_from(self.child.id().expect("the agent runs")).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("the agent stops").unwrap();
        assert_eq!(ended.code(), Some(0));
    }
}

fn ready(status: &Status) -> Vec<&str> {
    let ready = status.apps.iter().filter(|app| app.state == Some(AppState::Ready));
    ready.map(|app| app.name.as_str()).collect()
}

fn refused(status: &Status) -> Vec<String> {
    let git = status.sources.iter().filter_map(|source| source.git.as_ref());
    git.flat_map(|git| &git.refused).filter_map(|refused| refused.code.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_is_true() {
    let world = World::empty();
    let blocks = readme("Quick start with git");
    let [first, second] = blocks.as_slice() else { panic!("{blocks:#?}") };
    let mut agent = world.start(first);
    agent.until("the demo server runs", |status| ready(status) == ["demo"]).await;

    let said = world.type_in(second).await;
    assert!(said.contains("created app/second in apps/second.yaml\npushed commit "), "{said}");
    let status = agent.until("the refusal", |status| !refused(status).is_empty()).await;
    assert_eq!(refused(&status), ["unsigned"]);
    let status = agent.until("both run", |status| ready(status) == ["demo", "second"]).await;
    let second = status.apps.iter().find(|app| app.name == "second").expect("it is there");
    let created = world.git(&["rev-parse", "HEAD~1"]).await;
    assert_eq!(second.revision.as_deref(), Some(&*created));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_init_says_to_do_next_works() {
    let world = World::empty();
    let said = world.run(world.home.mcpfleet(["init", FOLDER]), "").await.good();
    let next = said.lines().skip_while(|line| *line != "Next:").nth(1).expect("a command");
    let mut agent = world.start(next);
    agent.until("the demo server runs", |status| ready(status) == ["demo"]).await;

    // Without a remote, what is committed is what is pushed elsewhere.
    world.type_in(&format!("cd {FOLDER}; sed 's/name: demo/name: second/' apps/demo.yaml | mcpfleet create -")).await;
    agent.until("both run", |status| ready(status) == ["demo", "second"]).await;
    world.type_in(&format!("mcpfleet rm app/demo --repo {FOLDER}")).await;
    agent.until("one runs", |status| ready(status) == ["second"]).await;
    agent.stop().await;
}
