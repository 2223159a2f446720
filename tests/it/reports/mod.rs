//! The forms in which `mcpfleet validate` reports, and what CI asks of it.

mod agents;
mod changed;
mod ci;
mod explain;
mod formats;
mod judged;
mod schemas;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, content) in files {
        write(folder.path(), path, content);
    }
    folder
}

fn write(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("it is below")).expect("a folder");
    fs::write(path, content).expect("a file that can be written");
}

fn app(name: &str) -> String {
    format!(
        "kind: app\nversion: v3\nmetadata: {{name: {name}}}\nspec: {{mcp: {{command: server, run_as_host_user: server}}}}\n"
    )
}

/// `mcpfleet validate` in a folder, on a machine that is no runner of GitHub's.
fn validate(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcpfleet"));
    command.arg("validate").args(arguments).current_dir(folder).env_remove("GITHUB_ACTIONS");
    command
}

/// How a command ended, and what it printed.
fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// Mistakes of many kinds, a hostile file name and hostile texts, in files that no line of a report may come from.
fn mistakes() -> TempDir {
    folder(&[
        ("apps/a.yaml", &app("same")),
        ("apps/b.yaml", &app("same")),
        ("apps/c.yaml", "kind: app\nversion: v3\nmetadata: {name: größe}\nspec: {mcp: {comand: \"::error::x\"}}\n"),
        (
            "apps/d, e:f%.yaml",
            "kind: app\nversion: v3\nmetadata: {name: d}\nspec:\n  uri: mcp+https://example.com/mcp\n  \
             insecure_skip_verify: true\n---\nkind: app\nversion: v3\nmetadata: {name: e, \"::set-output name=a::b\": \
             \"##[error]<&>\"}\nspec: {mcp: {command: server, args: [a, 1]}}\n",
        ),
        ("fine.yaml", &app("fine")),
        ("text.yaml", "just text ##[warning]\n"),
    ])
}
