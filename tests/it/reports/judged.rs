//! The examples of `mcpfleet explain` for verdicts: each is run, with real keys, git and `mcpfleet authorize`.

use crate::support::{Key, app, role, user};
use mcpfleet::{
    authorize::{Code, explain::explain},
    manifest::explain::Explanation,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// A home folder with keys, and in it a clone whose first commit is the root of trust.
struct World {
    home: TempDir,
    clone: PathBuf,
}

const PEOPLE: [&str; 3] = ["alice", "bob", "safe"];

impl World {
    fn new() -> World {
        let home = tempfile::tempdir().expect("a temporary folder");
        let keys = home.path().join(".ssh");
        fs::create_dir(&keys).expect("a folder");
        for name in PEOPLE {
            let key = Key::new(name);
            let file = key.write_to(&keys);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a file of one's own");
            fs::rename(file, keys.join(name)).expect("a file to rename");
            fs::write(keys.join(format!("{name}.pub")), key.public() + "\n").expect("a file that can be written");
        }
        // The reports are looked at as JSON, whatever the example says.
        let shim = home.path().join("bin/mcpfleet");
        fs::create_dir(home.path().join("bin")).expect("a folder");
        fs::write(&shim, format!("#!/bin/sh\nexec '{}' \"$@\" -o json\n", env!("CARGO_BIN_EXE_mcpfleet")))
            .expect("a script");
        fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).expect("a script");
        let clone = home.path().join("fleet");
        for (path, text) in files() {
            let path = clone.join(path);
            fs::create_dir_all(path.parent().expect("it is below")).expect("a folder");
            fs::write(path, text).expect("a file that can be written");
        }
        let world = World { home, clone };
        let made = world.run(
            "git init -q -b main\ngit config user.name Bob\ngit config user.email bob@example.com\ngit config gpg.format \
             ssh\ngit config user.signingkey '~/.ssh/bob.pub'\ngit config commit.gpgsign true\ngit add .\ngit commit -q -m \
             Start\n",
        );
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        world
    }

    /// Runs commands in the clone.
    fn run(&self, script: &str) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-euc", script]).current_dir(&self.clone).env_clear();
        command.env("PATH", format!("{}:{path}", self.home.path().join("bin").display()));
        command.env("HOME", self.home.path()).env("GIT_CONFIG_NOSYSTEM", "1").env("ROOT", self.root());
        command.output().expect("a shell")
    }

    fn root(&self) -> String {
        let mut git = Command::new("git");
        git.args(["rev-list", "--max-parents=0", "HEAD"]).current_dir(&self.clone).env("GIT_CONFIG_NOSYSTEM", "1");
        let output = git.output().expect("git starts");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

fn files() -> Vec<(&'static str, String)> {
    let [alice, bob, safe] = PEOPLE.map(Key::new);
    let all = "{resources: [app, role, user], verbs: [\"*\"]}";
    let team = "{resources: [app], verbs: [\"*\"], labels: {team: a}}";
    let delete = "{resources: [app], verbs: [delete]}";
    vec![
        ("roles/admin.yaml", role("admin", &[all], &[])),
        ("roles/team-a.yaml", role("team-a", &[team], &[delete])),
        ("users/alice.yaml", user("alice", &[&alice, &safe], &["admin"])),
        ("users/bob.yaml", user("bob", &[&bob], &["team-a"])),
        ("apps/pay.yaml", app("pay", "a", "one")),
        ("apps/search.yaml", app("search", "b", "one")),
    ]
}

/// All codes of a report.
fn codes(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            into.extend(fields.get("code").and_then(|code| code.as_str()).map(str::to_owned));
            fields.values().for_each(|value| codes(value, into));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| codes(value, into)),
        _ => {}
    }
}

#[test]
fn the_examples_of_verdicts_get_them() {
    let mut wrong_ones = Vec::new();
    for code in Code::ALL {
        let Explanation { summary, why, wrong, right, .. } = explain(*code);
        assert!(!summary.ends_with('.') && why.ends_with('.'), "{code}");
        for (example, expected) in [(wrong, true), (right, false)] {
            let judged = if example.contains("mcpfleet authorize") {
                ""
            } else {
                "mcpfleet authorize --root $ROOT --base $ROOT\n"
            };
            let output = World::new().run(&format!("{example}{judged}"));
            let printed = String::from_utf8_lossy(&output.stdout);
            let mut found = Vec::new();
            // What git says of a merge comes before it.
            let start = printed.find("{\n").unwrap_or_default();
            match serde_json::from_str(printed.get(start..).unwrap_or_default()) {
                Ok(report) => codes(&report, &mut found),
                Err(error) => {
                    wrong_ones.push(format!("{code}: {error}: {printed}{}", String::from_utf8_lossy(&output.stderr)));
                    continue;
                }
            }
            if found.contains(&code.to_string()) != expected {
                wrong_ones.push(format!("{code}: {found:?}\n{example}{printed}"));
            }
        }
    }
    assert!(wrong_ones.is_empty(), "{}", wrong_ones.join("\n"));
}

#[test]
fn the_world_is_what_the_examples_say() {
    let world = World::new();
    assert!(Path::new(&world.clone).join(".git").is_dir());
    let output = world
        .run("sed -i s/one/two/ apps/pay.yaml\ngit commit -q -am Pay\nmcpfleet authorize --root $ROOT --base $ROOT\n");
    let printed = String::from_utf8_lossy(&output.stdout);
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!(report["outcome"], "accepted", "{report:#}");
    assert_eq!(report["commits"][0]["signer"], "bob", "{report:#}");
}
