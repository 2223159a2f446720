//! Notifications of a real agent: what forges, people and programs are sent, to the letter, and what becomes of it when
//! they do not answer.

mod delivery;
mod forges;
mod people;
mod programs;
mod server;
mod tls;
mod trial;

use crate::{git_source::Stage, lifecycle::world::Agent};
use mcpfleet::status::model::{Status, notification::NotificationStatus};
use serde_json::{Value, json};
use std::fs;

/// What every target of these tests has for a credential, unless it is a URL.
const TOKEN: &str = "s3cret-t0ken";

/// A configuration with the stage's repository as its source, and these notifications.
fn configure(stage: &Stage, notifications: &[Value]) -> Vec<String> {
    fs::write(stage.world.path("token"), format!("{TOKEN}\n")).expect("a writable world");
    let authorization = json!({"root": {"commit": stage.root.to_string()}});
    let source = json!({"name": "fleet", "git": {"url": stage.repo.url()}, "authorization": authorization});
    let path = stage.world.configure_sources(&[source]);
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    config["notifications"] = json!(notifications);
    config["agent_name"] = json!("eu-1");
    fs::write(&path, config.to_string()).expect("a writable world");
    ["-c", &path, "--set", "gateway.listen=127.0.0.1:0"].map(str::to_owned).into()
}

fn run<'s>(stage: &'s Stage, notifications: &[Value]) -> Agent<'s> {
    let arguments = configure(stage, notifications);
    stage.world.run_with(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// How it stands with the only notification.
fn only(status: &Status) -> &NotificationStatus {
    status.agent.notifications.first().expect("one notification")
}

/// Waits until nothing waits to be sent, and so many messages were taken.
async fn delivered(agent: &mut Agent<'_>, count: u64) -> NotificationStatus {
    let is_done = |status: &Status| {
        let told = only(status);
        (told.waiting == 0 && told.delivered >= count).then(|| told.clone())
    };
    agent.until(&format!("{count} messages that were taken"), is_done).await
}
