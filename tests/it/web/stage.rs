//! A browser, an agent, and the script that has them meet.

use crate::support::{Agent, missing, outside, processes::copy};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;

/// Debian's.
const CHROMIUM: &str = "/usr/bin/chromium";

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/web");

/// The folder with what drives the browser, if there is one to drive.
pub fn browser(test: &str) -> Option<PathBuf> {
    let folder = outside(test, "MCPFLEET_TEST_BROWSER")?;
    if !Path::new(CHROMIUM).exists() {
        missing(test, &format!("there is no {CHROMIUM}"));
        return None;
    }
    Some(folder)
}

/// A program of the tests, where the agent and its servers find it.
pub fn copied(agent: &Agent, program: &Path, name: &str) -> PathBuf {
    let folder = agent.home.path().join("bin");
    std::fs::create_dir_all(&folder).expect("a folder for programs");
    let to = folder.join(name);
    copy(program, to.clone());
    to
}

/// Plays a script against an agent, and fails with all that it says if it does.
pub async fn play(browser: &Path, agent: &Agent, script: &str) {
    let hostile = copied(agent, &Path::new(SCRIPTS).join("hostile-server.mjs"), "hostile-server.mjs");
    let stage = json!({
        "base": format!("http://{}", agent.listen),
        "folder": agent.folder(),
        "home": agent.home.path(),
        "socket": agent.socket(),
        "mcpfleet": env!("CARGO_BIN_EXE_mcpfleet"),
        "node": "node",
        "hostile": hostile,
    });
    let mut command = Command::new("node");
    command.arg(Path::new(SCRIPTS).join(script)).kill_on_drop(true).stdin(Stdio::null());
    command.env("MCPFLEET_TEST_BROWSER", browser).env("MCPFLEET_TEST_STAGE", stage.to_string());
    // The browser keeps what it keeps here.
    command.env("HOME", agent.home.path()).env("TMPDIR", agent.home.path());
    let output = command.output().await.expect("node runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{script}: {}\n{said}\n{}", output.status, agent.log());
    // What is checked is part of the test: a script that has checked nothing has not passed.
    assert!(said.contains("all is well") && said.contains("ok: "), "{said}");
}
