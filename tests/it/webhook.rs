//! Webhooks of a running agent.

use crate::support::{Home, PATIENCE, eventually};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::StatusCode;
use serde_json::Value;
use sha2::Sha256;
use std::{
    fs::{self, File},
    process::Stdio,
};

/// An agent that looks at its source by itself once a day, and at once when it is called.
struct World {
    home: Home,
    _agent: tokio::process::Child,
    hooks: String,
    http: reqwest::Client,
}

const CONFIG: &str = "
control_socket: control.sock
state_dir: state
sources:
- name: fleet
  directory: {path: fleet, watch: native, resync: 24h}
app_service: {default_host_user: nobody}
gateway: {auth: open, listen: '127.0.0.1:0'}
webhook_listen: 127.0.0.1:0
webhooks:
- {name: github, source: fleet, scheme: hmac-sha256, secret_file: secret}
- {name: gitlab, source: fleet, scheme: token, secret_file: secret}
- {name: mine, source: fleet, scheme: hmac-sha256, header: X-Mine, secret_file: secret}
";

const SECRET: &str = "a secret of some length";

impl World {
    async fn new() -> World {
        let home = Home::new();
        let write = |name: &str, text: &str| fs::write(home.path().join(name), text).expect("a writable home");
        fs::create_dir(home.path().join("fleet")).expect("a new folder");
        write("secret", &format!("{SECRET}\n"));
        write("agent.yaml", CONFIG);
        let log = home.path().join("agent.log");
        let agent = home
            .mcpfleet(["run", "-c", "agent.yaml"])
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a writable home"))
            .spawn()
            .expect("the agent starts");
        let address = eventually("the address of the webhooks", async || {
            let log = fs::read_to_string(&log).ok()?;
            let line = log.lines().find(|line| line.contains("webhooks are served"))?;
            line.split_once("address=").map(|(_, address)| address.trim().to_owned())
        });
        let hooks = format!("http://{}/hooks", address.await);
        let world = World { home, _agent: agent, hooks, http: reqwest::Client::new() };
        eventually("a first look", async || world.last_read().await).await;
        world
    }

    /// When the agent last looked at its source.
    async fn last_read(&self) -> Option<String> {
        let socket = self.home.path().join("control.sock");
        let asked = self.home.mcpfleet(["status", "-o", "json"]).env("MCPFLEET_AGENT", socket).output().await;
        let status: Value = serde_json::from_slice(&asked.expect("the binary starts").stdout).ok()?;
        Some(status["sources"][0]["last_read"].as_str()?.to_owned())
    }

    async fn call(&self, name: &str, header: (&str, &str), body: impl Into<reqwest::Body>) -> StatusCode {
        let call =
            self.http.post(format!("{}/{name}", self.hooks)).header(header.0, header.1).body(body).timeout(PATIENCE);
        call.send().await.expect("an answer").status()
    }

    /// Whether a call is taken, and makes the agent look.
    async fn makes_it_look(&self, name: &str, header: (&str, &str), body: &'static str) {
        let before = self.last_read().await.expect("an agent that has looked");
        assert_eq!(self.call(name, header, body).await, StatusCode::ACCEPTED, "{name}");
        let looked = async || self.last_read().await.filter(|read| *read != before);
        eventually("another look", looked).await;
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("agent.log")).expect("a log")
    }
}

fn tag(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length will do");
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn whoever_knows_the_secret_makes_the_agent_look() {
    let world = World::new().await;
    let tag = tag(SECRET, b"{}");
    let github = format!("sha256={tag}");
    world.makes_it_look("github", ("X-Hub-Signature-256", &github), "{}").await;
    world.makes_it_look("github", ("X-Gitea-Signature", &tag), "{}").await;
    world.makes_it_look("gitlab", ("X-Gitlab-Token", SECRET), "whatever").await;
    world.makes_it_look("mine", ("X-Mine", &tag), "{}").await;
    // A call that is made again costs no more than another look.
    for _ in 0..100 {
        assert_eq!(world.call("github", ("X-Hub-Signature-256", &github), "{}").await, StatusCode::ACCEPTED);
    }
    let log = world.log();
    assert!(!log.contains(SECRET) && !log.contains(&tag), "{log}");
}

#[tokio::test]
async fn nobody_else_does() {
    let world = World::new().await;
    let (good, other) = (tag(SECRET, b"{}"), tag("another secret", b"{}"));
    for (name, header, expected) in [
        ("github", ("X-Hub-Signature-256", other.as_str()), StatusCode::UNAUTHORIZED),
        ("github", ("X-Hub-Signature-256", SECRET), StatusCode::UNAUTHORIZED),
        ("github", ("X-Gitlab-Token", SECRET), StatusCode::UNAUTHORIZED),
        ("github", ("X-Mine", &good), StatusCode::UNAUTHORIZED),
        ("gitlab", ("X-Gitlab-Token", "a secret"), StatusCode::UNAUTHORIZED),
        ("gitlab", ("X-Hub-Signature-256", &good), StatusCode::UNAUTHORIZED),
        ("mine", ("X-Hub-Signature-256", &good), StatusCode::UNAUTHORIZED),
        ("other", ("X-Hub-Signature-256", &good), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(world.call(name, header, "{}").await, expected, "{name} {header:?}");
    }
    let large = vec![b' '; (1 << 20) + 1];
    let signed = tag(SECRET, &large);
    let call = world.call("github", ("X-Hub-Signature-256", &signed), large.clone()).await;
    assert_eq!(call, StatusCode::PAYLOAD_TOO_LARGE);
    // However long it says that it is, or does not.
    let chunks = futures_util::stream::iter(
        large.chunks(1 << 16).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>(),
    );
    let call = world.call("github", ("X-Hub-Signature-256", &signed), reqwest::Body::wrap_stream(chunks)).await;
    assert_eq!(call, StatusCode::PAYLOAD_TOO_LARGE);
    let get = world.http.get(format!("{}/github", world.hooks)).send().await.expect("an answer");
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    // The secret is read at each call: an empty one lets nobody in, and a new one is in force at once.
    let secret = world.home.path().join("secret");
    fs::write(&secret, "\n").expect("a writable home");
    let call = world.call("github", ("X-Hub-Signature-256", &tag("", b"{}")), "{}").await;
    assert_eq!(call, StatusCode::SERVICE_UNAVAILABLE);
    fs::write(&secret, "another secret").expect("a writable home");
    assert_eq!(world.call("github", ("X-Hub-Signature-256", &good), "{}").await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.call("github", ("X-Hub-Signature-256", &other), "{}").await, StatusCode::ACCEPTED);
    assert!(!world.log().contains("another secret"), "{}", world.log());
}

#[tokio::test]
async fn an_agent_without_the_secret_does_not_start() {
    let home = Home::new();
    fs::write(home.path().join("agent.yaml"), CONFIG).expect("a writable home");
    for (content, expected) in [(None, "cannot be read"), (Some(""), "is empty")] {
        if let Some(content) = content {
            fs::write(home.path().join("secret"), content).expect("a writable home");
        }
        let ended = home.mcpfleet(["run", "-c", "agent.yaml"]).output().await.expect("the binary starts");
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    }
}
