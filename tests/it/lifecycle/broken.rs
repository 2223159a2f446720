//! Files that cannot be read or make no sense, under a running agent: reported, and nothing is taken down.

use super::world::{Agent, World, app, condition, only_pid, runs};
use mcpfleet::{
    manifest::{Code, Diagnostic},
    status::model::{AgentState, ConditionKind, Status},
};
use nix::sys::stat::Mode;
use std::{fs, os::unix::fs::PermissionsExt};

fn of<'s>(status: &'s Status, path: &str) -> Option<&'s Diagnostic> {
    status.sources.iter().flat_map(|source| &source.diagnostics).find(|diagnostic| diagnostic.path == path)
}

async fn is_mended(agent: &mut Agent<'_>) {
    agent
        .soon("all is well again", |status| {
            let clear = status.sources.iter().all(|source| source.diagnostics.is_empty() && source.error.is_none());
            let same = status.apps.iter().all(|app| app.conditions.is_empty());
            (clear && same && status.agent.state == AgentState::Ready).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_broken_file_takes_nothing_down() {
    let world = World::new();
    let one = world.app("one", &[]);
    world.put("one.yaml", &one);
    world.put("two.yaml", &world.app("two", &[]));
    let mut agent = world.run();
    let (first, two) = (agent.pid("one").await, agent.pid("two").await);

    // What runs, and something new next to good files.
    world.write("one.yaml", "kind: app\nversion: v3\nmetadata: {name: one}\nspec:\n  mcp: {comand: x}\n");
    world.write("new.yaml", "kind: app\nversion: v3\nmetadata: {name: new}\nspec: [\n");
    world.put("three.yaml", &world.app("three", &[]));
    agent.soon("a good file next to broken ones", |status| app(status, "three").and_then(only_pid)).await;
    let status =
        agent.soon("both diagnostics", |s| (of(s, "one.yaml").and(of(s, "new.yaml"))).map(|_| s.clone())).await;
    let diagnostic = status.sources[0].diagnostics.iter().find(|d| d.message.contains("comand")).unwrap();
    let position = diagnostic.position.unwrap();
    assert_eq!((&*diagnostic.path, position.line, position.column), ("one.yaml", 5, 9));
    let row = app(&status, "one").unwrap();
    assert_eq!(only_pid(row), Some(first));
    assert!(condition(row, ConditionKind::Invalid).is_some_and(|why| why.contains("one.yaml")), "{row:?}");
    assert!(app(&status, "new").is_none());
    assert_eq!(status.agent.state, AgentState::Stalled);
    let text = agent.says(&["status"]).await;
    assert!(text.contains("one.yaml:5:9") && text.contains("comand") && text.contains("Invalid"), "{text}");

    world.put("one.yaml", &one);
    world.remove("new.yaml");
    is_mended(&mut agent).await;
    assert_eq!((agent.pid("one").await, agent.pid("two").await), (first, two));
    agent.stop().await;
}

#[tokio::test]
async fn of_two_apps_with_one_name_the_first_stays() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    world.put("another.yaml", &world.app("One", &["--never-ready"]));
    let status = agent
        .soon("the duplicate", |status| {
            let found =
                status.sources.iter().flat_map(|source| &source.diagnostics).any(|d| d.code == Code::DuplicateResource);
            found.then(|| status.clone())
        })
        .await;
    assert_eq!(app(&status, "one").and_then(only_pid), Some(pid));
    assert!(app(&status, "One").is_none());
    world.remove("another.yaml");
    is_mended(&mut agent).await;
    assert_eq!(agent.pid("one").await, pid);
    agent.stop().await;
}

#[tokio::test]
async fn files_of_every_evil_kind_neither_hang_nor_remove() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let mut agent = world.run();
    let pid = agent.pid("one").await;

    nix::unistd::mkfifo(&world.file("fifo.yaml"), Mode::S_IRWXU).unwrap();
    world.write("binary.yaml", b"\x7fELF\x02\x01\x01\x00\x00\xff\xfe");
    world.write("large.yaml", vec![b'#'; (1 << 20) + 1]);
    world.write("deep.yaml", "[".repeat(100_000));
    let bomb: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{m}, *a{m}, *a{m}]\n", m = n - 1)).collect();
    world.write("bomb.yaml", format!("a0: &a0 [x]\n{bomb}"));
    std::os::unix::fs::symlink("/etc/passwd", world.file("escaping.yaml")).unwrap();
    std::os::unix::fs::symlink("nowhere", world.file("dangling.yaml")).unwrap();
    let mut evil =
        vec!["fifo.yaml", "binary.yaml", "large.yaml", "deep.yaml", "bomb.yaml", "escaping.yaml", "dangling.yaml"];
    world.write("closed.yaml", "kind: app\n");
    fs::set_permissions(world.file("closed.yaml"), fs::Permissions::from_mode(0o000)).unwrap();
    evil.push("closed.yaml");
    agent
        .soon("a diagnostic for each", |status| evil.iter().all(|path| of(status, path).is_some()).then_some(()))
        .await;

    // And what runs is overwritten with each of them.
    for (what, text) in [("binary", "\0\u{1}".to_owned()), ("deep", "[".repeat(100_000)), ("empty", String::new())] {
        world.write("one.yaml", text);
        agent.look_again().await;
        let row = agent.app("one", what, |_| true).await;
        assert_eq!(row.instances.iter().find_map(|instance| instance.pid), Some(pid), "{what}");
        assert!(runs(pid), "{what}");
        if what != "empty" {
            assert!(condition(&row, ConditionKind::Invalid).is_some(), "{what}: {row:?}");
        }
        world.put("one.yaml", &world.app("one", &[]));
        agent.look_again().await;
    }
    evil.iter().for_each(|path| world.remove(path));
    is_mended(&mut agent).await;
    assert_eq!(agent.pid("one").await, pid);
    agent.stop().await;
}

#[tokio::test]
async fn a_folder_that_is_gone_is_no_empty_folder() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    fs::rename(world.path("fleet"), world.path("away")).unwrap();
    let message = agent.soon("the source's error", |status| status.sources[0].error.clone()).await.message;
    assert!(message.contains("fleet"), "{message}");
    let text = agent.says(&["status"]).await;
    assert!(text.contains(&message), "{text}");
    agent.app("one", "still there", |app| only_pid(app) == Some(pid)).await;
    fs::rename(world.path("away"), world.path("fleet")).unwrap();
    is_mended(&mut agent).await;
    world.put("two.yaml", &world.app("two", &[]));
    agent.soon("a file in the folder that is back", |status| app(status, "two").and_then(only_pid)).await;
    assert_eq!(agent.pid("one").await, pid);
    agent.stop().await;
}
