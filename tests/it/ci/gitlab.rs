//! The job of `templates/check.yml`, run as GitLab's runner would.

use super::{Ended, World, file, path_with_mcpfleet};
use crate::support::app;
use serde::Deserialize as _;
use serde_json::{Value, json};

/// The inputs and the jobs, as GitLab makes them of the template.
fn template(inputs: &[(&str, &str)]) -> Value {
    let text = file("templates/check.yml");
    let documents: Vec<Value> =
        serde_yaml::Deserializer::from_str(&text).map(|document| Value::deserialize(document).expect("YAML")).collect();
    let [header, jobs] = documents.try_into().expect("two documents");
    let mut filled = serde_yaml::to_string(&jobs).expect("YAML");
    for (name, input) in header["spec"]["inputs"].as_object().expect("inputs") {
        let given = inputs.iter().find(|(given, _)| given == name).map(|(_, value)| *value);
        let value = given.unwrap_or_else(|| input["default"].as_str().expect("a default"));
        filled = filled.replace(&format!("$[[ inputs.{name} ]]"), value);
    }
    assert!(!filled.contains("$[["), "{filled}");
    serde_yaml::from_str(&filled).expect("YAML")
}

#[tokio::test]
async fn a_merge_request_is_checked() {
    let world = World::new();
    let head = world.change(&[("apps/own.yaml", Some("kind: nothing\n")), ("apps/b.yaml", Some(&app("b", "b", "x")))]);
    let job = &template(&[("options", "--warnings-as-errors")])["mcpfleet"];
    assert_eq!(job["variables"]["GIT_DEPTH"], "0");
    let folder = world.checkout().await;
    let script: Vec<&str> = job["script"].as_array().expect("a script").iter().filter_map(Value::as_str).collect();
    let mut command = tokio::process::Command::new("sh");
    command.args(["-ec", &script.join("\n")]).current_dir(&folder).kill_on_drop(true);
    command
        .env_clear()
        .envs(world.home.environment())
        .env("PATH", path_with_mcpfleet())
        .env("GIT_CONFIG_NOSYSTEM", "1");
    command.envs([("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main".to_owned()), ("CI_COMMIT_SHA", head.to_string())]);
    let ended = Ended::from(command.output().await.expect("a shell"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("[not-allowed]"), "{}", ended.out);

    // What the job says it leaves is there, and what it should be.
    let read = |path: &Value| std::fs::read_to_string(folder.join(path.as_str().expect("a path"))).expect("a report");
    let reports = &job["artifacts"]["reports"];
    let quality: Value = serde_json::from_str(&read(&reports["codequality"])).expect("JSON");
    let mut found =
        quality.as_array().expect("a list").iter().map(|one| (&one["check_name"], &one["location"]["path"]));
    assert!(found.any(|one| one == (&json!("unknown-kind"), &json!("apps/own.yaml"))), "{quality:#}");
    assert!(read(&reports["junit"]).contains("name=\"apps/own.yaml\""));
    assert!(read(&job["artifacts"]["paths"][0]).contains("`not-allowed`"));
}
