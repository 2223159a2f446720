//! How a release is made: the workflow's form, and those of its steps that can be run here; and how the action takes what was
//! released.

use super::{file, prepare, project, says, tools};
use crate::support::{Ended, outside};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

fn workflow(name: &str) -> Value {
    serde_yaml::from_str(&file(&format!(".github/workflows/{name}.yml"))).expect("YAML")
}

/// A step of the release workflow, run in a folder as the runner would, with programs that are played there.
fn step(job: &str, name: &str, folder: &Path, environment: &[(&str, &str)]) -> Ended {
    let workflow = workflow("release");
    let steps = workflow["jobs"][job]["steps"].as_array().expect("steps").clone();
    let step = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name}"));
    assert_eq!(step["shell"], "bash", "{name}");
    for variable in step["env"].as_object().into_iter().flatten() {
        assert!(environment.iter().any(|(name, _)| name == variable.0), "{name}: {} is not given", variable.0);
    }
    script(step["run"].as_str().expect("a script"), folder, environment)
}

fn script(script: &str, folder: &Path, environment: &[(&str, &str)]) -> Ended {
    let played = folder.join("played");
    let path =
        std::env::join_paths([played, "/usr/local/bin".into(), "/usr/bin".into(), "/bin".into()]).expect("a PATH");
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(folder);
    command.env_clear().env("PATH", path).env("HOME", folder).env("GITHUB_OUTPUT", folder.join("output"));
    command.envs(environment.iter().copied()).output().expect("bash").into()
}

/// Plays a program: it writes down how it was called.
fn play(folder: &Path, program: &str, more: &str) {
    let played = folder.join("played");
    fs::create_dir_all(&played).expect("a folder");
    let path = played.join(program);
    fs::write(&path, format!("#!/bin/sh\nprintf '%s\\n' \"{program} $*\" >>\"$HOME/calls\"\n{more}\n"))
        .expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

fn calls(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The project's files that a step needs, in a folder of its own, with a changelog that has a release.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("deploy")).expect("a folder");
    for name in ["Cargo.toml", "deploy/changelog", "deploy/archive"] {
        fs::copy(project().join(name), folder.path().join(name)).expect("a file");
    }
    let version = env!("CARGO_PKG_VERSION");
    let text = format!(
        "# Changes\n\n## Unreleased\n\n- later\n\n## {version} - 2026-12-01\n\n### Added\n\n- this\n\n## 0.0.1\n\n- old\n"
    );
    fs::write(folder.path().join("CHANGELOG.md"), text).expect("a file");
    folder
}

#[test]
fn workflows_are_what_the_forge_expects() {
    const TEST: &str = "packages::release::workflows_are_what_the_forge_expects";
    let Some(checker) = outside(TEST, "MCPFLEET_TEST_CHECK_JSONSCHEMA") else { return };
    for name in ["release", "ci"] {
        let path = project().join(format!(".github/workflows/{name}.yml"));
        says(Command::new(&checker).args(["--builtin-schema", "vendor.github-workflows"]).arg(path));
    }
}

#[test]
fn workflows_may_do_no_more_than_they_must() {
    for name in ["release", "ci"] {
        let workflow = workflow(name);
        assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}), "{name}");
        for (job, told) in workflow["jobs"].as_object().expect("jobs") {
            let steps = told["steps"].as_array().expect("steps");
            let uses: Vec<&str> = steps.iter().filter_map(|step| step["uses"].as_str()).collect();
            // Nobody else's code sees the tokens.
            assert!(uses.iter().all(|action| action.starts_with("actions/")), "{name} {job}: {uses:?}");
            for step in steps {
                if step["uses"].as_str().is_some_and(|action| action.starts_with("actions/checkout")) {
                    assert_eq!(step["with"]["persist-credentials"], false, "{name} {job}");
                }
                let script = step["run"].as_str().unwrap_or_default();
                assert!(
                    !script.contains("${{"),
                    "{name} {job}: a name of a branch or tag can write commands: {script}"
                );
            }
        }
    }
    let release = workflow("release");
    let writers: Vec<&String> = release["jobs"]
        .as_object()
        .expect("jobs")
        .iter()
        .filter(|(_, job)| job["permissions"]["contents"] == "write")
        .map(|(name, _)| name)
        .collect();
    assert_eq!(writers, ["release"]);
}

/// What runs in CI, in the package's recipe and in the image is one version of each tool.
#[test]
fn tools_are_the_same_everywhere() {
    let (run, release, image) = (file(".ci/run"), file(".github/workflows/release.yml"), file("Dockerfile"));
    for program in ["cargo-deb", "cargo-cyclonedx"] {
        let line =
            run.lines().find_map(|line| line.strip_prefix(&format!("cargo_program {program} "))).expect("a line");
        let version = line.split(' ').next().expect("a version");
        assert!(release.contains(&format!("{program} --version {version}\n")), "{program} {version}");
        if program == "cargo-cyclonedx" {
            assert!(image.contains(&format!("{program} --version {version}\n")), "{program} {version}");
        }
    }
    let rust = format!("rust:{}-bookworm", env!("CARGO_PKG_RUST_VERSION"));
    assert!(
        release.contains(&format!("container: {rust}\n")) && image.contains(&format!("BUILD_BASE={rust}\n")),
        "{rust}"
    );
}

#[test]
fn a_tag_must_be_the_version_and_have_changes() {
    let folder = checkout();
    let version = env!("CARGO_PKG_VERSION");
    let check = |tag: &str| step("build", "Check the version", folder.path(), &[("TAG", tag)]);
    let good = check(&format!("v{version}"));
    assert_eq!(good.code, Some(0), "{good:?}");
    let other = check("v9.9.9");
    assert_eq!(other.code, Some(1));
    assert!(other.out.contains("::error::the tag is v9.9.9"), "{other:?}");
    let text = fs::read_to_string(folder.path().join("CHANGELOG.md")).expect("a file");
    fs::write(folder.path().join("CHANGELOG.md"), text.replace(&format!("## {version}"), "## 8.8.8")).expect("a file");
    assert_eq!(check(&format!("v{version}")).code, Some(1));
}

#[test]
fn a_release_has_checksums_and_what_is_new() {
    let folder = checkout();
    let path = folder.path();
    play(path, "gh", "");
    play(path, "docker", "case $2 in imagetools) [ \"$3\" = create ] || echo '\"sha256:abc\"';; esac");
    fs::create_dir(path.join("dist")).expect("a folder");
    for name in ["mcpfleet-1.tar.gz", "mcpfleet_1_amd64.deb"] {
        fs::write(path.join("dist").join(name), name).expect("a file");
    }
    let made = step("release", "Write checksums", path, &[]);
    assert_eq!(made.code, Some(0), "{made:?}");
    says(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(path.join("dist")));
    assert_eq!(fs::read_to_string(path.join("dist/SHA256SUMS")).expect("a file").lines().count(), 2);

    let (version, tag) = (env!("CARGO_PKG_VERSION"), concat!("v", env!("CARGO_PKG_VERSION")));
    let login =
        [("ACTOR", "ada"), ("REPOSITORY", "Platform/mcpfleet"), ("TOKEN", "hush"), ("TAG", tag), ("LATEST", "true")];
    let joined = step("release", "Join the images", path, &login);
    assert_eq!(joined.code, Some(0), "{joined:?}");
    let output = fs::read_to_string(path.join("output")).expect("outputs");
    assert_eq!(output, "name=ghcr.io/platform/mcpfleet\ndigest=sha256:abc\n");
    let forge = [("GH_REPO", "x/y"), ("GH_TOKEN", "hush"), ("TAG", tag), ("LATEST", "true")];
    let released = step("release", "Release", path, &forge);
    assert_eq!(released.code, Some(0), "{released:?}");
    assert_eq!(fs::read_to_string(path.join("notes.md")).expect("notes").trim(), "### Added\n\n- this");
    let calls = calls(path);
    let name = "ghcr.io/platform/mcpfleet";
    let create = format!(
        "docker buildx imagetools create --tag {name}:{version} --tag {name}:latest {name}:{version}-amd64 \
         {name}:{version}-arm64"
    );
    assert!(calls.contains(&create), "{calls:#?}");
    let release = calls.iter().find(|call| call.starts_with("gh ")).expect("a release");
    assert!(
        release.contains("dist/SHA256SUMS") && release.contains("--latest=true") && !release.contains("--prerelease"),
        "{release}"
    );
    assert!(!calls.iter().any(|call| call.contains("hush")), "a token is in arguments: {calls:#?}");

    let other = [("ACTOR", "ada"), ("REPOSITORY", "x/y"), ("TOKEN", "hush"), ("TAG", "v9.0.0"), ("LATEST", "false")];
    assert_eq!(step("release", "Join the images", path, &other).code, Some(0));
    assert!(!self::calls(path).iter().any(|call| call.contains("x/y:latest")));
}

#[test]
fn neither_what_is_to_come_nor_a_repair_of_what_was_is_the_latest() {
    for (tag, latest) in [("v0.10.0", true), ("v0.9.1", false), ("v0.11.0-rc.1", false)] {
        let folder = checkout();
        play(folder.path(), "gh", "printf 'v%s\\n' 0.10.0 0.9.0 0.9.1 0.11.0-rc.1 endored");
        let asked = [("GH_TOKEN", "hush"), ("REPOSITORY", "x/y"), ("TAG", tag)];
        assert_eq!(step("release", "Is it the latest", folder.path(), &asked).code, Some(0), "{tag}");
        let output = fs::read_to_string(folder.path().join("output")).expect("outputs");
        assert_eq!(output, format!("latest={latest}\n"), "{tag}");
    }
    // The first of all may be one to come.
    let folder = checkout();
    play(folder.path(), "gh", "echo v0.1.0-rc.1");
    let asked = [("GH_TOKEN", "hush"), ("REPOSITORY", "x/y"), ("TAG", "v0.1.0-rc.1")];
    assert_eq!(step("release", "Is it the latest", folder.path(), &asked).code, Some(0));
    assert_eq!(fs::read_to_string(folder.path().join("output")).expect("outputs"), "latest=false\n");
}

/// The archive is made of the program under test, and the action takes it from where a release would be.
#[test]
fn the_action_takes_what_was_released() {
    const TEST: &str = "packages::release::the_action_takes_what_was_released";
    let Some(path) = tools(TEST) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    // A place of its own: others make packages at the same time.
    let source = folder.path().join("source");
    fs::create_dir_all(source.join("deploy")).expect("a folder");
    says(
        Command::new("cp")
            .args(["-r", "deploy/archive", "deploy/systemd"])
            .arg(source.join("deploy"))
            .current_dir(project()),
    );
    says(Command::new("cp").args(["LICENSE", "README.md", "CHANGELOG.md"]).arg(&source).current_dir(project()));
    prepare(&path, &source.join("target/package"));
    let tag = concat!("v", env!("CARGO_PKG_VERSION"));
    let releases = folder.path().join(format!("server/platform/mcpfleet/releases/download/{tag}"));
    let program = folder.path().join("mcpfleet");
    super::stripped(&program);
    let made = says(Command::new(source.join("deploy/archive")).arg(&program).arg(&releases));
    let name = made.trim();
    let sums = says(Command::new("sha256sum").arg(name).current_dir(&releases));
    fs::write(releases.join("SHA256SUMS"), format!("{}  other.tar.gz\n{sums}", "0".repeat(64))).expect("a file");
    let listed = says(Command::new("tar").args(["-tzf", name]).current_dir(&releases));
    for part in ["mcpfleet.cdx.json", "man/mcpfleet.1", "completions/zsh", "systemd/mcpfleet.service", "LICENSE"] {
        assert!(listed.lines().any(|line| line.ends_with(part)), "{part}: {listed}");
    }

    let action: Value = serde_yaml::from_str(&file("action.yml")).expect("YAML");
    let steps = action["runs"]["steps"].as_array().expect("steps");
    let step = steps.iter().find(|step| step["id"] == "download").expect("a step");
    // The runner's own variables are empty in a composite action: it is these that have them.
    assert_eq!(step["env"]["REFERENCE"], "${{ github.action_ref }}");
    assert_eq!(step["env"]["REPOSITORY"], "${{ github.action_repository }}");
    let download = |reference: &str| {
        let work = folder.path().join("work");
        let _ = fs::remove_dir_all(&work);
        fs::create_dir(&work).expect("a folder");
        let server = format!("file://{}", folder.path().join("server").display());
        let ended = script(
            step["run"].as_str().expect("a script"),
            &work,
            &[
                ("REFERENCE", reference),
                ("REPOSITORY", "platform/mcpfleet"),
                ("GITHUB_SERVER_URL", &server),
                ("RUNNER_TEMP", work.to_str().expect("UTF-8")),
            ],
        );
        (ended, fs::read_to_string(work.join("output")).unwrap_or_default())
    };
    let (ended, output) = download(tag);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let downloaded = PathBuf::from(output.trim().strip_prefix("program=").expect("a program"));
    assert!(says(Command::new(downloaded).arg("--version")).contains(env!("CARGO_PKG_VERSION")));
    // A branch, and a version without a release: it is built then.
    for reference in ["main", "", "v77.0.0", "v1;id"] {
        let (ended, output) = download(reference);
        assert_eq!((ended.code, output.as_str()), (Some(0), ""), "{reference}: {ended:?}");
    }
    // What somebody has changed is not run, and not passed over either.
    let archive = releases.join(name);
    let mut bytes = fs::read(&archive).expect("the archive");
    bytes.push(0);
    fs::write(&archive, bytes).expect("the archive");
    let (ended, output) = download(tag);
    assert_ne!(ended.code, Some(0));
    assert_eq!(output, "");
    // Nor what has no checksum.
    fs::write(releases.join("SHA256SUMS"), "").expect("a file");
    assert_ne!(download(tag).0.code, Some(0));
}
