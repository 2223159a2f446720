//! The servers that every client visits, and what it should find there.

use crate::support::{Agent, Home, demo_app, outside, write_fixture_app};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A tool of an app, what to call it with, and what comes of it.
pub struct Call {
    pub app: &'static str,
    pub tool: &'static str,
    pub given: Value,
    /// What the answer has in it. Models say `heard: …`, users say `it`.
    pub answer: &'static str,
    /// The least number of notices of progress.
    pub progress: u64,
}

fn call(app: &'static str, tool: &'static str, given: Value, answer: &'static str, progress: u64) -> Call {
    Call { app, tool, given, answer, progress }
}

/// What is called; in the order in which it is called. npm's server speaks the legacy era alone, the others both.
pub fn calls() -> Vec<Call> {
    vec![
        call("demo", "add", json!({"a": 2, "b": 40}), "42", 0),
        // npm's clients do not take a notice any more that comes in one piece with the answer: not all are counted on.
        call("demo", "countdown", json!({"from": 2, "interval_ms": 150}), "Lift-off!", 1),
        call("fixture", "test_tool_with_progress", json!({}), "executed successfully", 2),
        call("fixture", "test_sampling", json!({"prompt": "grüß dich"}), "LLM response: heard: grüß dich", 0),
        call("fixture", "test_elicitation", json!({"message": "Who?"}), r#""username":"it""#, 0),
        call("everything", "echo", json!({"message": "grüß dich"}), "Echo: grüß dich", 0),
        call("everything", "trigger-long-running-operation", json!({"duration": 0.1, "steps": 2}), "completed", 1),
        call("everything", "trigger-sampling-request", json!({"prompt": "How?"}), "context: How?", 0),
        call("everything", "trigger-elicitation-request", json!({}), "- Name: it", 0),
    ]
}

/// A resource file for a server from elsewhere.
pub fn resource(name: &str, command: &Path, args: &[&Path]) -> String {
    let mcp = json!({"command": command, "args": args});
    json!({"kind": "app", "version": "v3", "metadata": {"name": name}, "spec": {"mcp": mcp}}).to_string()
}

/// Node's server with everything in it.
pub fn everything(folder: &Path) -> String {
    let script = folder.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    resource("everything", Path::new("node"), &[&script])
}

/// An agent with our demo server, the one that conformance suites expect, and npm's.
pub struct World {
    pub agent: Agent,
}

impl World {
    /// The world, and what `variable` names; `None` where one of them is missing.
    pub async fn with(test: &str, variable: &str) -> Option<(World, PathBuf)> {
        let npm = outside(test, "MCPFLEET_TEST_SERVER_EVERYTHING")?;
        let client = outside(test, variable)?;
        let home = Home::new();
        write_fixture_app(&home, "fixture", "both");
        let fleet = home.path().join("fleet");
        fs::write(fleet.join("demo.yaml"), demo_app("demo")).expect("the home is ours");
        fs::write(fleet.join("everything.yaml"), everything(&npm)).expect("the home is ours");
        Some((World { agent: Agent::start_in(home, "127.0.0.1:0").await }, client))
    }

    /// The ways to an app: its URL, and the bridge for clients that speak stdio.
    pub fn ways(&self, app: &str) -> [Vec<String>; 2] {
        // Not by the environment, which clients do not pass on.
        let socket = self.agent.socket();
        let bridge = self.agent.command(&["mcp", "connect", app, "--agent", socket.to_str().expect("a readable path")]);
        let bridge = bridge.as_std();
        let words = std::iter::once(bridge.get_program()).chain(bridge.get_args());
        let words = words.map(|word| word.to_str().expect("a readable word").to_owned());
        [vec![self.agent.url(app)], words.collect()]
    }
}
