//! Several repositories: each is judged by its own users and roles.

use super::running;
use crate::{
    lifecycle::world::{Agent, World, app},
    support::{Key, Repo, policy},
};
use mcpfleet::{
    authorize::ObjectId,
    status::model::{AgentState, SourceStatus, Status},
};
use serde_json::json;

fn named<'s>(status: &'s Status, name: &str) -> &'s SourceStatus {
    status.sources.iter().find(|source| source.name == name).expect("the source")
}

async fn reach(agent: &mut Agent<'_>, commits: [ObjectId; 2]) -> Status {
    agent
        .until("both judged and carried out", |status| {
            let at = |name: &str, commit: ObjectId| {
                named(status, name).git.as_ref().and_then(|git| git.accepted.clone()) == Some(commit.to_string())
            };
            let there = at("one", commits[0]) && at("two", commits[1]) && status.agent.state == AgentState::Ready;
            there.then(|| status.clone())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_do_not_reach_into_each_other() {
    let world = World::new();
    let (alice, bob) = (Key::new("alice"), Key::new("bob"));
    let (one, two) = (Repo::at(&world.path("one.git")), Repo::at(&world.path("two.git")));
    // Each is an administrator at home and nobody elsewhere; in the second, bob's name is that of a key of his own.
    let roots = [(&one, "alice", &alice), (&two, "bob", &bob)].map(|(repo, name, key)| {
        let root = repo.commit(&[], Some(key), &policy(&[(name, key, &["admin"])]).changes(), "Start");
        repo.push(root);
        root
    });
    let file = |name: &str| format!("{:#}\n", world.app(name, &[]));
    let sources = [("one", &one, roots[0]), ("two", &two, roots[1])].map(|(name, repo, root)| {
        json!({"name": name, "git": {"url": repo.url()}, "authorization": {"root": {"commit": root.to_string()}}})
    });
    let config = world.configure_sources(&sources);
    let mut agent = world.run_with(&["-c", &config, "--set", "gateway.listen=127.0.0.1:0"]);
    reach(&mut agent, roots).await;

    let push = |repo: &Repo, parent: ObjectId, key: &Key, name: &str| {
        let commit = repo.commit(&[parent], Some(key), &[(&format!("apps/{name}.yaml"), Some(&file(name)))], "Change");
        repo.push(commit);
        commit
    };
    let heads = [push(&one, roots[0], &bob, "intruder"), push(&two, roots[1], &bob, "home")];
    let status = reach(&mut agent, heads).await;
    assert_eq!(running(&status), ["home"]);
    assert_eq!(app(&status, "home").map(|app| &*app.source), Some("two"));
    let refused = |name: &str| named(&status, name).git.as_ref().expect("git").refused.clone();
    assert_eq!(refused("one").iter().map(|change| change.code.as_deref()).collect::<Vec<_>>(), [Some("unknown-key")]);
    assert!(refused("two").is_empty());

    // Making alice somebody in the second changes nothing in the first, and the other way round.
    let users = policy(&[("alice", &alice, &["admin"])]);
    let user: Vec<_> = users.changes().into_iter().filter(|(path, _)| path.starts_with("users/")).collect();
    let granted = two.commit(&[heads[1]], Some(&bob), &user, "Let alice in");
    two.push(granted);
    let heads = [push(&one, heads[0], &bob, "again"), push(&two, granted, &alice, "guest")];
    assert_eq!(running(&reach(&mut agent, heads).await), ["guest", "home"]);
}
