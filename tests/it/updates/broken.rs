//! A version that does not start takes nobody's server away.

use super::fleet::{Load, gateway, put, run, serves};
use crate::{
    lifecycle::world::{World, app},
    support::PlainClient,
};
use mcpfleet::status::model::AppState;
use serde_json::json;

const FLAGS: &[&str] = &["--era", "modern"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_does_not_start_never_replaces_one_that_works_under_load() {
    let world = World::new();
    put(&world, "one", FLAGS, &json!({}), 0);
    let mut agent = run(&world);
    let gateway = gateway(&mut agent).await;
    let watcher = PlainClient::new(&gateway, "one");
    let load = Load::start((0..32).map(|_| PlainClient::new(&gateway, "one")));
    let restart = json!({"initial_backoff": "50ms", "max_backoff": "50ms"});
    let script = "echo no licence, no service >&2; exit 7";
    let ends = json!({"command": "sh", "args": ["-c", script], "restart": restart});
    let mute = json!({"startup_timeout": "500ms", "restart": restart});
    let missing = json!({"command": "no-such-program", "restart": restart});
    let muted = [FLAGS, &["--never-ready"]].concat();
    for (flags, settings, why, last_line) in [
        (FLAGS, ends, "exit status 7", Some("no licence, no service")),
        (&*muted, mute, "has not answered within 500ms", None),
        (FLAGS, missing, "not found in PATH", None),
    ] {
        put(&world, "one", flags, &settings, 1);
        let row = agent
            .app("one", why, |row| {
                let told = row.reason.as_deref().is_some_and(|reason| reason.contains(why));
                row.state == Some(AppState::Degraded) && told
            })
            .await;
        if let Some(line) = last_line {
            assert!(row.last_lines.iter().any(|last| last == line), "{row:#?}");
        }
        load.goes_on(64).await;
        serves(&watcher, 0).await;
    }
    // The version that is mended takes over, and the one that has gone on serving is not missed.
    put(&world, "one", FLAGS, &json!({}), 2);
    serves(&watcher, 2).await;
    load.goes_on(64).await;
    load.end().await;
    agent
        .until("all is well", |status| app(status, "one").filter(|row| row.state == Some(AppState::Ready)).map(drop))
        .await;
    agent.stop().await;
}
