//! A browser, an agent, and the script that has them meet.

use crate::support::{missing, outside, processes::copy};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

/// Debian's.
const CHROMIUM: &str = "/usr/bin/chromium";

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/web");

/// What drives the browser, if there is one to drive.
pub struct Browser {
    packages: PathBuf,
}

impl Browser {
    pub fn find(test: &str) -> Option<Browser> {
        let packages = outside(test, "MCPFLEET_TEST_BROWSER")?;
        if !Path::new(CHROMIUM).exists() {
            missing(test, &format!("there is no {CHROMIUM}"));
            return None;
        }
        Some(Browser { packages })
    }

    /// Plays a script, and fails with all that it says if it does. `asked` does what it asks for with a line `do: WHAT`.
    pub async fn play(&self, script: &str, scene: &Scene, mut asked: impl FnMut(&str)) {
        let hostile = scene.copy(&Path::new(SCRIPTS).join("hostile-server.mjs"), "hostile-server.mjs");
        let stage = json!({
            "base": scene.base,
            "folder": scene.home.join("fleet"),
            "home": scene.home,
            "socket": scene.socket,
            "hostile": hostile,
            "more": scene.more,
        });
        let mut command = Command::new("node");
        command.arg(Path::new(SCRIPTS).join(script)).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
        command.env("MCPFLEET_TEST_BROWSER", &self.packages).env("MCPFLEET_TEST_STAGE", stage.to_string());
        // The browser keeps here what it keeps.
        command.env("HOME", &scene.home).env("TMPDIR", &scene.home);
        let mut child = command.spawn().expect("node runs");
        let mut lines = BufReader::new(child.stdout.take().expect("an output")).lines();
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.expect("lines") {
            if let Some(what) = line.strip_prefix("do: ") {
                asked(what);
            }
            said.extend([&line, "\n"]);
        }
        let ended = child.wait().await.expect("node ends");
        assert!(ended.success(), "{script}: {ended}\n{said}");
        // A script that has checked nothing has not passed.
        assert!(said.contains("ok: ") && said.ends_with("all is well\n"), "{script}\n{said}");
    }
}

/// Where a script plays.
pub struct Scene {
    /// The agent's gateway, without a trailing slash.
    pub base: String,
    pub home: PathBuf,
    pub socket: PathBuf,
    /// What only this script needs to know.
    pub more: Value,
}

impl Scene {
    /// A program of the tests, where servers can run it.
    pub fn copy(&self, program: &Path, name: &str) -> PathBuf {
        let folder = self.home.join("bin");
        std::fs::create_dir_all(&folder).expect("a folder for programs");
        copy(program, folder.join(name))
    }
}
