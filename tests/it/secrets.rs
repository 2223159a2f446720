//! Secrets by reference: who gets them, that nobody else sees them, and what happens when they change.

mod silent;

use crate::{
    lifecycle::world::{Agent, World, app, runs},
    support::{
        eventually,
        processes::{all_processes, mode},
    },
};
use mcpfleet::{
    client::mcp::McpClient,
    status::model::{AppState, AppStatus, InstanceRole, Status},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::symlink,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// A folder of secrets, and an agent that gives them out.
struct Vault {
    world: World,
}

impl Vault {
    fn new() -> Vault {
        let world = World::new();
        fs::create_dir(world.path("secrets")).unwrap();
        fs::set_permissions(world.path("secrets"), mode(0o700)).unwrap();
        Vault { world }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.world.path("secrets").join(name)
    }

    /// Replaces a secret in one step.
    fn put(&self, name: &str, value: &str) {
        fs::write(self.file(".new"), value).unwrap();
        fs::set_permissions(self.file(".new"), mode(0o600)).unwrap();
        fs::rename(self.file(".new"), self.file(name)).unwrap();
    }

    /// An app with the fake server and a variable for each of these secrets. Its team is its name.
    fn app(&self, name: &str, secrets: &[(&str, &str)], settings: Value) {
        let flags: Vec<&str> = settings["era"].as_str().into_iter().flat_map(|era| ["--era", era]).collect();
        let mut app = self.world.app(name, &flags);
        app["metadata"]["labels"] = json!({"team": name});
        if let Some(sessions) = settings.get("sessions") {
            app["spec"]["mcp"]["sessions"] = sessions.clone();
        }
        for (variable, secret) in secrets {
            app["spec"]["mcp"]["env"][*variable] = json!({"secret": secret});
        }
        self.world.put(&format!("{name}.yaml"), &app);
    }

    /// Runs an agent by whose configuration these teams may use these secrets.
    fn run(&self, granted: Value) -> Agent<'_> {
        self.world.run_configured(&json!({
            "gateway": {"auth": "open"},
            "app_service": {
                "resources": [{"labels": {"*": "*"}}],
                "secrets_dir": self.world.path("secrets"),
                "secrets": granted,
            },
        }))
    }
}

fn variable(environment: &str, name: &str) -> Option<String> {
    let environment: Value = serde_json::from_str(environment).expect("the environment, as JSON");
    environment[name].as_str().map(str::to_owned)
}

/// The value of a variable in the process that a new client gets.
async fn value(agent: &Agent<'_>, app: &str, name: &str) -> Option<String> {
    agent.call(app, "env", json!({})).await.ok().and_then(|text| variable(&text, name))
}

fn has_reason(app: &AppStatus, state: AppState, parts: &[&str]) -> bool {
    let reason = app.reason.as_deref().unwrap_or_default();
    app.state == Some(state) && parts.iter().all(|part| reason.contains(part))
}

/// The primary process of an app that is ready and has no second version.
fn primary(app: &AppStatus) -> Option<u32> {
    let settled = app.state == Some(AppState::Ready) && app.instances.iter().all(|instance| !instance.draining);
    let mut primaries = app.instances.iter().filter(|instance| instance.role == InstanceRole::Primary);
    primaries.next().filter(|_| settled).and_then(|instance| instance.pid)
}

/// The primary's number among all processes that the agent has started.
fn number(status: &Status, name: &str) -> Option<u32> {
    let app = app(status, name)?;
    let pid = primary(app)?;
    let instance = app.instances.iter().find(|instance| instance.pid == Some(pid))?;
    instance.id.rsplit('-').next()?.parse().ok()
}

#[tokio::test]
async fn the_server_gets_the_value_and_nobody_else_sees_it() {
    const VALUE: &str = "hush-4711-correct-horse";
    let vault = Vault::new();
    fs::set_permissions(vault.world.path("secrets"), mode(0o755)).unwrap();
    vault.put("github-token", &format!("{VALUE}\n"));
    fs::set_permissions(vault.file("github-token"), mode(0o644)).unwrap();
    vault.app("github", &[("TOKEN", "github-token")], json!({}));
    let mut agent = vault.run(json!({"github-token": {"team": "github"}}));
    agent.app("github", "ready", |app| app.state == Some(AppState::Ready)).await;
    assert_eq!(value(&agent, "github", "TOKEN").await.as_deref(), Some(VALUE));

    // Not even by the server itself.
    agent.call("github", "stderr", json!({"text": format!("token={VALUE}"), "lines": 1})).await.unwrap();
    eventually("a line without the secret", async || {
        agent.says(&["logs", "github"]).await.contains("token=[secret]\n").then_some(())
    })
    .await;

    // A value that cannot be used is not shown either.
    vault.put("github-token", &format!("{VALUE}\0"));
    let parts = ["secret `github-token` of app `github` cannot be used", "has a NUL in it", "what runs goes on"];
    agent.app("github", "degraded", |app| has_reason(app, AppState::Degraded, &parts)).await;
    assert_eq!(value(&agent, "github", "TOKEN").await.as_deref(), Some(VALUE));

    let mut shown = vec![serde_json::to_string(&agent.status().await.unwrap()).unwrap()];
    for arguments in [
        &["status"][..],
        &["status", "-v"],
        &["status", "-o", "json"],
        &["mcp", "ls", "-v", "-o", "json"],
        &["logs", "github"],
        &["events", "-o", "json"],
    ] {
        shown.push(agent.says(arguments).await);
    }
    let config = vault.world.path("agent.yaml");
    shown.push(agent.says(&["config", "show", "-c", config.to_str().unwrap()]).await);
    for pid in all_processes() {
        shown.push(String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).into_owned());
    }
    assert!(shown.iter().any(|text| text.contains("github-token")));
    // Nor is it in the environment of any process but the server's.
    let servers: Vec<u32> =
        agent.app("github", "there", |_| true).await.instances.iter().filter_map(|instance| instance.pid).collect();
    let holds = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(VALUE.len()).any(|window| window == VALUE.as_bytes())
    };
    let others: Vec<u32> = all_processes().filter(|pid| !servers.contains(pid)).filter(holds).collect();
    assert!(others.is_empty(), "{others:?}");
    agent.stop().await;
    let log = vault.world.log();
    assert!(log.contains("every user of this machine can read secrets in"), "{log}");
    shown.push(log);
    for text in shown {
        assert!(!text.contains("hush-4711"), "{text}");
    }
}

#[tokio::test]
async fn what_is_missing_or_not_granted_says_so_and_is_mended() {
    let vault = Vault::new();
    vault.put("token", "hush");
    vault.app("late", &[("TOKEN", "later")], json!({}));
    vault.app("other", &[("TOKEN", "token")], json!({}));
    vault.app("mine", &[("TOKEN", "token")], json!({}));
    vault.app("stray", &[("TOKEN", "nobodys")], json!({}));
    let mut agent = vault.run(json!({"token": {"team": "mine"}, "later": {"team": "*"}}));
    agent.app("mine", "ready", |app| app.state == Some(AppState::Ready)).await;
    for (name, secret) in [("other", "token"), ("stray", "nobodys")] {
        let text = format!("secret `{secret}` is not granted to app `{name}`");
        let parts = [&*text, "`app_service.secrets`"];
        let row = agent.app(name, "refused", |app| has_reason(app, AppState::Failed, &parts)).await;
        assert!(row.instances.is_empty(), "{row:?}");
    }
    let file = vault.file("later");
    let parts = ["secret `later` of app `late` is missing", file.to_str().unwrap()];
    agent.app("late", "without its secret", |app| has_reason(app, AppState::Failed, &parts)).await;

    vault.put("later", "here");
    agent.soon("a secret that comes", |status| app(status, "late").and_then(primary)).await;
    assert_eq!(value(&agent, "late", "TOKEN").await.as_deref(), Some("here"));
    // With other labels it may have it, too.
    let mut other = vault.world.app("other", &[]);
    other["metadata"]["labels"] = json!({"team": "mine"});
    other["spec"]["mcp"]["env"]["TOKEN"] = json!({"secret": "token"});
    vault.world.put("other.yaml", &other);
    agent.soon("a grant that comes", |status| app(status, "other").and_then(primary)).await;
    agent.stop().await;
}

/// An open session stays on the old value, a shared client never fails, and who has another secret is left alone.
#[tokio::test]
async fn a_rotation_drops_nobody_and_touches_nobody_else() {
    let vault = Vault::new();
    vault.put("one", "old");
    vault.put("two", "same");
    vault.app("shared", &[("TOKEN", "one")], json!({"sessions": "shared"}));
    vault.app("session", &[("TOKEN", "one")], json!({"era": "legacy"}));
    vault.app("another", &[("TOKEN", "two")], json!({"sessions": "shared"}));
    vault.app("none", &[], json!({"sessions": "shared"}));
    let mut agent = vault.run(json!({"one": {"*": "*"}, "two": {"*": "*"}}));
    agent.ready().await;
    let mut before = Vec::new();
    for name in ["shared", "another", "none"] {
        before.push((name, agent.pid(name).await));
    }
    let open = McpClient::open_session(agent.client.clone(), "session").await.unwrap();
    let token = async |client: &McpClient| -> Result<String, String> {
        let result = client.call_tool("env", &json!({}), &mut |_| {}).await.map_err(|error| error.to_string())?;
        let result: Value = serde_json::from_str(result.get()).unwrap();
        variable(result["content"][0]["text"].as_str().unwrap(), "TOKEN").ok_or_else(|| "no TOKEN".into())
    };
    assert_eq!(token(&open).await.as_deref(), Ok("old"));

    let done = AtomicBool::new(false);
    let clients = (0..4).map(|_| async {
        let client = McpClient::connect(agent.client.clone(), "shared").await.unwrap();
        let mut values = Vec::new();
        while !done.load(Relaxed) {
            values.push(token(&client).await.expect("a shared client never fails"));
        }
        values
    });
    let old = before[0].1;
    let rotation = async {
        vault.put("one", "new");
        eventually("a new version", async || {
            let status = agent.client.status().await.ok()?;
            app(&status, "shared").and_then(primary).filter(|pid| *pid != old)
        })
        .await;
        eventually("a new session with the new value", async || {
            (value(&agent, "session", "TOKEN").await.as_deref() == Some("new")).then_some(())
        })
        .await;
        assert_eq!(value(&agent, "shared", "TOKEN").await.as_deref(), Some("new"));
        assert_eq!(token(&open).await.as_deref(), Ok("old"), "an open session stays where it is");
        done.store(true, Relaxed);
    };
    let (seen, ()) = tokio::join!(futures_util::future::join_all(clients), rotation);
    for values in seen {
        let switched = values.iter().position(|value| value == "new").unwrap_or(values.len());
        assert!(values[..switched].iter().all(|value| value == "old"), "{values:?}");
        assert!(values[switched..].iter().all(|value| value == "new"), "{values:?}");
    }
    for (name, pid) in &before[1..] {
        assert_eq!(agent.pid(name).await, *pid, "{name} has nothing to do with it");
        assert!(runs(*pid));
    }
    open.close().await;
    agent.stop().await;
}

/// The process that stands for the app is down, and stays so: what is started next, of whichever version, has the new
/// value, and the session that is open has the old one.
#[tokio::test]
async fn a_rotation_while_no_process_stands_for_the_app() {
    let vault = Vault::new();
    vault.put("token", "old");
    let down = vault.world.path("down");
    let mut session = vault.world.app("session", &[]);
    let script =
        format!("[ ! -e {} ] || exit 7; exec {} --era legacy", down.display(), vault.world.path("fake").display());
    session["spec"]["mcp"]["command"] = json!("sh");
    session["spec"]["mcp"]["args"] = json!(["-c", script]);
    session["spec"]["mcp"]["warm"] = json!(0);
    session["spec"]["mcp"]["env"]["TOKEN"] = json!({"secret": "token"});
    vault.world.put("session.yaml", &session);
    let mut agent = vault.run(Value::Null);
    let first = agent.app("session", "ready", |app| primary(app).is_some()).await;
    let open = McpClient::open_session(agent.client.clone(), "session").await.unwrap();
    let token = async || {
        let result = open.call_tool("env", &json!({}), &mut |_| {}).await.map_err(|error| error.to_string())?;
        let result: Value = serde_json::from_str(result.get()).unwrap();
        variable(result["content"][0]["text"].as_str().unwrap(), "TOKEN").ok_or_else(|| "no TOKEN".into())
    };
    assert_eq!(token().await, Ok::<_, String>("old".into()));

    fs::write(&down, "").unwrap();
    let pid = i32::try_from(primary(&first).unwrap()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    agent.app("session", "down", |app| has_reason(app, AppState::Backoff, &["exit status 7"])).await;
    vault.put("token", "new");
    agent.app("session", "a new version", |app| app.updating || app.instances.iter().any(|i| i.draining)).await;
    assert_eq!(token().await, Ok("old".into()));

    fs::remove_file(&down).unwrap();
    let stands = |app: &AppStatus| app.instances.iter().any(|i| i.role == InstanceRole::Primary && !i.draining);
    agent.app("session", "ready again", |app| app.state == Some(AppState::Ready) && stands(app)).await;
    assert_eq!(value(&agent, "session", "TOKEN").await.as_deref(), Some("new"));
    assert_eq!(token().await, Ok("old".into()), "an open session stays where it is");
    open.close().await;
    agent.stop().await;
}

/// As the kubelet does it: both secrets at once, by one rename.
#[tokio::test]
async fn a_swapped_mount_is_one_change_and_the_same_content_is_none() {
    let vault = Vault::new();
    let swap = |data: &str, user: &str, password: &str| {
        let folder = vault.file(data);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("user"), user).unwrap();
        fs::write(folder.join("password"), password).unwrap();
        symlink(data, vault.file("..data_tmp")).unwrap();
        fs::rename(vault.file("..data_tmp"), vault.file("..data")).unwrap();
    };
    swap("..2026_11_01", "alice", "one");
    for name in ["user", "password"] {
        symlink(format!("..data/{name}"), vault.file(name)).unwrap();
    }
    vault.app("db", &[("DB_USER", "user"), ("DB_PASSWORD", "password")], json!({"sessions": "shared"}));
    let mut agent = vault.run(json!({"user": {"*": "*"}, "password": {"*": "*"}}));
    let first = agent.pid("db").await;
    assert_eq!(value(&agent, "db", "DB_PASSWORD").await.as_deref(), Some("one"));
    assert_eq!(agent.until("a number", |status| number(status, "db")).await, 1);

    swap("..2026_11_02", "alice", "one");
    fs::remove_dir_all(vault.file("..2026_11_01")).unwrap();
    swap("..2026_11_03", "bob", "two");
    fs::remove_dir_all(vault.file("..2026_11_02")).unwrap();
    agent.soon("a new version", |status| app(status, "db").and_then(primary).filter(|pid| *pid != first)).await;
    assert_eq!(value(&agent, "db", "DB_USER").await.as_deref(), Some("bob"));
    assert_eq!(value(&agent, "db", "DB_PASSWORD").await.as_deref(), Some("two"));
    assert_eq!(agent.until("a number", |status| number(status, "db")).await, 2);
    agent.stop().await;
}

#[tokio::test]
async fn what_runs_outlives_its_secret() {
    let vault = Vault::new();
    vault.put("token", "one");
    vault.app("app", &[("TOKEN", "token")], json!({"sessions": "shared"}));
    let mut agent = vault.run(Value::Null);
    let first = agent.pid("app").await;
    let parts = ["secret `token` of app `app` is missing", "what runs goes on"];

    fs::remove_file(vault.file("token")).unwrap();
    agent.app("app", "degraded", |app| has_reason(app, AppState::Degraded, &parts)).await;
    assert_eq!(value(&agent, "app", "TOKEN").await.as_deref(), Some("one"));
    vault.put("token", "one");
    assert_eq!(agent.pid("app").await, first, "the same again is no change");

    fs::remove_file(vault.file("token")).unwrap();
    agent.app("app", "degraded", |app| has_reason(app, AppState::Degraded, &parts)).await;
    // A process that ends now cannot be started again.
    let _ = agent.call("app", "crash", json!({})).await;
    let missing = ["secret `token` of app `app` is missing"];
    agent.app("app", "failed", |app| has_reason(app, AppState::Failed, &missing)).await;
    vault.put("token", "one");
    let second = agent.soon("the secret comes back", |status| app(status, "app").and_then(primary)).await;
    assert_ne!(second, first);

    vault.put("token", "two");
    agent.soon("another value", |status| app(status, "app").and_then(primary).filter(|pid| *pid != second)).await;
    assert_eq!(value(&agent, "app", "TOKEN").await.as_deref(), Some("two"));
    agent.stop().await;
}

#[tokio::test]
async fn the_agents_own_credentials_are_kept_apart() {
    let vault = Vault::new();
    vault.put("hook", "hush");
    symlink("secrets", vault.world.path("link")).unwrap();
    for (secret_file, place) in [("secrets/hook", "agent.yaml:"), ("link/hook", "error: ")] {
        let config = json!({
            "gateway": {"auth": "open"},
            "app_service": {"secrets_dir": vault.world.path("secrets")},
            "webhook_listen": "127.0.0.1:0",
            "webhooks": [{"name": "h", "source": "local", "scheme": "token", "secret_file": vault.world.path(secret_file)}],
        });
        let file = vault.world.configure(&config);
        let (code, text) = vault.world.refused(&["-c", &file]).await;
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("has a credential of the agent in it") && text.contains(place), "{text}");
    }
}

#[tokio::test]
async fn the_agents_own_variables_are_passed_on_as_listed() {
    let vault = Vault::new();
    for (name, from) in [("listed", "LISTED"), ("unset", "UNSET"), ("unlisted", "HOME")] {
        let mut app = vault.world.app(name, &[]);
        app["spec"]["mcp"]["env"]["X"] = json!({"from_agent": from});
        vault.world.put(&format!("{name}.yaml"), &app);
    }
    let config = json!({
        "gateway": {"auth": "open"},
        "app_service": {"resources": [{"labels": {"*": "*"}}], "allow_from_agent": ["LISTED", "UNSET"]},
    });
    let file = vault.world.configure(&config);
    let mut command = vault.world.command(&["-c", &file, "--set", "gateway.listen=127.0.0.1:0"]);
    command.env("LISTED", "from the agent").env("OTHER", "kept");
    let mut agent = vault.world.spawn(command);
    agent.app("listed", "ready", |app| app.state == Some(AppState::Ready)).await;
    assert_eq!(value(&agent, "listed", "X").await.as_deref(), Some("from the agent"));
    for name in ["LISTED", "OTHER"] {
        assert_eq!(value(&agent, "listed", name).await, None, "{name}");
    }
    for (name, why) in [("unset", "the agent has no variable `UNSET`"), ("unlisted", "does not list `HOME`")] {
        agent
            .app(name, why, |app| app.state != Some(AppState::Ready) && has_reason(app, app.state.unwrap(), &[why]))
            .await;
    }
    agent.stop().await;
}
