//! The command, in repositories.

use crate::author::world::World;
use std::{fs, os::unix::fs::PermissionsExt};

const FILE: &str = r#"{"mcpServers": {
  "one": {"command": "x", "env": {"ONE_TOKEN": "tok-very-secret-1"}},
  "Two!": {"url": "https://two.example.com/mcp"}
}}"#;

#[tokio::test]
async fn every_server_gets_a_file_and_all_of_them_one_commit() {
    let world = World::new().await;
    let answer = world.mcpfleet_with(&["import", "-", "--label", "env=dev"], FILE, &[]).await;
    let said = answer.err.clone();
    let done = answer.good();
    assert!(
        done.starts_with("created app/Two in apps/Two.yaml\ncreated app/one in apps/one.yaml\ncommitted "),
        "{done}"
    );
    assert_eq!(
        world.read("apps/one.yaml"),
        "kind: app\nversion: v3\nmetadata:\n  name: one\n  labels:\n    env: dev\nspec:\n  mcp:\n    command: x\n    env:\n      \
         ONE_TOKEN: {secret: one-token}\n"
    );
    assert!(said.contains("note: `Two!` becomes the app `Two` (stdin:3:3)\n"), "{said}");
    assert!(said.contains("  one-token  the value in stdin, line 2 (for one.env.ONE_TOKEN)\n"), "{said}");
    assert!(
        said.contains("app_service:\n  secrets:\n    one-token: {env: dev}\n  remote_hosts: [two.example.com]\n"),
        "{said}"
    );
    assert!(!said.contains("very-secret") && !done.contains("very-secret"), "{said}");
    assert_eq!(world.git(&["status", "--porcelain"]).await, "");

    // What is there already stays, all of it.
    let before = world.state().await;
    let said = world.mcpfleet_with(&["import", "-"], FILE, &[]).await.bad(1);
    assert!(
        said.contains("app/one is there already, in apps/one.yaml\n") && said.contains("`-f` replaces it"),
        "{said}"
    );
    assert_eq!(world.state().await, before);
    let answer = world.mcpfleet_with(&["import", "-", "-f", "--only", "one", "--label", "env=test"], FILE, &[]).await;
    assert!(answer.good().starts_with("updated app/one in apps/one.yaml\n"));
}

#[tokio::test]
async fn one_that_cannot_be_imported_keeps_all_from_it() {
    let world = World::new().await;
    let before = world.state().await;
    let file = FILE.replace("\"Two!\"", "\"bad\": {\"command\": \"./x\"}, \"Two!\"");
    let said = world.mcpfleet_with(&["import", "-"], &file, &[]).await.bad(1);
    assert!(said.contains("bad: `./x` is a relative path") && said.contains("stdin:3:3"), "{said}");
    assert_eq!(world.state().await, before);
    world.mcpfleet_with(&["import", "-", "--except", "bad", "--dir", "teams/a"], &file, &[]).await.good();
    assert!(world.has("teams/a/one.yaml") && world.has("teams/a/Two.yaml") && !world.has("apps/one.yaml"));
    // Names that differ only in case, in a file that is there.
    let said = world.mcpfleet_with(&["import", "-"], r#"{"mcpServers": {"DEMO": {"command": "x"}}}"#, &[]).await.bad(1);
    assert!(said.contains("only in case"), "{said}");
}

#[tokio::test]
async fn a_dry_run_and_stdout_change_nothing() {
    let world = World::new().await;
    let before = world.state().await;
    let answer = world.mcpfleet_with(&["import", "-", "--dry-run"], FILE, &[]).await;
    assert!(answer.good().contains("+++ b/apps/one.yaml\n"));
    let answer = world.mcpfleet_with(&["import", "-", "--stdout"], FILE, &[]).await;
    assert!(answer.err.contains("one-token"), "{answer:?}");
    let printed = answer.good();
    assert_eq!(printed.matches("kind: app\n").count(), 2, "{printed}");
    assert_eq!(world.state().await, before);
    // What is printed is what `create` reads.
    world.mcpfleet_with(&["create", "-"], &printed, &[]).await.good();
}

#[tokio::test]
async fn secrets_are_written_to_files_that_are_not_there_yet() {
    let world = World::new().await;
    let secrets = world.path("secrets");
    fs::create_dir(&secrets).unwrap();
    let import = ["import", "-", "--secrets-dir", secrets.to_str().unwrap()];
    let answer = world.mcpfleet_with(&import, FILE, &[]).await;
    assert!(answer.err.contains(&format!("written to {}/one-token", secrets.display())), "{answer:?}");
    answer.good();
    let file = secrets.join("one-token");
    assert_eq!(fs::read_to_string(&file).unwrap(), "tok-very-secret-1");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let before = world.state().await;
    let again = FILE.replace("secret-1", "secret-2");
    let arguments = [&import[..], &["-f"]].concat();
    let said = world.mcpfleet_with(&arguments, &again, &[]).await.bad(1);
    assert!(said.contains("is there already, and is never overwritten"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "tok-very-secret-1");
    // Of several, none is left if one cannot be written.
    let more = again.replace("\"env\": {", "\"env\": {\"A_TOKEN\": \"tok-very-secret-3\", ");
    world.mcpfleet_with(&arguments, &more, &[]).await.bad(1);
    assert_eq!(fs::read_dir(&secrets).unwrap().count(), 1);
    fs::create_dir(world.folder().join("s")).unwrap();
    let said = world.mcpfleet_with(&["import", "-", "-f", "--secrets-dir", "s"], FILE, &[]).await.bad(2);
    assert!(said.contains("is in the repository, where no secret belongs"), "{said}");
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    for (arguments, file, code, expected) in [
        (&["import", "-"][..], "{\"a\": 1}", 1, "this is none of the formats that are read"),
        (&["import", "-"], "{\"mcpServers\": {}}", 1, "there is no server to import in stdin"),
        (&["import", "-"], "{\"mcpServers\": {\"a\": }}", 1, "stdin:1:22"),
        (&["import", "-", "--only", "none"], FILE, 1, "there is no server to import in stdin"),
        (&["import", "-", "--var", "X=1"], FILE, 2, "--var X: there is nothing of that name in the file"),
        (&["import", "-", "--format", "vscode"], FILE, 1, "there is no server to import"),
        (&["import", "none.json"], "", 2, "there is no file none.json"),
    ] {
        let said = world.mcpfleet_with(arguments, file, &[]).await.bad(code);
        assert!(said.contains(expected), "{arguments:?} {file}\n{said}");
    }
}
