//! What happens in git: other work of the user's, hooks, pushes.

use super::world::{World, app};
use std::fs;

#[tokio::test]
async fn other_work_in_the_repository_is_left_alone() {
    let world = World::new().await;
    world.write("README.md", "changed\n");
    world.write("notes.txt", "staged\n");
    world.git(&["add", "notes.txt"]).await;
    world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.good();
    assert_eq!(world.git(&["show", "--name-only", "--format=", "HEAD"]).await, "apps/web.yaml");
    assert_eq!(world.git(&["status", "--porcelain"]).await, " M README.md\nA  notes.txt");
    assert_eq!(world.read("README.md"), "changed\n");
}

#[tokio::test]
async fn changes_that_are_not_committed_do_not_get_into_the_commit() {
    let world = World::new().await;
    let file = world.read("apps/demo.yaml");
    world.write("apps/demo.yaml", format!("{file}# not committed\n"));
    let before = world.state().await;
    for (arguments, input) in
        [(&["create", "-f", "-"][..], file.replace("env: dev", "env: test")), (&["rm", "app/demo"], String::new())]
    {
        let said = world.mcpfleet_with(arguments, &input, &[]).await.bad(1);
        assert!(said.contains("apps/demo.yaml has changes that are not committed"), "{said}");
        assert_eq!(world.state().await, before);
    }
    // A file that is only in the work tree is not overwritten either.
    world.write("apps/web.yaml", "mine");
    let said = world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.bad(1);
    assert!(said.contains("apps/web.yaml is there already, and not committed"), "{said}");
    assert_eq!(world.read("apps/web.yaml"), "mine");
}

#[tokio::test]
async fn a_hook_that_refuses_leaves_everything_as_it_was() {
    let world = World::new().await;
    let hook = world.script("pre-commit", "echo 'not today' >&2; exit 1\n");
    fs::rename(hook, world.folder().join(".git/hooks/pre-commit")).unwrap();
    let before = world.state().await;
    let said = world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.bad(1);
    assert!(said.contains("not today") && said.contains("nothing has changed"), "{said}");
    let new = world.read("apps/demo.yaml").replace("env: dev", "env: test");
    world.mcpfleet_with(&["create", "-f", "-"], &new, &[]).await.bad(1);
    world.mcpfleet(&["rm", "app/demo"]).await.bad(1);
    assert_eq!(world.state().await, before);
}

impl World {
    fn hook(&self, name: &str, text: &str) {
        fs::rename(self.script(name, text), self.folder().join(".git/hooks").join(name)).unwrap();
    }
}

#[tokio::test]
async fn hooks_see_and_may_shape_the_commit_as_with_git_commit() {
    let world = World::new().await;
    world.write("notes.txt", "staged\n");
    world.git(&["add", "notes.txt"]).await;
    world.hook(
        "pre-commit",
        "git diff --cached --name-only -- '*.yaml' '*.txt' > ../seen; echo x > added; git add added\n",
    );
    world.hook("prepare-commit-msg", "echo \"$2\" >> ../seen\n");
    world.hook("commit-msg", "printf '\\n\\nTicket: 7\\n' >> \"$1\"\n");
    world.hook("post-commit", "git log -1 --format=%s >> ../seen\n");
    world.mcpfleet_with(&["create", "-", "-m", "One "], &app("web"), &[]).await.good();
    assert_eq!(fs::read_to_string(world.path("seen")).unwrap(), "apps/web.yaml\nmessage\nOne\n");
    assert_eq!(world.git(&["log", "-1", "--format=%B"]).await, "One\n\nTicket: 7");
    assert_eq!(world.git(&["show", "--name-only", "--format=", "HEAD"]).await, "added\napps/web.yaml");
    assert_eq!(world.git(&["reflog", "-1", "--format=%gs"]).await, "commit: One");
    assert!(world.git(&["status", "--porcelain"]).await.contains("A  notes.txt"));

    world.hook("commit-msg", ": > \"$1\"\n");
    let said = world.mcpfleet(&["rm", "app/web"]).await.bad(1);
    assert!(said.contains("the message is empty"), "{said}");
    assert!(world.has("apps/web.yaml"));
}

#[tokio::test]
async fn a_failure_leaves_nothing_or_says_that_the_commit_stays() {
    let world = World::with_remote().await;
    let lock = world.folder().join(".git/index.lock");
    let before = world.state().await;
    fs::write(&lock, "").unwrap();
    let said = world.mcpfleet(&["rm", "app/demo"]).await.bad(1);
    assert!(said.contains("another git is at work"), "{said}");
    fs::remove_file(&lock).unwrap();
    assert_eq!(world.state().await, before);

    world.hook("reference-transaction", "[ \"$1\" != prepared ]\n");
    let said = world.mcpfleet(&["rm", "app/demo"]).await.bad(1);
    assert!(said.contains("the branch was not moved, nothing has changed"), "{said}");
    assert_eq!(world.state().await, before);

    world.hook("reference-transaction", "[ \"$1\" != committed ] || : > .git/index.lock\n");
    let said = world.mcpfleet(&["rm", "app/demo"]).await.bad(3);
    assert!(said.contains("is made, and not pushed") && said.contains("`git reset -- apps/demo.yaml` mends"), "{said}");
    assert_eq!(world.git(&["log", "-1", "--format=%s"]).await, "Delete app/demo");
    assert!(!world.has("apps/demo.yaml"));
    fs::remove_file(world.folder().join(".git/hooks/reference-transaction")).unwrap();
    fs::remove_file(&lock).unwrap();
    world.git(&["reset", "--quiet", "--", "apps/demo.yaml"]).await;
    assert_eq!(world.git(&["status", "--porcelain"]).await, "");
}

#[tokio::test]
async fn a_merge_that_is_under_way_is_not_disturbed() {
    let world = World::new().await;
    world.git(&["checkout", "--quiet", "-b", "side"]).await;
    world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.good();
    world.git(&["checkout", "--quiet", "main"]).await;
    world.git(&["merge", "--quiet", "--no-ff", "--no-commit", "side"]).await;
    let before = world.state().await;
    let said = world.mcpfleet(&["rm", "app/demo"]).await.bad(1);
    assert!(said.contains("a merge is under way"), "{said}");
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn a_key_that_is_gone_is_an_error_that_changes_nothing() {
    let world = World::new().await;
    let before = world.state().await;
    world.git(&["config", "user.signingkey", "/nowhere.pub"]).await;
    let said = world.mcpfleet(&["rm", "app/demo"]).await.bad(3);
    assert!(said.contains("/nowhere.pub") && said.contains("nothing has changed"), "{said}");
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn a_commit_is_pushed_to_the_upstream() {
    let world = World::with_remote().await;
    let remote = world.path("remote.git");
    let said = world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.good();
    assert!(said.contains("pushed commit ") && said.ends_with(" to origin/main\n"), "{said}");
    assert_eq!(world.git_in(&remote, &["log", "-1", "--format=%s", "main"]).await, "Create app/web");

    let said = world.mcpfleet(&["rm", "app/web", "--no-push"]).await.good();
    assert!(said.ends_with("\nnot pushed\n"), "{said}");
    assert_eq!(world.git_in(&remote, &["log", "-1", "--format=%s", "main"]).await, "Create app/web");

    let said = world.mcpfleet_with(&["create", "-"], &app("more"), &[]).await.good();
    assert!(said.ends_with(" to origin/main, after 1 that had not been pushed yet\n"), "{said}");
    let log = world.git_in(&remote, &["log", "-2", "--format=%s", "main"]).await;
    assert_eq!(log, "Create app/more\nDelete app/web");

    world.git(&["checkout", "--quiet", "-b", "feature", "--no-track"]).await;
    let said = world.mcpfleet(&["rm", "app/more"]).await.good();
    assert!(said.contains("not pushed, as the branch has no upstream"), "{said}");
}

#[tokio::test]
async fn what_the_remote_refuses_stays_a_commit() {
    let world = World::with_remote().await;
    let hook = world.script("pre-receive", "echo 'who are you?' >&2; exit 1\n");
    fs::rename(hook, world.path("remote.git/hooks/pre-receive")).unwrap();
    let said = world.mcpfleet(&["rm", "app/demo"]).await.bad(1);
    assert!(said.contains("who are you?") && said.contains("origin/main did not take the commit"), "{said}");
    assert_eq!(world.git(&["log", "-1", "--format=%s"]).await, "Delete app/demo");

    fs::remove_dir_all(world.path("remote.git")).unwrap();
    let said = world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.bad(3);
    assert!(said.contains("could not be reached, and the commit stays here"), "{said}");
}

#[tokio::test]
async fn any_folder_of_the_work_tree_will_do_and_variables_of_hooks_do_not_count() {
    let world = World::new().await;
    let other = world.path("other");
    fs::create_dir(&other).unwrap();
    world.git_in(&other, &["init", "--quiet"]).await;
    let other = other.join(".git");
    let mut command = world.home.mcpfleet(["create", "-", "--path", "x/web.yaml"]);
    command.current_dir(world.folder().join("apps")).env("GIT_DIR", other).env("GIT_INDEX_FILE", "/nowhere");
    world.run(command, &app("web")).await.good();
    assert_eq!(world.read("x/web.yaml"), app("web"));
    assert_eq!(world.git(&["status", "--porcelain"]).await, "");
}

#[tokio::test]
async fn a_repository_without_commits_takes_a_first_one() {
    let world = World::new().await;
    let fresh = world.path("fresh");
    fs::create_dir(&fresh).unwrap();
    world.git_in(&fresh, &["init", "--quiet"]).await;
    world.git_in(&fresh, &["config", "user.name", "Ada"]).await;
    world.git_in(&fresh, &["config", "user.email", "ada@example.com"]).await;
    let mut command = world.home.mcpfleet(["create", "-"]);
    command.current_dir(&fresh);
    world.run(command, &app("web")).await.good();
    assert_eq!(world.git_in(&fresh, &["log", "--format=%s %an"]).await, "Create app/web Ada");

    let mut command = world.home.mcpfleet(["get", "--repo", "remote.git"]);
    world.git(&["init", "--quiet", "--bare", world.path("remote.git").to_str().unwrap()]).await;
    command.current_dir(world.home.path());
    assert!(world.run(command, "").await.bad(2).contains("is a bare repository"));
}
