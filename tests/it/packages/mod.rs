//! What is installed: the image, the Debian package, the unit of systemd, the manifests for Kubernetes, and how a release is
//! made. Each is really used, as far as there is what it is for.

mod image;
mod kubernetes;
mod machine;
mod notify;
mod package;
mod release;
mod unit;

use crate::support::{Ended, Home, outside};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of the project.
fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project.
fn file(path: &str) -> String {
    std::fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a command that must end well, and gives what it prints.
fn says(command: &mut Command) -> String {
    let ended = ended(command);
    assert_eq!(ended.code, Some(0), "{command:?}: {}{}", ended.out, ended.errors);
    ended.out
}

fn ended(command: &mut Command) -> Ended {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}")).into()
}

/// A PATH with the programs that packages are made with, if they are there.
fn tools(test: &str) -> Option<OsString> {
    let folders = [outside(test, "MCPFLEET_TEST_CARGO_DEB")?, outside(test, "MCPFLEET_TEST_CYCLONEDX")?];
    let rest = std::env::var_os("PATH").unwrap_or_default();
    Some(std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&rest))).expect("a PATH"))
}

/// What `deploy/prepare` makes for the program under test.
fn prepare(path: &OsString, folder: &Path) {
    let program = env!("CARGO_BIN_EXE_mcpfleet");
    says(Command::new(project().join("deploy/prepare")).arg(program).arg(folder).env("PATH", path));
}

/// The program under test without what only a debugger needs, as packages have it.
fn stripped(to: &Path) {
    std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    says(Command::new("strip").arg("-o").arg(to).arg(env!("CARGO_BIN_EXE_mcpfleet")));
}

/// A user `ada` who may do everything, as a file, and her token.
async fn ada(home: &Home) -> (String, String) {
    let made = home.mcpfleet(["token", "create", "ada", "-o", "json"]).output().await.expect("it starts");
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let text = |field: &str| made[field].as_str().expect("a text").to_owned();
    let user = format!(
        "kind: user\nversion: v2\nmetadata: {{name: ada}}\nspec:\n  roles: [operators]\n  gateway:\n    token_sha256: [{}]\n",
        text("token_sha256")
    );
    (user, text("token"))
}

/// An app that runs the demo server of the program that is installed, with arguments or without.
fn demo(name: &str, more: &str) -> String {
    format!(
        "kind: app\nversion: v3\nmetadata: {{name: {name}, labels: {{env: dev}}}}\nspec:\n{more}  mcp:\n    command: \
         mcpfleet\n    args: [demo-server]\n"
    )
}
