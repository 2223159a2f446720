//! The steps of `action.yml`, run as GitHub's runner would.

use super::{Ended, World, file, path_with_mcpfleet};
use crate::support::app;
use serde_json::Value;
use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, process::Stdio};
use tokio::process::Command;

/// A job: what the runner keeps from step to step.
struct Job<'w> {
    world: &'w World,
    workspace: PathBuf,
    path: OsString,
    /// What expressions have, by their text: `inputs.base`, `steps.find.outputs.program`.
    context: BTreeMap<String, String>,
    /// The steps that were run, by name.
    ran: Vec<String>,
}

impl Job<'_> {
    /// The value of an expression: alternatives with `||`, each a name, a text, or the one call of `format` that there is.
    fn value(&self, expression: &str) -> String {
        let one = |part: &str| match part.trim() {
            part if part.starts_with("format(") => {
                let folder = self.value("steps.find.outputs.folder");
                assert_eq!(part, "format('{0}/bin/mcpfleet', steps.find.outputs.folder)");
                format!("{folder}/bin/mcpfleet")
            }
            name => {
                assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "no name: {name}");
                self.context.get(name).cloned().unwrap_or_default()
            }
        };
        expression.split("||").map(one).find(|value| !value.is_empty()).unwrap_or_default()
    }

    fn filled(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").expect("an end of the expression");
            out += before;
            out += &self.value(expression);
            rest = after;
        }
        out + rest
    }

    /// A condition: comparisons with a text, joined by `&&`.
    fn holds(&self, condition: &str) -> bool {
        condition.split("&&").all(|part| {
            let (name, text, equal) = match (part.split_once("=="), part.split_once("!=")) {
                (Some((name, text)), _) => (name, text, true),
                (None, Some((name, text))) => (name, text, false),
                (None, None) => panic!("no comparison: {part}"),
            };
            (self.value(name) == text.trim().trim_matches('\'')) == equal
        })
    }

    /// Runs all steps, up to one that fails.
    async fn run(&mut self) -> Ended {
        let action: Value = serde_yaml::from_str(&file("action.yml")).expect("YAML");
        for (name, input) in action["inputs"].as_object().expect("inputs") {
            let default = self.filled(input["default"].as_str().expect("a default"));
            self.context.entry(format!("inputs.{name}")).or_insert(default);
        }
        let home = self.world.home.path();
        let mut all = String::new();
        for step in action["runs"]["steps"].as_array().expect("steps") {
            let name = step["name"].as_str().expect("a name").to_owned();
            if step["if"].as_str().is_some_and(|condition| !self.holds(condition)) {
                continue;
            }
            self.ran.push(name);
            // The cache, which belongs to the forge, never has anything here.
            let Some(script) = step["run"].as_str() else { continue };
            assert!(!script.contains("${{"), "an expression in a script lets whoever names a branch write commands");
            let output = home.join("output");
            std::fs::write(&output, "").expect("a file");
            let mut command = Command::new("bash");
            command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(&self.workspace);
            command.env_clear().envs(self.world.home.environment()).env("PATH", &self.path);
            command.envs([
                ("GITHUB_ACTIONS", "true".into()),
                ("GITHUB_ACTION_PATH", PathBuf::from(env!("CARGO_MANIFEST_DIR"))),
                ("GITHUB_OUTPUT", output.clone()),
                ("GITHUB_STEP_SUMMARY", home.join("summary.md")),
                ("RUNNER_TEMP", home.to_owned()),
            ]);
            for (name, value) in step["env"].as_object().into_iter().flatten() {
                command.env(name, self.filled(value.as_str().expect("a text")));
            }
            command.stdin(Stdio::null()).kill_on_drop(true);
            let ended = Ended::from(command.output().await.expect("bash starts"));
            all += &ended.out;
            if let Some(id) = step["id"].as_str() {
                for line in std::fs::read_to_string(&output).expect("the outputs").lines() {
                    let (name, value) = line.split_once('=').expect("name=value");
                    self.context.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
                }
            }
            if ended.code != Some(0) {
                return Ended { out: all, ..ended };
            }
        }
        Ended { code: Some(0), out: all, errors: String::new() }
    }

    fn output(&self, name: &str) -> String {
        let action: Value = serde_yaml::from_str(&file("action.yml")).expect("YAML");
        let path = self.filled(action["outputs"][name]["value"].as_str().expect("a value"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

impl World {
    async fn job(&self, context: &[(&str, String)]) -> Job<'_> {
        Job {
            world: self,
            workspace: self.checkout().await,
            path: path_with_mcpfleet(),
            context: context.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            ran: Vec::new(),
        }
    }
}

#[tokio::test]
async fn a_pull_request_is_checked() {
    let world = World::new();
    let head = world.change(&[("apps/other.yaml", Some(&app("other", "b", "x")))]);
    let event = [
        ("github.event.pull_request.base.sha", world.base.to_string()),
        ("github.event.pull_request.head.sha", head.to_string()),
        ("github.event.repository.default_branch", "main".to_owned()),
    ];
    let mut job = world.job(&event).await;
    let ended = job.run().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(job.ran, ["Look for mcpfleet", "Check"]);
    assert!(ended.out.contains("::error file=apps/other.yaml,title=refused%3A not-allowed::"), "{}", ended.out);
    let report: Value = serde_json::from_str(&job.output("report")).expect("JSON");
    assert_eq!((&report["passed"], &report["head"]), (&Value::from(false), &Value::from(head.to_string())));
    assert!(job.output("comment").starts_with("### mcpfleet: ❌"));
    let summary = std::fs::read_to_string(world.home.path().join("summary.md")).expect("a summary");
    assert_eq!(summary, job.output("comment"));
}

/// A branch that is pushed for the first time is compared with the default branch.
#[tokio::test]
async fn a_push_is_checked() {
    let world = World::new();
    let head = world.change(&[("apps/pay.yaml", Some(&app("pay", "a", "one")))]);
    for before in ["0".repeat(40), world.base.to_string()] {
        let event = [
            ("github.event.before", before),
            ("github.sha", head.to_string()),
            ("github.event.repository.default_branch", "main".to_owned()),
            ("inputs.warnings-as-errors", "false".to_owned()),
        ];
        let _ = std::fs::remove_dir_all(world.home.path().join("work"));
        let mut job = world.job(&event).await;
        let ended = job.run().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.out.contains("the change can be merged"), "{}", ended.out);
    }
}

/// Without mcpfleet on the machine it is built from the action's own source. Cargo is played by a script here, as a real
/// build takes minutes.
#[tokio::test]
async fn the_program_is_built_where_there_is_none() {
    let world = World::new();
    let head = world.change(&[("apps/pay.yaml", Some(&app("pay", "a", "one")))]);
    let tools = world.home.path().join("tools");
    std::fs::create_dir(&tools).expect("a folder");
    let script = format!(
        "#!/bin/sh\n[ \"$*\" = \"install --quiet --locked --path $GITHUB_ACTION_PATH --root $FOLDER\" ] || exit 9\n\
         mkdir -p \"$FOLDER/bin\" && ln -sf '{}' \"$FOLDER/bin/mcpfleet\"\n",
        env!("CARGO_BIN_EXE_mcpfleet")
    );
    let cargo = tools.join("cargo");
    std::fs::write(&cargo, script).expect("a script");
    std::fs::set_permissions(&cargo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    let event = [
        ("github.event.pull_request.base.sha", world.base.to_string()),
        ("github.event.pull_request.head.sha", head.to_string()),
    ];
    let mut job = world.job(&event).await;
    job.path = std::env::join_paths([tools, "/usr/bin".into(), "/bin".into()]).expect("a PATH");
    let ended = job.run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        job.ran,
        ["Look for mcpfleet", "Download a release", "Look for an earlier build", "Build mcpfleet", "Check"]
    );
    let key = &job.context["steps.find.outputs.key"];
    assert!(key.len() == "mcpfleet-".len() + 64 && key.starts_with("mcpfleet-"), "{key}");
}
