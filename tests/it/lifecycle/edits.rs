//! Edits of the files under a running agent: only what changed is touched.

use super::world::{World, app, gone, only_pid, runs};
use serde_json::json;
use std::fs;

#[tokio::test]
async fn only_what_changed_is_replaced() {
    let world = World::new();
    let mut one = world.app("one", &[]);
    world.put("one.yaml", &one);
    world.put("two.yaml", &world.app("two", &[]));
    let mut agent = world.run();
    let (first, two) = (agent.pid("one").await, agent.pid("two").await);

    one["spec"]["mcp"]["env"]["GREETING"] = json!("hello");
    world.put("one.yaml", &one);
    let second = agent
        .soon("an edited app is replaced", |status| app(status, "one").and_then(only_pid).filter(|pid| *pid != first))
        .await;
    gone(first).await;
    let environment = agent.call("one", "env", json!({})).await.unwrap();
    assert!(environment.contains(r#""GREETING":"hello""#), "{environment}");
    assert_eq!(agent.call("one", "pid", json!({})).await.unwrap(), second.to_string());
    assert_eq!(agent.pid("two").await, two);

    // An app that comes, and goes, and the others.
    world.put("more/three.yaml", &world.app("three", &[]));
    let third = agent.soon("a new app is ready", |status| app(status, "three").and_then(only_pid)).await;
    world.remove("more/three.yaml");
    agent.soon("a removed app is gone", |status| app(status, "three").is_none().then_some(())).await;
    assert!(!runs(third), "{third}");
    assert_eq!((agent.pid("one").await, agent.pid("two").await), (second, two));
    agent.stop().await;
    assert!(!runs(second) && !runs(two));
}

#[tokio::test]
async fn what_is_no_other_server_touches_no_process() {
    let world = World::new();
    let mut one = world.app("one", &[]);
    world.put("one.yaml", &one);
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    let since = agent.app("one", "shown", |_| true).await.since;

    one["metadata"]["labels"] = json!({"team": "a"});
    one["metadata"]["description"] = json!("Plays");
    world.put("one.yaml", &one);
    let described = agent
        .soon("new labels are shown", |status| {
            app(status, "one").filter(|app| app.labels.get("team").is_some_and(|team| team == "a")).cloned()
        })
        .await;
    assert_eq!(described.description.as_deref(), Some("Plays"));

    // Another text, the same meaning: block style, another order, a comment.
    let mark = world.mark();
    let fake = world.path("fake");
    let text = format!(
        "# The same\nversion: v3\nkind: app\nspec:\n  mcp:\n    args: []\n    env: {{MARK: {}}}\n    command: {}\n\
         metadata:\n  labels: {{team: a}}\n  name: one\n  description: Plays\n",
        mark.trim_start_matches("MARK="),
        fake.display()
    );
    world.write("one.yaml", text);
    agent.look_again().await;
    fs::rename(world.file("one.yaml"), world.file("renamed.yaml")).unwrap();
    agent.soon("a file's new name", |s| app(s, "one").filter(|app| app.path == "renamed.yaml").map(drop)).await;
    fs::File::options()
        .append(true)
        .open(world.file("renamed.yaml"))
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    agent.look_again().await;
    let end = agent.app("one", "shown", |_| true).await;
    assert_eq!((only_pid(&end), end.since, end.restarts), (Some(pid), since, 0));

    // Another name is another app.
    one["metadata"]["name"] = json!("other");
    world.put("renamed.yaml", &one);
    let other = agent
        .soon("a renamed app", |s| app(s, "one").is_none().then(|| app(s, "other").and_then(only_pid)).flatten())
        .await;
    assert_ne!(other, pid);
    gone(pid).await;
    agent.stop().await;
}
