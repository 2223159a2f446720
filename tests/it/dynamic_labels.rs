//! Dynamic labels: what commands print that run beside a server.

use crate::{
    lifecycle::world::{Agent, World, app},
    support::{
        eventually,
        processes::{marked, mode},
    },
};
use mcpfleet::status::model::{AppState, AppStatus};
use nix::{sys::signal::Signal, unistd::geteuid};
use serde_json::{Value, json};
use std::fs;

/// An app with the fake server and these labels: key, command, period.
fn labelled(world: &World, name: &str, labels: &[(&str, &[&str], &str)]) -> Value {
    let mut app = world.app(name, &[]);
    app["metadata"]["labels"] = json!({"env": "dev"});
    for (key, command, period) in labels {
        app["spec"]["dynamic_labels"][*key] = json!({"command": command, "period": period});
    }
    app
}

fn label<'a>(app: &'a AppStatus, key: &str) -> Option<&'a str> {
    app.dynamic_labels.get(key).map(String::as_str)
}

fn problem<'a>(app: &'a AppStatus, key: &str) -> Option<&'a str> {
    app.dynamic_label_problems.get(key).map(String::as_str)
}

async fn shown(agent: &mut Agent<'_>, name: &str, key: &str, value: &str) -> AppStatus {
    agent.app(name, &format!("{key}={value}"), |app| label(app, key) == Some(value)).await
}

#[tokio::test]
async fn what_commands_print_is_shown_beside_the_labels() {
    let world = World::new();
    fs::create_dir(world.path("secrets")).unwrap();
    fs::write(world.path("secrets/token"), "hush").unwrap();
    fs::set_permissions(world.path("secrets"), mode(0o700)).unwrap();
    let mut labels = labelled(
        &world,
        "app",
        &[
            ("kernel", &["uname", "-s"], "1h"),
            ("user", &["id", "-un"], "1h"),
            ("given", &["sh", "-c", "echo \"[$PLAIN][$TOKEN]\"; echo second"], "1h"),
            ("folder", &["sh", "-c", "ls -A | wc -l"], "1h"),
            ("version", &["mcpfleet", "--version"], "1h"),
        ],
    );
    labels["spec"]["mcp"]["env"]["PLAIN"] = json!("plain");
    labels["spec"]["mcp"]["env"]["TOKEN"] = json!({"secret": "token"});
    world.put("app.yaml", &labels);
    let secrets_dir = format!("app_service.secrets_dir={}", world.path("secrets").display());
    let mut agent = world.run_with(&["fleet", "--set", "gateway.listen=127.0.0.1:0", "--set", &secrets_dir]);
    agent
        .app("app", "ready with all labels", |app| app.state == Some(AppState::Ready) && app.dynamic_labels.len() == 5)
        .await;
    let row = shown(&mut agent, "app", "kernel", "Linux").await;
    assert_eq!(row.labels.keys().collect::<Vec<_>>(), ["env"]);
    assert_eq!(label(&row, "given"), Some("[plain][]"), "secrets are the server's only");
    assert_eq!(label(&row, "folder"), Some("0"), "a private folder of its own");
    assert_eq!(label(&row, "version"), Some(concat!("mcpfleet ", env!("CARGO_PKG_VERSION"))));
    if geteuid().is_root() {
        assert_eq!(label(&row, "user"), Some("nobody"));
    }
    let listed: Value = serde_json::from_str(&agent.says(&["mcp", "ls", "-o", "json"]).await).unwrap();
    assert_eq!(listed[0]["labels"], json!({"env": "dev"}));
    assert_eq!(listed[0]["dynamic_labels"]["kernel"], "Linux");
    assert!(agent.says(&["mcp", "ls"]).await.contains("kernel=Linux"));
    agent.stop().await;
}

#[tokio::test]
async fn a_failure_keeps_the_value_and_is_shown() {
    let world = World::new();
    let trouble = world.path("trouble");
    let script = format!("test ! -e {} || {{ echo broken >&2; exit 3; }}; echo fine", trouble.display());
    world.put(
        "app.yaml",
        &labelled(
            &world,
            "app",
            &[
                ("health", &["sh", "-c", &script], "1s"),
                ("missing", &["no-such-program-here"], "1h"),
                ("flood", &["yes"], "1h"),
                ("slow", &["sleep", "1000"], "1s"),
                ("colour", &["printf", "\\033[31mred"], "1h"),
            ],
        ),
    );
    let mut agent = world.run();
    let row = shown(&mut agent, "app", "health", "fine").await;
    assert_eq!(problem(&row, "health"), None);
    fs::write(&trouble, "").unwrap();
    let row = agent.app("app", "a problem", |app| problem(app, "health").is_some()).await;
    assert_eq!(problem(&row, "health"), Some("exit status 3: broken"));
    assert_eq!(label(&row, "health"), Some("fine"), "the last value stands");
    assert_eq!(row.state, Some(AppState::Ready), "a label is no matter of life and death");
    assert!(agent.says(&["status"]).await.contains("label `health`: exit status 3: broken"));
    fs::remove_file(&trouble).unwrap();
    agent.app("app", "no problem", |app| problem(app, "health").is_none()).await;

    for (key, expected) in [
        ("missing", "cannot start `no-such-program-here`"),
        ("flood", "it printed more than 64 KiB"),
        ("slow", "it did not end within 1s"),
        ("colour", "it printed a line with control characters"),
    ] {
        let row = agent.app("app", key, |app| problem(app, key).is_some()).await;
        assert!(problem(&row, key).unwrap().contains(expected), "{row:?}");
        assert_eq!(label(&row, key), None);
    }
    agent.stop().await;
    assert!(marked(&world.mark()).is_empty());
}

#[tokio::test]
async fn only_labels_change_when_only_labels_do() {
    let world = World::new();
    let kernel: &[&str] = &["uname", "-s"];
    world.put("app.yaml", &labelled(&world, "app", &[("a", &["echo", "1"], "1h"), ("kernel", kernel, "1h")]));
    let mut agent = world.run();
    shown(&mut agent, "app", "a", "1").await;
    let pid = agent.pid("app").await;
    world.put(
        "app.yaml",
        &labelled(&world, "app", &[("a", &["echo", "2"], "1h"), ("b", &["echo", "3"], "1h"), ("kernel", kernel, "1h")]),
    );
    shown(&mut agent, "app", "a", "2").await;
    shown(&mut agent, "app", "b", "3").await;
    world.put("app.yaml", &labelled(&world, "app", &[("kernel", kernel, "1h")]));
    let row = agent.app("app", "one label", |app| app.dynamic_labels.len() == 1).await;
    assert_eq!(label(&row, "kernel"), Some("Linux"));
    assert_eq!(agent.pid("app").await, pid);
    let log = world.log();
    assert!(log.contains("dynamic labels changed") && !log.contains("spec changed"), "{log}");

    agent.says(&["suspend", "app"]).await;
    agent.app("app", "suspended", |app| app.state == Some(AppState::Suspended) && app.dynamic_labels.is_empty()).await;
    agent.says(&["resume", "app"]).await;
    shown(&mut agent, "app", "kernel", "Linux").await;
    agent.stop().await;
}

/// What an agent does not run, it runs no command of; and labels that come of commands choose nothing.
#[tokio::test]
async fn nothing_runs_for_an_app_that_is_not_selected() {
    let world = World::new();
    fs::create_dir(world.path("traces")).unwrap();
    fs::set_permissions(world.path("traces"), mode(0o777)).unwrap();
    for (name, env) in [("mine", "prod"), ("other", "dev")] {
        let script = format!("touch {}/{name}; echo prod", world.path("traces").display());
        let mut app = labelled(&world, name, &[("tier", &["sh", "-c", &script], "1s")]);
        app["metadata"]["labels"] = json!({"env": env});
        world.put(&format!("{name}.yaml"), &app);
    }
    let selectors = json!([{"labels": {"env": "prod"}}, {"labels": {"tier": "prod"}}]);
    let mut agent =
        world.run_configured(&json!({"gateway": {"auth": "open"}, "app_service": {"resources": selectors}}));
    shown(&mut agent, "mine", "tier", "prod").await;
    agent.look_again().await;
    let status = agent.ready().await;
    assert_eq!(app(&status, "other").and_then(|app| app.state), None);
    assert!(world.path("traces").join("mine").exists() && !world.path("traces").join("other").exists());
    agent.stop().await;
}

#[tokio::test]
async fn nothing_of_a_command_is_left() {
    let world = World::new();
    // One that goes on, one whose children do, and leave its group.
    let escaping = "setsid sleep 1000 & setsid sh -c 'trap \"\" TERM; sleep 1000' & echo done";
    let labels: &[(&str, &[&str], &str)] =
        &[("long", &["sleep", "1000"], "1h"), ("forks", &["sh", "-c", escaping], "1h")];
    let sleepers = |world: &World| {
        let sleeps = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().starts_with(b"sleep\0");
        marked(&world.mark()).into_iter().filter(sleeps).count()
    };
    world.put("app.yaml", &labelled(&world, "app", labels));
    let mut agent = world.run();
    shown(&mut agent, "app", "forks", "done").await;
    eventually("only the long one", async || (sleepers(&world) == 1).then_some(())).await;
    world.remove("app.yaml");
    eventually("nothing", async || marked(&world.mark()).is_empty().then_some(())).await;

    world.put("app.yaml", &labelled(&world, "app", labels));
    eventually("the long one again", async || (sleepers(&world) > 0).then_some(())).await;
    agent.ready().await;
    agent.stop().await;
    assert!(marked(&world.mark()).is_empty(), "{:?}", marked(&world.mark()));

    let mut agent = world.run();
    eventually("the long one once more", async || (sleepers(&world) > 0).then_some(())).await;
    agent.signal(Signal::SIGKILL);
    agent.ended().await;
    eventually("nothing after SIGKILL", async || marked(&world.mark()).is_empty().then_some(())).await;
}
