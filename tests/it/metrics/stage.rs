//! An agent of which there is something to tell of everything: sources that do well and not, TLS, webhooks, an audit.

use super::exposition::Exposition;
use crate::{access::fleet, git_source::Stage as Repository, lifecycle::world::Agent, support::eventually};
use mcpfleet::authorize::ObjectId;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use std::fs;

pub struct Stage {
    pub repository: Repository,
    /// What is accepted, with a change that was refused.
    pub head: ObjectId,
}

impl Stage {
    pub fn new() -> Stage {
        let repository = Repository::new();
        let all = "{allow: {app_labels: {\"*\": \"*\"}, mcp: {tools: [\"*\"]}, rules: [{resources: [agent], verbs: [read]}]}}";
        let files = [
            ("apps/a.yaml", repository.app("a", "a", &[])),
            ("apps/b.yaml", repository.app("b", "b", &[])),
            ("roles/watch.yaml", fleet::role("watch", all)),
            ("users/ada.yaml", fleet::user("ada", &["watch"])),
        ];
        repository.push(Some(&repository.alice), &files.each_ref().map(|(path, text)| (*path, Some(&**text))));
        // Not bob's to change.
        let refused = repository.app("b", "b", &["--start-delay", "1"]);
        let head = repository.push(Some(&repository.bob), &[("apps/b.yaml", Some(&refused))]);
        Stage { repository, head }
    }

    /// Runs the agent until it has taken over what was pushed.
    pub async fn run(&self) -> Agent<'_> {
        let world = &self.repository.world;
        let pair = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        fs::write(world.path("tls.crt"), params.self_signed(&pair).unwrap().pem()).unwrap();
        fs::write(world.path("tls.key"), pair.serialize_pem()).unwrap();
        fs::write(world.path("hook"), "a secret of some length\n").unwrap();
        let mut config = json!({
            "sources": [
                {"name": "fleet", "git": {"url": self.repository.repo.url()}, "authorization": {"root": {"commit": self.repository.root.to_string()}}},
                {"name": "nowhere", "git": {"url": format!("file://{}", world.path("nowhere.git").display())},
                 "authorization": {"trust_on_first_use": true}},
            ],
            "app_service": {"resources": [{"labels": {"team": ["a", "b"]}}]},
            "gateway": {"listen": "127.0.0.1:0", "tls": {"cert_file": "tls.crt", "key_file": "tls.key"}},
            "admin_listen": "127.0.0.1:0",
            "webhook_listen": "127.0.0.1:0",
            "webhooks": [{"name": "forge", "source": "fleet", "scheme": "token", "secret_file": "hook"}],
            // Nobody is there.
            "notifications": [{"name": "program", "kind": "webhook", "url": "http://127.0.0.1:9/", "secret_file": "hook"}],
            "audit": {"file": "audit.jsonl"},
        });
        if nix::unistd::geteuid().is_root() {
            config["app_service"]["default_host_user"] = json!("nobody");
        }
        fs::write(world.path("agent.yaml"), format!("{config:#}\n")).unwrap();
        let mut agent = world.run_with(&["-c", "agent.yaml"]);
        let wanted = Some(self.head.to_string());
        agent
            .until("what was pushed in force", |status| {
                let git = status.sources.first().and_then(|source| source.git.as_ref())?;
                let failed = status.sources.get(1).is_some_and(|source| source.error.is_some());
                (git.accepted == wanted && failed && status.apps.iter().filter(|app| app.era.is_some()).count() == 2)
                    .then_some(())
            })
            .await;
        agent
    }

    /// Where something is served, as the agent's log says.
    pub async fn address(&self, what: &str) -> String {
        eventually(&format!("{what} in the log"), async || {
            let log = fs::read_to_string(self.repository.world.path("agent.log")).ok()?;
            let line = log.lines().find(|line| line.contains(what))?;
            line.split_once("address=").map(|(_, address)| address.trim().to_owned())
        })
        .await
    }

    /// The address of `admin_listen`.
    pub async fn admin(&self) -> String {
        self.address("metrics and health are served").await
    }
}

/// What an agent exports at an address.
pub async fn scrape(address: &str) -> Exposition {
    Exposition::read(&get(address, "").await)
}

/// The same as text, in the format that is asked for.
pub async fn get(address: &str, accept: &str) -> String {
    let request = reqwest::Client::new().get(format!("http://{address}/metrics")).header("accept", accept);
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    response.text().await.expect("a whole answer")
}
