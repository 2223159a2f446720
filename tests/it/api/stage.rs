//! An agent that has everything to tell: a folder and a repository, apps in several states, refused changes, users who see more
//! or less of it.

use super::schemas::{Schemas, faults};
use crate::{
    access::{
        fleet::{role, token, user},
        issuer::Issuer,
    },
    git_source::Stage,
    lifecycle::world::Agent,
    web_session::Browser,
};
use mcpfleet::status::model::{AppState, Status};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// Runs an agent on `stage`: what there is of git is there before.
pub async fn run<'s>(stage: &'s Stage, issuer: &Issuer) -> Agent<'s> {
    stage.push(
        Some(&stage.bob),
        &[
            ("apps/fromgit.yaml", Some(&stage.app("fromgit", "a", &[]))),
            ("apps/both.yaml", Some(&stage.app("both", "a", &[]))),
        ],
    );
    stage.push(Some(&stage.bob), &[("apps/refused.yaml", Some(&stage.app("refused", "b", &[])))]);
    let world = &stage.world;
    let labelled = |name: &str, team: &str, flags: &[&str]| {
        let mut app = world.app(name, flags);
        app["metadata"]["labels"] = json!({"team": team});
        app
    };
    world.put("alpha.yaml", &labelled("alpha", "a", &[]));
    world.put("both.yaml", &labelled("both", "a", &[]));
    world.put("asleep.yaml", &labelled("asleep", "b", &[]));
    let mut failed = labelled("failed", "b", &[]);
    failed["spec"]["mcp"]["command"] = json!("/does/not/exist");
    world.put("failed.yaml", &failed);
    let mut crashing = labelled("crashing", "b", &[]);
    crashing["spec"]["mcp"]["command"] = json!("false");
    crashing["spec"]["mcp"]["args"] = json!([]);
    world.put("crashing.yaml", &crashing);
    let mut expired = labelled("expired", "a", &[]);
    expired["metadata"]["expires"] = json!("2020-01-01T00:00:00Z");
    world.put("expired.yaml", &expired);
    let mut labels = labelled("labels", "a", &[]);
    labels["spec"]["dynamic_labels"] = json!({
        "fine": {"command": ["echo", "yes"], "period": "1h"},
        "bad": {"command": ["false"], "period": "1h"},
    });
    world.put("labels.yaml", &labels);
    world.write("broken.yaml", "kind: app\nversion: v3\nmetadata: {name: broken}\nspec: {mcp: {comand: x}}\n");
    let all =
        "{allow: {app_labels: {\"*\": \"*\"}, mcp: {tools: [\"*\"]}, rules: [{resources: [\"*\"], verbs: [\"*\"]}]}}";
    world.write("all.yaml", role("all", all));
    let some = "{allow: {app_labels: {team: a}, mcp: {tools: [echo]}, rules: [{resources: [app], verbs: [read], labels: {team: a}}]}}";
    world.write("some.yaml", role("some", some));
    world.write("uses.yaml", role("uses", "{allow: {app_labels: {team: a}, mcp: {tools: [echo]}}}"));
    world.write("root.yaml", user("root", &["all"]));
    world.write("ada.yaml", user("ada", &["some"]));
    world.write("una.yaml", user("una", &["uses"]));
    world.write("eve.yaml", user("eve", &[]));
    let sources = json!([
        {"name": "local", "directory": {"path": world.path("fleet")}},
        {"name": "fleet", "git": {"url": stage.repo.url()}, "authorization": {"root": {"commit": stage.root.to_string()}}},
    ]);
    let mut config = json!({
        "sources": sources,
        "app_service": {"enabled": true, "resources": [{"labels": {"*": "*"}}]},
        "gateway": {"auth": "required", "oidc": [{"issuer": issuer.url, "audience": "fleet"}]},
        "audit": {"file": world.path("audit.jsonl")},
    });
    if nix::unistd::geteuid().is_root() {
        config["app_service"]["default_host_user"] = json!("nobody");
    }
    std::fs::write(world.path("agent.yaml"), format!("{config:#}\n")).unwrap();
    let path = world.path("agent.yaml");
    let mut agent = world.run_with(&["-c", path.to_str().unwrap(), "--set", "gateway.listen=127.0.0.1:0"]);
    let state = |status: &Status, name: &str| {
        status.apps.iter().find(|app| app.name == name && app.state.is_some()).and_then(|app| app.state)
    };
    agent.until("the apps", |status| (state(status, "asleep") == Some(AppState::Ready)).then_some(())).await;
    agent.client.suspend(Some("asleep")).await.unwrap();
    let wanted = [
        ("alpha", AppState::Ready),
        ("fromgit", AppState::Ready),
        ("asleep", AppState::Suspended),
        ("failed", AppState::Failed),
        ("crashing", AppState::Backoff),
    ];
    agent
        .until("all states", |status| {
            let labels =
                status.apps.iter().any(|app| !app.dynamic_labels.is_empty() && !app.dynamic_label_problems.is_empty());
            let refused =
                status.sources.iter().any(|source| source.git.as_ref().is_some_and(|git| git.refused_total > 0));
            (labels && refused && wanted.iter().all(|(name, wanted)| state(status, name) == Some(*wanted)))
                .then_some(())
        })
        .await;
    agent
}

/// Where an agent's gateway is: `127.0.0.1:PORT`.
pub async fn listen(agent: &mut Agent<'_>) -> String {
    agent.until("the gateway", |status| Some(status.agent.gateway.split_once("://")?.1.to_owned())).await
}

/// Who asks.
pub enum Who {
    Operator(Browser),
    Token(&'static str),
    /// With a token of an issuer's.
    Signed(String),
    Nobody,
}

/// Asks, and holds each answer against its description.
pub struct Asker<'s> {
    pub schemas: &'s Schemas,
    pub listen: String,
    pub who: Who,
}

impl Asker<'_> {
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.to_uppercase().parse().unwrap();
        let browser = Browser::at(&self.listen);
        match &self.who {
            Who::Operator(browser) => browser.request(method, path),
            Who::Token(name) => browser.bare(method, path).bearer_auth(token(name)),
            Who::Signed(token) => browser.bare(method, path).bearer_auth(token),
            Who::Nobody => browser.bare(method, path),
        }
    }

    /// GETs `path`, which is described as `route`.
    pub async fn get(&self, route: &str, path: &str) -> (u16, Vec<Value>) {
        self.hold("get", route, path, self.request("get", path)).await
    }

    pub async fn post(&self, route: &str, path: &str, body: Value) -> (u16, Vec<Value>) {
        self.hold("post", route, path, self.request("post", path).json(&body)).await
    }

    /// Sends a request. Answers the status and, if it is JSON, the values that came.
    pub async fn hold(&self, method: &str, route: &str, path: &str, request: RequestBuilder) -> (u16, Vec<Value>) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let kind =
            response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap().to_owned();
        let text = response.text().await.unwrap();
        let values: Vec<Value> = match &*kind {
            "application/json" => vec![serde_json::from_str(&text).unwrap()],
            "application/x-ndjson" => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            other => panic!("{method} {path}: {status} {other:?}: {text}"),
        };
        let validator = self.schemas.of_answer(method, route, status, &kind);
        let validator =
            validator.unwrap_or_else(|| panic!("{method} {route}: {status} {kind} is not described: {text}"));
        for value in &values {
            let faults = faults(&validator, value);
            assert!(faults.is_empty(), "{method} {path}: {faults:#?}\n{value:#}");
        }
        (status, values)
    }
}
