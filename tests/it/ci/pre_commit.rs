//! The hooks for pre-commit, run by the real one.

use super::{Ended, World, file, path_with_mcpfleet};
use crate::support::{app, outside};
use std::path::Path;

struct Project {
    world: World,
    tool: std::path::PathBuf,
}

impl Project {
    /// A work tree of the fleet whose pre-commit takes the hooks from a repository with the project's own description.
    async fn new(tool: &Path, hook: &str) -> Project {
        let world = World::new();
        world.change(&[]);
        world.checkout().await;
        let project = Project { world, tool: tool.to_owned() };
        project.git(&["init", "--quiet", "hooks"]).await;
        project.write("hooks/.pre-commit-hooks.yaml", &file(".pre-commit-hooks.yaml"));
        let name = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
        project.git(&["-C", "hooks", "add", "--all"]).await;
        project.git(&[&["-C", "hooks"], &name[..], &["commit", "--quiet", "--no-gpg-sign", "-m", "x"]].concat()).await;
        project.write("work/.pre-commit-config.yaml", &config_of(&project, hook).await);
        project
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.world.home.path().join(path), text).expect("a file that can be written");
    }

    async fn git(&self, arguments: &[&str]) -> Ended {
        let ended = Ended::from(self.world.home.git(arguments).output().await.expect("git starts"));
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.errors);
        ended
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = tokio::process::Command::new(&self.tool);
        command.args(["run", "--verbose", "--color", "never"]).args(arguments).kill_on_drop(true);
        command.env_clear().envs(self.world.home.environment()).env("PATH", path_with_mcpfleet());
        command.env("PRE_COMMIT_HOME", self.world.home.path().join("pre-commit"));
        command.env("GIT_CONFIG_NOSYSTEM", "1").current_dir(self.world.home.path().join("work"));
        command.output().await.expect("pre-commit starts").into()
    }
}

async fn config_of(project: &Project, hook: &str) -> String {
    let revision = project.git(&["-C", "hooks", "rev-parse", "HEAD"]).await.out;
    let hooks = project.world.home.path().join("hooks");
    format!("repos:\n- repo: {}\n  rev: {revision}  hooks:\n  - id: {hook}\n", hooks.display())
}

#[tokio::test]
async fn what_is_staged_is_checked() {
    let test = "ci::pre_commit::what_is_staged_is_checked";
    let Some(tool) = outside(test, "MCPFLEET_TEST_PRE_COMMIT") else { return };
    for hook in ["mcpfleet", "mcpfleet-validate"] {
        let project = Project::new(&tool, hook).await;
        project.write("work/bad.yaml", "kind: nothing\n");
        project.git(&["-C", "work", "add", "--all"]).await;
        let ended = project.run(&[]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.out.contains("error[unknown-kind]"), "{hook}: {}", ended.out);
        project.write("work/bad.yaml", &app("good", "a", "x"));
        project.git(&["-C", "work", "add", "--all"]).await;
        let ended = project.run(&[]).await;
        assert_eq!(ended.code, Some(0), "{hook}: {ended:?}");
        assert!(ended.out.contains("Passed"), "{hook}: {}", ended.out);
        // A commit that only removes something may break what is left.
        project.git(&["-C", "work", "reset", "--quiet", "--hard"]).await;
        project.write("work/.pre-commit-config.yaml", &config_of(&project, hook).await);
        project.git(&["-C", "work", "rm", "--quiet", "roles/team-a.yaml"]).await;
        project.git(&["-C", "work", "add", ".pre-commit-config.yaml"]).await;
        let ended = project.run(&[]).await;
        assert_eq!(ended.code, Some(1), "{hook}: {ended:?}");
        assert!(ended.out.contains("error[unknown-role]"), "{hook}: {}", ended.out);
    }
}

#[tokio::test]
async fn what_is_pushed_is_checked() {
    let test = "ci::pre_commit::what_is_pushed_is_checked";
    let Some(tool) = outside(test, "MCPFLEET_TEST_PRE_COMMIT") else { return };
    let project = Project::new(&tool, "mcpfleet-check").await;
    let world = &project.world;
    for (team, code) in [("b", 1), ("a", 0)] {
        let head = world.change(&[("apps/new.yaml", Some(&app("new", team, "x")))]).to_string();
        project.git(&["-C", "work", "fetch", "--quiet", "origin", &head]).await;
        let base = world.base.to_string();
        let ended = project.run(&["--hook-stage", "pre-push", "--from-ref", &base, "--to-ref", &head]).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert_eq!(ended.out.contains("[not-allowed]"), code == 1, "{}", ended.out);
    }
}
