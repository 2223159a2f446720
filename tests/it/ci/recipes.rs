//! The page of recipes: its shell is run, and its files are what the forges expect.

use super::{Ended, World, file, path_with_mcpfleet};
use crate::support::{app, missing, outside};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The blocks of the page in a language.
fn blocks(language: &str) -> Vec<String> {
    let page = file("docs/ci.md");
    let parts = page.split("\n```");
    let found = parts.filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n').map(str::to_owned));
    let found: Vec<String> = found.map(|block| block + "\n").collect();
    assert!(!found.is_empty(), "no {language} in docs/ci.md");
    found
}

/// The block of a language with this in it.
fn block(language: &str, part: &str) -> String {
    blocks(language)
        .into_iter()
        .find(|block| block.contains(part))
        .unwrap_or_else(|| panic!("no {language} with {part}"))
}

impl World {
    async fn shell(&self, folder: &Path, script: &str) -> Ended {
        let mut command = tokio::process::Command::new("sh");
        command.args(["-ec", script]).current_dir(folder).kill_on_drop(true).stdin(Stdio::null());
        command.env_clear().envs(self.home.environment()).env("PATH", path_with_mcpfleet());
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command.output().await.expect("a shell").into()
    }
}

#[tokio::test]
async fn the_plain_shell_works() {
    let world = World::new();
    world.change(&[("apps/own.yaml", Some("kind: nothing\n"))]);
    let folder = world.checkout().await;
    let ended = world.shell(&folder, &block("sh", "junit=")).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for name in ["mcpfleet.xml", "mcpfleet.sarif", "mcpfleet.md", "mcpfleet.json"] {
        let text = std::fs::read_to_string(folder.join(name)).expect(name);
        assert!(text.contains("unknown-kind"), "{name}: {text}");
    }
}

#[tokio::test]
async fn the_step_of_jenkins_works() {
    let world = World::new();
    world.change(&[("apps/pay.yaml", Some(&app("pay", "a", "one")))]);
    let folder = world.checkout().await;
    let pipeline = block("groovy", "sh '");
    let script = pipeline.split("sh '").nth(1).and_then(|rest| rest.split('\'').next()).expect("a step");
    let ended = world.shell(&folder, script).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(folder.join("mcpfleet.xml").exists());
}

/// What the page and the project have for forges, by the schemas that are published for them.
#[test]
fn files_are_what_the_forges_expect() {
    let Some(checker) = outside("ci::recipes::files_are_what_the_forges_expect", "MCPFLEET_TEST_CHECK_JSONSCHEMA")
    else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let template = file("templates/check.yml");
    // The schema is that of what GitLab makes of a template: without its header.
    let job = template.split("\n---\n").nth(1).expect("a job").to_owned();
    for (schema, name, text) in [
        ("vendor.github-actions", "action.yml", file("action.yml")),
        ("vendor.github-workflows", "workflow.yml", block("yaml", "uses: platform/mcpfleet@main")),
        ("vendor.gitlab-ci", "gitlab.yml", block("yaml", "templates/check.yml")),
        ("vendor.gitlab-ci", "template.yml", job),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        let output = Command::new(&checker).args(["--builtin-schema", schema]).arg(&path).output().expect("it starts");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn files_are_what_pre_commit_expects() {
    let Some(tool) = outside("ci::recipes::files_are_what_pre_commit_expects", "MCPFLEET_TEST_PRE_COMMIT") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    for (kind, text) in [("manifest", file(".pre-commit-hooks.yaml")), ("config", block("yaml", "id: mcpfleet-check"))]
    {
        let path = folder.path().join("file.yaml");
        std::fs::write(&path, text).expect("a file");
        let output = Command::new(&tool).arg(format!("validate-{kind}")).arg(&path).output().expect("it starts");
        assert!(output.status.success(), "{kind}: {output:?}");
    }
}

/// An image of what the Dockerfile makes: the program with the libraries that it is linked to. (Its base image would come
/// from a registry.)
fn image(name: &str) {
    let root = tempfile::tempdir().expect("a folder");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_mcpfleet"));
    let listed = Command::new("ldd").arg(&program).output().expect("ldd");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let libraries = listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
    let files = libraries.map(|library| (library.clone(), library));
    for (from, to) in files.chain([(program, PathBuf::from("/usr/local/bin/mcpfleet"))]) {
        let to = root.path().join(to.strip_prefix("/").expect("an absolute path"));
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        std::fs::copy(&from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }
    std::fs::create_dir(root.path().join("tmp")).expect("a folder");
    let text = file("Dockerfile");
    let entrypoint = text.lines().find(|line| line.starts_with("ENTRYPOINT ")).expect("an entrypoint");
    let mut tar =
        Command::new("tar").arg("-C").arg(root.path()).args(["-c", "."]).stdout(Stdio::piped()).spawn().expect("tar");
    let archive = tar.stdout.take().expect("a pipe");
    let import = ["import", "-c", "ENV PATH=/usr/local/bin", "-c", entrypoint, "-", name];
    let made = Command::new("docker").args(import).stdin(archive).output().expect("docker");
    assert!(made.status.success() && tar.wait().expect("tar").success(), "{made:?}");
}

#[tokio::test]
async fn the_container_works() {
    const TEST: &str = "ci::recipes::the_container_works";
    let there = Command::new("docker").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        return missing(TEST, "there is no Docker engine");
    }
    let name = format!("mcpfleet-test-{}", std::process::id());
    image(&name);
    let world = World::new();
    world.change(&[("apps/other.yaml", Some(&app("other", "b", "x")))]);
    let folder = world.checkout().await;
    // The repository is somebody else's in there.
    let script =
        block("sh", "docker run").replace(" mcpfleet check", &format!(" --user 7420 --network none {name} check"));
    let ended = world.shell(&folder, &script).await;
    let _ = Command::new("docker").args(["image", "rm", "--force", &name]).output();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("[not-allowed]"), "{ended:?}");
}
