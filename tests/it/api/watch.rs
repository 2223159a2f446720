//! `/v1/watch`: what a page is told, when, and no more than it may know.

use crate::{
    access::fleet::{Client, app, role, start, start_with, user, usual},
    support::{Agent, PATIENCE},
};
use reqwest::Response;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// What a page makes of the stream.
struct Page {
    response: Response,
    unread: String,
    events: VecDeque<(String, Value)>,
    /// By key: the state of each app.
    apps: BTreeMap<String, Value>,
    agent: Value,
    seen: Vec<Value>,
}

impl Page {
    async fn open(client: &Client, path: &str) -> Page {
        let response = client.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (unread, events) = (String::new(), VecDeque::new());
        let mut page = Page { response, unread, events, apps: BTreeMap::new(), agent: Value::Null, seen: Vec::new() };
        assert_eq!(page.next().await.unwrap(), "status");
        page
    }

    /// The name of the next event, once it has been taken in; `None`: the stream has ended.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((name, data)) = self.events.pop_front() {
                self.take_in(&name, data);
                return Some(name);
            }
            let chunk =
                tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("something is told").unwrap()?;
            self.unread += std::str::from_utf8(&chunk).unwrap();
            while let Some((event, rest)) = self.unread.split_once("\n\n") {
                if let Some(event) = event.strip_prefix("event: ") {
                    let (name, data) = event.split_once("\ndata: ").unwrap();
                    self.events.push_back((name.to_owned(), serde_json::from_str(data).unwrap()));
                }
                self.unread = rest.to_owned();
            }
        }
    }

    fn take_in(&mut self, name: &str, data: Value) {
        match name {
            "status" => self.apps.clear(),
            "change" => {
                for gone in data["gone"].as_array().unwrap() {
                    assert!(self.apps.remove(gone.as_str().unwrap()).is_some(), "{gone} was not there");
                }
            }
            "event" => {
                self.seen.push(data);
                return;
            }
            other => panic!("{other}"),
        }
        self.agent = data["agent"].clone();
        for app in data["apps"].as_array().unwrap() {
            let text = |name: &str| app[name].as_str().unwrap();
            self.apps.insert(format!("{}/{}/{}", text("name"), text("source"), text("path")), app.clone());
        }
    }

    async fn until(&mut self, what: &str, is_so: impl Fn(&Page) -> bool) {
        while !is_so(self) {
            assert!(self.next().await.is_some(), "the stream has ended before {what}");
        }
    }

    fn names(&self) -> Vec<&str> {
        self.apps.values().map(|app| app["name"].as_str().unwrap()).collect()
    }
}

/// A client of the one user who sees everything.
async fn of_all() -> (Agent, Client) {
    let mut files = usual();
    files.push(("all.yaml", role("all", "{allow: {app_labels: {\"*\": \"*\"}, mcp: {tools: [\"*\"]}, rules: [{resources: [\"*\"], verbs: [\"*\"]}]}}")));
    files.push(("root.yaml", user("root", &["all"])));
    let agent = start_with(&files, &[]).await;
    let client = Client::of(&agent, "root");
    (agent, client)
}

#[tokio::test]
async fn a_page_follows_the_fleet() {
    let (agent, root) = of_all().await;
    let mut page = Page::open(&root, "/v1/watch").await;
    let mut other = Page::open(&root, "/v1/watch?tail=3").await;
    assert_eq!(page.names(), ["alpha", "beta"]);
    let status = root.status().await;
    for app in status["apps"].as_array().unwrap() {
        assert!(page.apps.values().any(|seen| seen["name"] == app["name"] && seen["url"] == app["url"]));
    }
    agent.write("gamma.yaml", &app("gamma", "b", "both"));
    let ready = |page: &Page| page.apps.values().any(|app| app["name"] == "gamma" && app["state"] == "Ready");
    page.until("gamma is ready", ready).await;
    other.until("gamma is ready", ready).await;
    assert!(page.seen.iter().any(|event| event["kind"] == "started" && event["app"] == "gamma"), "{:?}", page.seen);
    // The last three from before come first, in their order.
    let numbers: Vec<u64> = other.seen.iter().map(|event| event["sequence"].as_u64().unwrap()).collect();
    assert!(numbers.len() > 3 && numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let before = page.apps.clone();
    std::fs::remove_file(agent.folder().join("alpha.yaml")).unwrap();
    page.until("alpha is gone", |page| page.names() == ["beta", "gamma"]).await;
    // What has not changed is as it was.
    let beta = |apps: &BTreeMap<String, Value>| {
        apps.iter().find(|(key, _)| key.starts_with("beta/")).unwrap().1["instances"].clone()
    };
    assert_eq!(beta(&before), beta(&page.apps));
    // All that was put together is what the status says.
    page.until("the end of it", |page| page.agent["state"] == "Ready").await;
    let status = root.status().await;
    let mut expected: Vec<&str> =
        status["apps"].as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap()).collect();
    expected.sort_unstable();
    assert_eq!(page.names(), expected);
    agent.stop().await;
    while page.next().await.is_some() {}
}

#[tokio::test]
async fn each_sees_what_they_may() {
    let agent = start().await;
    let (ada, eve) = (Client::of(&agent, "ada"), Client::of(&agent, "eve"));
    let mut hers = Page::open(&ada, "/v1/watch?tail=1000").await;
    let mut none = Page::open(&eve, "/v1/watch?tail=1000").await;
    assert_eq!((hers.names(), none.names()), (vec!["alpha"], vec![]));
    agent.write("more.yaml", &role("more", "{allow: {app_labels: {team: b}, mcp: {tools: [\"*\"]}, rules: [{resources: [app], verbs: [read], labels: {team: b}}]}}"));
    agent.write("ada.yaml", &user("ada", &["team-a", "more"]));
    hers.until("beta", |page| page.names() == ["alpha", "beta"]).await;
    agent.write("ada.yaml", &user("ada", &["team-a"]));
    hers.until("beta is lost", |page| page.names() == ["alpha"]).await;
    agent.write("beta.yaml", &app("beta", "b", "modern"));
    agent.write("alpha.yaml", &app("alpha", "a", "modern"));
    hers.until("the new alpha", |page| page.apps.values().all(|app| app["era"] == "modern")).await;
    hers.until("what happened to alpha", |page| page.seen.iter().any(|event| event["kind"] == "switched")).await;
    assert!(hers.seen.iter().all(|event| event["app"] == "alpha"), "{:?}", hers.seen);
    // Whoever is not known any more is told nothing more; and eve has never been told of anything.
    std::fs::remove_file(agent.folder().join("eve.yaml")).unwrap();
    while none.next().await.is_some() {}
    assert!(none.seen.is_empty() && none.apps.is_empty());
}

#[tokio::test]
async fn two_tokens_of_a_user_are_looked_at_each_by_itself() {
    let mut files = usual();
    files.retain(|(name, _)| *name != "ada.yaml");
    let digest =
        |name: &str| mcpfleet::resource::Digest::of_bytes(crate::access::fleet::token(name).as_bytes()).to_string();
    let both = user("ada", &["team-a"]).replace(&digest("ada"), &format!("{}, {}", digest("ada"), digest("second")));
    files.push(("ada.yaml", both));
    let agent = start_with(&files, &[]).await;
    let mut first = Page::open(&Client::of(&agent, "ada"), "/v1/watch").await;
    let mut second = Page::open(&Client::of(&agent, "second"), "/v1/watch").await;
    assert_eq!((first.names(), second.names()), (vec!["alpha"], vec!["alpha"]));
    agent.write("ada.yaml", &user("ada", &["team-a"]).replace(&digest("ada"), &digest("second")));
    while first.next().await.is_some() {}
    agent.write("alpha.yaml", &app("alpha", "a", "modern"));
    second.until("the new alpha", |page| page.apps.values().any(|app| app["era"] == "modern")).await;
    assert_eq!(json!(second.names()), json!(["alpha"]));
}
