//! What the agent would refuse is not committed.

use super::world::{World, app};

const AUDITED: &str = "authorization: {mode: audit}\n";

impl World {
    /// Everything from now on is signed by somebody who may only change apps that are labelled `env: dev`.
    async fn become_grace(&self) {
        let key = crate::support::Key::new("grace");
        let user = format!(
            "kind: user\nversion: v2\nmetadata: {{name: grace}}\nspec: {{roles: [developers], git: {{signing_keys: [{:?}]}}}}\n",
            key.public()
        );
        self.mcpfleet_with(&["create", "-"], &user, &[]).await.good();
        let file = key.write_to(self.home.path());
        std::fs::write(file.with_extension("key.pub"), key.public()).unwrap();
        self.git(&["config", "user.signingkey", file.to_str().unwrap()]).await;
    }
}

#[tokio::test]
async fn the_branch_never_leads_to_the_commit_and_the_reason_is_shown() {
    let world = World::with_remote().await;
    world.become_grace().await;
    world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.good();

    world.write("notes.txt", "staged\n");
    world.git(&["add", "notes.txt"]).await;
    let before = world.state().await;
    let log = world.git(&["reflog", "--all"]).await;
    let prod = app("web").replace("env: dev", "env: prod");
    let role = world.read("roles/developers.yaml").replace("env: dev", "\"*\": \"*\"");
    for (arguments, input, expected) in [
        (&["create", "-f", "-"][..], prod.as_str(), "update of app web"),
        (&["create", "-f", "-"], role.as_str(), "update of role developers"),
        (&["rm", "app/web", "role/developers", "user/grace"], "", "delete"),
        (&["create", "-", "--no-push"], &app("other").replace("env: dev", "env: prod"), "create of app other"),
        (&["create", "-", "--path", "elsewhere/x.yaml"], &app("x"), "create of app x"),
    ] {
        let said = world.mcpfleet_with(arguments, input, &[]).await.bad(1);
        assert!(said.contains("not-allowed") && said.contains(expected) && said.contains("grace"), "{said}");
        assert!(said.contains("nothing has been committed"), "{said}");
        assert_eq!(world.state().await, before);
        // Whoever watches the branch has not seen it there for a moment.
        assert_eq!(world.git(&["reflog", "--all"]).await, log);
    }

    let said = world.mcpfleet_with(&["create", "-f", "-", "--anyway"], &prod, &[]).await;
    assert!(said.err.contains("not-allowed"), "{said:?}");
    assert!(said.good().contains("pushed commit "));
    // What is refused already is not held against the next commit.
    let said = world.mcpfleet_with(&["create", "-"], &app("fine"), &[]).await.good();
    assert!(said.contains("pushed commit "), "{said}");
}

#[tokio::test]
async fn what_was_staged_of_the_same_file_stays() {
    let world = World::new().await;
    world.write("apps/web.yaml", app("web") + "# staged\n");
    world.write("apps/later.yaml", app("later"));
    world.git(&["add", "apps/web.yaml"]).await;
    world.git(&["add", "--intent-to-add", "apps/later.yaml"]).await;
    world.write("apps/web.yaml", app("web"));
    world.git(&["config", "commit.gpgsign", "false"]).await;
    let before = world.state().await;
    world.mcpfleet(&["create", "apps/web.yaml"]).await.bad(1);
    assert_eq!(world.state().await, before);
    assert_eq!(world.git(&["show", ":apps/web.yaml"]).await + "\n", app("web") + "# staged\n");

    world.git(&["config", "commit.gpgsign", "true"]).await;
    world.mcpfleet(&["create", "apps/web.yaml"]).await.good();
    assert_eq!(world.git(&["show", "HEAD:apps/web.yaml"]).await + "\n", app("web"));
    assert_eq!(world.git(&["status", "--porcelain"]).await, " A apps/later.yaml");
}

#[tokio::test]
async fn nobody_who_is_known_may_change_nothing() {
    let world = World::new().await;
    let before = world.state().await;
    world.git(&["config", "commit.gpgsign", "false"]).await;
    let said = world.mcpfleet(&["rm", "app/demo"]).await.bad(1);
    assert!(said.contains("unsigned"), "{said}");
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn earlier_commits_that_were_not_pushed_count_too() {
    let world = World::with_remote().await;
    world.write("apps/demo.yaml", world.read("apps/demo.yaml") + "# unsigned\n");
    world.git(&["commit", "--quiet", "--no-gpg-sign", "--all", "-m", "Unsigned"]).await;
    let said = world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.bad(1);
    assert!(said.contains("Unsigned") && said.contains("unsigned"), "{said}");
}

#[tokio::test]
async fn the_configuration_of_the_base_decides() {
    let world = World::with_remote().await;
    // One that is not pushed yet is not in force.
    world.write(".mcpfleet/agent.yaml", AUDITED);
    world.git(&["commit", "--quiet", "--all", "-m", "Audit"]).await;
    world.git(&["config", "commit.gpgsign", "false"]).await;
    world.mcpfleet(&["rm", "app/demo"]).await.bad(1);
    world.git(&["push", "--quiet"]).await;
    world.mcpfleet(&["rm", "app/demo"]).await.good();

    world.write(".mcpfleet/agent.yaml", "authorisation: {}\n");
    world.git(&["commit", "--quiet", "--all", "-m", "Slip"]).await;
    world.git(&["push", "--quiet"]).await;
    let before = world.state().await;
    let said = world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.bad(2);
    assert!(said.contains("unknown field `authorisation`"), "{said}");
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn only_managed_files_are_resources() {
    let world = World::with_remote().await;
    let said = world.read(".mcpfleet/agent.yaml") + "  managed: [\"{apps,roles,users}/*.yaml\"]\n";
    world.write(".mcpfleet/agent.yaml", said);
    world.write("deploy/values.yaml", "no: resource\n");
    world.write("deploy/demo.yaml", world.read("apps/demo.yaml"));
    world.git(&["add", "."]).await;
    world.git(&["commit", "--quiet", "--message", "Other files"]).await;
    world.git(&["push", "--quiet"]).await;
    assert!(!world.mcpfleet(&["get"]).await.good().contains("deploy/"));
    world.mcpfleet(&["rm", "app/demo"]).await.good();
    assert!(world.has("deploy/demo.yaml"));
    let said = world.mcpfleet_with(&["create", "-", "--path", "deploy/web.yaml"], &app("web"), &[]).await.bad(2);
    assert!(said.contains("deploy/web.yaml would not be one of the resource files"), "{said}");
}
