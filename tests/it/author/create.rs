//! `mcpfleet create`.

use super::world::{World, app};

#[tokio::test]
async fn a_new_resource_gets_a_file_and_a_signed_commit() {
    let world = World::new().await;
    let said = world.mcpfleet_with(&["create", "-"], &format!("# mine\n{}", app("web")), &[]).await.good();
    assert!(said.starts_with("created app/web in apps/web.yaml\ncommitted "), "{said}");
    assert_eq!(world.read("apps/web.yaml"), format!("# mine\n{}", app("web")));
    assert_eq!(world.git(&["status", "--porcelain"]).await, "");
    assert_eq!(world.git(&["log", "-1", "--format=%s"]).await, "Create app/web");
    assert!(world.git(&["cat-file", "commit", "HEAD"]).await.contains("gpgsig -----BEGIN SSH SIGNATURE-----"));
}

#[tokio::test]
async fn every_document_gets_a_file_of_its_own_unless_one_is_named() {
    let world = World::new().await;
    let role = "kind: role\nversion: v8\nmetadata: {name: readers}\nspec: {}\n";
    let user = "kind: user\nversion: v2\nmetadata: {name: grace}\nspec: {roles: [readers]}\n";
    let all = format!("%YAML 1.2\n---\n# one\n{}--- # role\n{role}...\n---\n{user}", app("one"));
    let message = ["create", "-", "-m", "Three at once"];
    let said = world.mcpfleet_with(&message, &all, &[]).await.good();
    assert!(said.starts_with(
        "created app/one in apps/one.yaml\ncreated role/readers in roles/readers.yaml\ncreated user/grace in users/grace.yaml\n"
    ));
    assert_eq!(world.read("apps/one.yaml"), format!("# one\n{}", app("one")));
    assert_eq!(world.read("roles/readers.yaml"), role);
    assert_eq!(world.read("users/grace.yaml"), user);
    assert_eq!(world.git(&["log", "-1", "--format=%s"]).await, "Three at once");

    let two = format!("{}---\n{}", app("a"), app("b"));
    world.mcpfleet_with(&["create", "-", "--path", "teams/x/all.yml"], &two, &[]).await.good();
    assert_eq!(world.read("teams/x/all.yml"), two);
    world.mcpfleet_with(&["create", "-", "--path", "./teams/x/all.yml"], &app("c"), &[]).await.good();
    assert_eq!(world.read("teams/x/all.yml"), format!("{two}---\n{}", app("c")));
}

#[tokio::test]
async fn what_is_there_is_replaced_only_when_asked_for_and_where_it_is() {
    let world = World::new().await;
    let file = format!("# head\n{}# tail of a\n--- # b\n# about b\n{}\n---\n{}", app("a"), app("b"), app("c"));
    world.mcpfleet_with(&["create", "-", "--path", "all.yaml"], &file, &[]).await.good();
    let before = world.state().await;

    let new = app("b").replace("command: x", "command: y");
    let said = world.mcpfleet_with(&["create", "-"], &new, &[]).await.bad(1);
    assert_eq!(said, "error: app/b is there already, in all.yaml\n  help: `-f` replaces it\n");
    assert_eq!(world.state().await, before);

    let said = world.mcpfleet_with(&["create", "-f", "-"], &new, &[]).await.good();
    assert!(said.starts_with("updated app/b in all.yaml\n"), "{said}");
    let expected = format!("# head\n{}# tail of a\n---\n{new}---\n{}", app("a"), app("c"));
    assert_eq!(world.read("all.yaml"), expected);
    assert_eq!(world.git(&["log", "-1", "--format=%s"]).await, "Update app/b");

    let head = world.state().await;
    assert_eq!(world.mcpfleet_with(&["create", "-f", "-"], &new, &[]).await.good(), "nothing changes\n");
    assert_eq!(world.state().await, head);
}

#[tokio::test]
async fn a_file_that_is_where_it_belongs_is_committed_as_it_stands() {
    let world = World::new().await;
    let text = format!("# mine\r\n{}", app("web").replace('\n', "\r\n"));
    world.write("teams/a/web.yaml", &text);
    let said = world.mcpfleet(&["create", "teams/a/web.yaml"]).await.good();
    assert!(said.starts_with("created app/web in teams/a/web.yaml\n"), "{said}");
    assert_eq!(world.read("teams/a/web.yaml"), text);
    assert_eq!(world.git(&["status", "--porcelain"]).await, "");

    world.write("teams/a/web.yaml", app("web").replace("command: x", "command: y"));
    let said = world.mcpfleet(&["create", "teams/a/web.yaml"]).await.bad(1);
    assert!(said.contains("app/web is there already, in teams/a/web.yaml"), "{said}");
    let said = world.mcpfleet(&["create", "-f", "teams/a/web.yaml"]).await.good();
    assert!(said.starts_with("updated app/web in teams/a/web.yaml\n"), "{said}");
}

#[tokio::test]
async fn what_is_not_valid_is_not_written() {
    let world = World::new().await;
    let before = world.state().await;
    let user = "kind: user\nversion: v2\nmetadata: {name: eve}\nspec: {roles: [nobody]}\n";
    for (text, expected) in [
        (app("web").replace("command", "comand"), "did you mean `command`?"),
        (user.to_owned(), "role `nobody` does not exist"),
        (app("Demo"), "differs from `demo` only in case"),
        (format!("{}---\n{}", app("twice"), app("twice")), "app/twice is twice in stdin"),
        ("# nothing\n".to_owned(), "there is no resource in stdin"),
        (format!("{}---\na: [\n", app("web")), "error[syntax]"),
    ] {
        let said = world.mcpfleet_with(&["create", "-"], &text, &[]).await.bad(1);
        assert!(said.contains(expected), "{text}\n{said}");
        assert_eq!(world.state().await, before);
    }
    // A key that somebody has already.
    let user = format!(
        "kind: user\nversion: v2\nmetadata: {{name: eve}}\nspec: {{roles: [admins], git: {{signing_keys: [{:?}]}}}}\n",
        world.key()
    );
    let said = world.mcpfleet_with(&["create", "-"], &user, &[]).await.bad(1);
    assert!(said.contains("is also claimed by user"), "{said}");
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn mistakes_of_other_files_are_theirs() {
    let world = World::plain(&[("apps/broken.yaml", "kind: app\nspec: [\n"), ("apps/a.yaml", &app("a"))]);
    world.mcpfleet_with(&["create", "-"], &app("b"), &[]).await.good();
    assert_eq!(world.read("apps/b.yaml"), app("b"));
}

#[tokio::test]
async fn a_dry_run_shows_the_difference_and_changes_nothing() {
    let world = World::new().await;
    let before = world.state().await;
    let new = world.read_all("apps/demo.yaml").replace("env: dev", "env: test");
    let said = world.mcpfleet_with(&["create", "-f", "-", "--dry-run"], &new, &[]).await.good();
    assert!(said.starts_with("--- a/apps/demo.yaml\n+++ b/apps/demo.yaml\n@@ -6,7 +6,7 @@\n"), "{said}");
    assert!(said.contains("\n-    env: dev\n+    env: test\n"), "{said}");
    let said = world.mcpfleet_with(&["create", "-", "--dry-run"], &app("web"), &[]).await.good();
    assert!(
        said.starts_with("--- /dev/null\n+++ b/apps/web.yaml\n@@ -0,0 +1,5 @@\n+# yaml-language-server: "),
        "{said}"
    );
    assert!(said.contains("resource.json\n+kind: app\n"), "{said}");
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn in_a_plain_folder_files_are_written_and_no_more() {
    let world = World::plain(&[("apps/a.yaml", &app("a"))]);
    let said = world.mcpfleet_with(&["create", "-"], &app("b"), &[]).await.good();
    assert_eq!(said, "created app/b in apps/b.yaml\n");
    world.write("new.yaml", app("c"));
    let elsewhere = world.path("elsewhere.yaml");
    std::fs::write(&elsewhere, app("d")).unwrap();
    let file = elsewhere.to_str().unwrap();
    let mut command = world.home.mcpfleet(["create", file, "--repo", super::world::FOLDER]);
    command.current_dir(world.home.path());
    assert_eq!(world.run(command, "").await.good(), "created app/d in apps/d.yaml\n");
    assert_eq!(world.mcpfleet(&["rm", "app/a"]).await.good(), "deleted app/a in apps/a.yaml\n");
    let files: Vec<String> = world.files().into_keys().collect();
    assert_eq!(files, ["apps/b.yaml", "apps/d.yaml", "new.yaml"]);
    assert!(world.mcpfleet(&["history", "app/b"]).await.bad(2).contains("is no git repository"));
}
