//! The official conformance suites, run against servers behind the gateway.

mod suite;

use crate::support::{Agent, Home, write_fixture_app};
use suite::{LEGACY, MODERN, STABLE, Suite};

/// An agent whose app `fixture` speaks one era, or both.
async fn agent(era: &str) -> Agent {
    let home = Home::new();
    write_fixture_app(&home, "fixture", era);
    Agent::start_in(home, "127.0.0.1:0").await
}

async fn passes(era: &str, suites: &[(Suite, &[&str])]) {
    for (suite, failing) in suites {
        // The suites leave their sessions open, and each session is a process.
        let agent = agent(era).await;
        suite.passes(&agent.url("fixture"), failing).await;
        agent.stop().await;
    }
}

#[tokio::test]
async fn a_server_of_both_eras() {
    passes("both", &[(STABLE, &[]), (LEGACY, &[]), (MODERN, &[])]).await;
}

/// A server that asks its client does not name its question; the scenario wants it to have a certain name.
const NAMED_QUESTION: &str = "input-required-result-basic-elicitation";

#[tokio::test]
async fn a_legacy_server() {
    passes("legacy", &[(STABLE, &[]), (LEGACY, &[]), (MODERN, &[NAMED_QUESTION])]).await;
}

#[tokio::test]
async fn a_modern_server() {
    passes("modern", &[(STABLE, &[]), (LEGACY, &[]), (MODERN, &[])]).await;
}
