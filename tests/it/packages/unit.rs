//! The unit by itself: what systemd's own tools say of it, and of it with each drop-in.

use super::{ended, file, project, says};
use crate::support::missing;
use std::{path::Path, process::Command};

/// How exposed a service is by `systemd-analyze security`, in tenths: 0 is not at all, 100 is all that there is. The unit as
/// it comes, and with each drop-in: these are recorded in docs/install.md, and must not become more.
const EXPOSED: &[(&str, u32)] =
    &[("", 22), ("containers.conf", 23), ("credentials.conf", 22), ("host-users.conf", 42), ("low-ports.conf", 24)];

fn there(test: &str) -> bool {
    let there = Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        missing(test, "there is no systemd-analyze");
    }
    there
}

/// A folder with the unit, the program under test in its place, and a drop-in.
fn unit(folder: &Path, drop_in: &str) -> String {
    let unit = file("deploy/systemd/mcpfleet.service");
    let unit = unit.replace("/usr/bin/mcpfleet", env!("CARGO_BIN_EXE_mcpfleet")).replace("man:mcpfleet(1) ", "");
    let path = folder.join("mcpfleet.service");
    std::fs::write(&path, unit).expect("a file");
    if !drop_in.is_empty() {
        let drop_ins = folder.join("mcpfleet.service.d");
        std::fs::create_dir(&drop_ins).expect("a folder");
        std::fs::write(drop_ins.join(drop_in), file(&format!("deploy/systemd/drop-ins/{drop_in}"))).expect("a file");
    }
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn systemd_understands_it_and_its_drop_ins() {
    if !there("packages::unit::systemd_understands_it_and_its_drop_ins") {
        return;
    }
    for (drop_in, _) in EXPOSED {
        let folder = tempfile::tempdir().expect("a folder");
        let unit = unit(folder.path(), drop_in);
        let checked = ended(Command::new("systemd-analyze").args(["verify", "--recursive-errors=no", &unit]));
        assert_eq!((checked.code, checked.errors.trim()), (Some(0), ""), "{drop_in}: {}", checked.out);
    }
}

#[test]
fn it_is_as_closed_as_it_was() {
    if !there("packages::unit::it_is_as_closed_as_it_was") {
        return;
    }
    let mut page = Vec::new();
    for (drop_in, most) in EXPOSED {
        let folder = tempfile::tempdir().expect("a folder");
        let unit = unit(folder.path(), drop_in);
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(["security", "--offline=yes", "--no-pager", &format!("--threshold={most}")]);
        let told = ended(analyze.arg(&unit));
        assert_eq!(told.code, Some(0), "{drop_in}: {}", told.out);
        let name = if drop_in.is_empty() { "as it comes" } else { drop_in };
        page.push(format!("| {name} | {}.{} |", most / 10, most % 10));
    }
    let documented = file("docs/install.md");
    for line in page {
        assert!(documented.contains(&line), "docs/install.md does not have: {line}");
    }
}

#[test]
fn every_drop_in_is_checked() {
    let listed = std::fs::read_dir(project().join("deploy/systemd/drop-ins")).expect("a folder");
    let mut names: Vec<_> =
        listed.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    let known: Vec<&str> = EXPOSED.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()).collect();
    assert_eq!(names, known);
}

/// What the package and the image have for a start: the settings are those of this version, and nobody comes in without a
/// token.
#[test]
fn first_configurations_are_good_and_closed() {
    for (name, listen) in [("deploy/debian/agent.yaml", "127.0.0.1:7420"), ("deploy/docker/agent.yaml", "0.0.0.0:7420")]
    {
        let mut show = Command::new(env!("CARGO_BIN_EXE_mcpfleet"));
        show.args(["config", "show", "-o", "json", "-c"]).arg(project().join(name));
        let config: serde_json::Value = serde_json::from_str(&says(&mut show)).expect("JSON");
        let gateway = &config["gateway"];
        assert_eq!((gateway["auth"].as_str(), gateway["listen"].as_str()), (Some("required"), Some(listen)), "{name}");
        assert_eq!(config["state_dir"], "/var/lib/mcpfleet", "{name}");
    }
}
