//! `mcpfleet config`, through the binary.

use crate::support::Home;
use std::{fs, process::Output};

async fn config(home: &Home, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        home.mcpfleet([&["config"], arguments].concat()).output().await.expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    (status.code(), text(stdout), text(stderr))
}

fn write(home: &Home, name: &str, text: &str) {
    fs::write(home.path().join(name), text).expect("the home folder is writable");
}

#[tokio::test]
async fn what_is_shown_can_be_used_as_the_file() {
    let home = Home::new();
    write(&home, "agent.yaml", "sources: [{name: local, directory: {path: resources}}]\n");
    let (code, yaml, errors) = config(&home, &["show", "-c", "agent.yaml", "--set", "prune.min_apps=9"]).await;
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let folder = home.path().canonicalize().expect("the home folder is there").join("resources");
    assert!(yaml.contains(&format!("path: {}\n", folder.display())), "{yaml}");
    assert!(yaml.contains("min_apps: 9\n"), "{yaml}");
    assert!(yaml.find("\nprune:") < yaml.find("\ngateway:"), "{yaml}");

    write(&home, "shown.yaml", &yaml);
    let (code, again, _) = config(&home, &["show", "-c", "shown.yaml"]).await;
    assert_eq!((code, again), (Some(0), yaml));
    let (code, json, _) = config(&home, &["show", "-c", "shown.yaml", "-o", "json"]).await;
    assert_eq!(code, Some(0));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json.pointer("/gateway/listen").and_then(|v| v.as_str()), Some("127.0.0.1:7420"));
}

#[tokio::test]
async fn every_mistake_is_shown_with_its_place() {
    let home = Home::new();
    write(&home, "agent.yaml", "gateway:\n  auth: opn\nsources:\n  - name: fleet\n    git: {url: ftp://x}\n");
    let (code, out, _) =
        config(&home, &["check", "-c", "agent.yaml", "--set", "app_service.parallel_starts=none"]).await;
    assert_eq!(code, Some(2));
    assert_eq!(
        out,
        "\
error[unknown-value]: unknown value `opn`
 --> agent.yaml:2:9
  |
2 |   auth: opn
  |         ^^^
  = help: did you mean `open`?

error[invalid-uri]: `ftp://` is not a way to fetch that this version has: use https, ssh, git, file or a path
 --> agent.yaml:5:11
  |
5 |     git: {url: ftp://x}
  |           ^^^

error[wrong-type]: expected a whole number, found the string `none`
 --> --set:1:35
  |
1 | --set app_service.parallel_starts=none
  |                                   ^^^^

3 errors in the configuration
"
    );
    // Nothing is shown of a configuration that cannot be used.
    let (code, out, errors) = config(&home, &["show", "-c", "agent.yaml"]).await;
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(errors.contains("agent.yaml:2:9"), "{errors}");
}

#[tokio::test]
async fn good_files_and_no_files() {
    let home = Home::new();
    write(&home, "agent.yaml", "");
    assert_eq!(
        config(&home, &["check", "-c", "agent.yaml"]).await,
        (Some(0), "agent.yaml: no errors\n".into(), "".into())
    );
    let (code, out, errors) = config(&home, &["check", "--config", "missing.yaml"]).await;
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(errors, "error: there is no file `missing.yaml`\n");
    // A folder is there, and is no file.
    let (code, _, errors) = config(&home, &["check", "-c", "."]).await;
    assert_eq!(code, Some(3), "{errors}");
    let (code, ..) = config(&home, &["check"]).await;
    assert_eq!(code, Some(2));
}

#[tokio::test]
async fn the_documented_file_is_good() {
    let home = Home::new();
    write(&home, "agent.yaml", include_str!("../../docs/agent.yaml"));
    let (code, documented, errors) = config(&home, &["show", "-c", "agent.yaml"]).await;
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    write(&home, "empty.yaml", "# nothing\n");
    // But for the paths, which are those of an agent that is root.
    let paths = ["state_dir", "control_socket"];
    let (_, empty, _) = config(&home, &["show", "-c", "empty.yaml"]).await;
    let settings = |text: &str| -> Vec<String> {
        let path = |line: &&str| !paths.iter().any(|path| line.starts_with(path));
        text.lines().filter(path).map(str::to_owned).collect()
    };
    assert_eq!(settings(&documented), settings(&empty));
}
