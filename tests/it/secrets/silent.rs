//! A folder of secrets on a file system that does not answer: whoever needs nothing of it is served as ever, whoever does
//! is told why not, and all is well once it answers.

use super::{Vault, has_reason, primary, value};
use crate::{lifecycle::world::app, support::missing};
use mcpfleet::status::model::AppState;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;
use std::{
    fs::File,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

/// A file system of which nobody answers for what is in it, mounted over a folder until this is dropped.
struct Silence {
    folder: PathBuf,
    /// Where the kernel would be answered.
    _questions: File,
}

impl Silence {
    fn over(folder: &Path) -> Option<Silence> {
        let questions = File::options().read(true).write(true).open("/dev/fuse").ok()?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", questions.as_raw_fd());
        mount(Some("silence"), folder, Some("fuse"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(&*options)).ok()?;
        Some(Silence { folder: folder.to_owned(), _questions: questions })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Whoever waits for an answer gets an error when the questions are closed, right after.
        let _ = umount2(&self.folder, MntFlags::MNT_DETACH);
    }
}

const DOES_NOT_ANSWER: &str = "does not answer";

#[tokio::test]
async fn it_holds_up_nobody_else_and_is_over_once_it_answers() {
    let vault = Vault::new();
    vault.put("token", "one");
    vault.app("with", &[("TOKEN", "token")], json!({"sessions": "shared"}));
    vault.app("without", &[], json!({"sessions": "shared"}));
    let mut agent = vault.run(json!({"token": {"*": "*"}}));
    let (with, without) = (agent.pid("with").await, agent.pid("without").await);

    let folder = vault.world.path("secrets");
    let Some(silence) = Silence::over(&folder) else {
        return missing("secrets::silent", "only root can mount, and not everywhere");
    };
    // What runs goes on; what ends needs its secrets again, or does not.
    assert_eq!(value(&agent, "with", "TOKEN").await.as_deref(), Some("one"));
    for name in ["with", "without"] {
        let _ = agent.call(name, "crash", json!({})).await;
    }
    let other = |pid: u32| move |status: &_| app(status, "without").and_then(primary).filter(|new| *new != pid);
    agent.until("an app without secrets that comes back", other(without)).await;
    let parts = ["the user database or the folder of the secrets", folder.to_str().unwrap(), DOES_NOT_ANSWER];
    let row = agent.app("with", "told why", |app| has_reason(app, AppState::Backoff, &parts)).await;
    assert!(row.instances.is_empty(), "{row:?}");
    vault.app("late", &[("TOKEN", "token")], json!({"sessions": "shared"}));
    vault.app("plain", &[], json!({"sessions": "shared"}));
    let parts = [folder.to_str().unwrap(), DOES_NOT_ANSWER];
    let why = |app: &_| has_reason(app, AppState::Failed, &parts) || has_reason(app, AppState::Pending, &parts);
    agent.app("late", "told why", why).await;
    agent.pid("plain").await;

    drop(silence);
    for name in ["with", "late"] {
        assert_ne!(agent.pid(name).await, with);
        assert_eq!(value(&agent, name, "TOKEN").await.as_deref(), Some("one"));
    }
    vault.put("token", "two");
    let rotated = async |agent: &super::Agent<'_>| value(agent, "late", "TOKEN").await.filter(|value| value == "two");
    crate::support::eventually("a change after that", async || rotated(&agent).await).await;
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_starts_and_ends_all_the_same() {
    let vault = Vault::new();
    vault.put("token", "one");
    vault.app("with", &[("TOKEN", "token")], json!({}));
    vault.app("without", &[], json!({}));
    let Some(silence) = Silence::over(&vault.world.path("secrets")) else {
        return missing("secrets::silent", "only root can mount, and not everywhere");
    };
    let mut agent = vault.run(json!({"token": {"*": "*"}}));
    agent.pid("without").await;
    let told = |app: &_| has_reason(app, AppState::Failed, &[DOES_NOT_ANSWER]);
    agent.app("with", "told why", told).await;
    agent.stop().await;
    drop(silence);
    let mut agent = vault.run(json!({"token": {"*": "*"}}));
    agent.pid("with").await;
    agent.stop().await;
}
