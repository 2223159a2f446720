//! The web page, in a real browser and before the real agent. What is to be seen there is in the scripts beside this file.

mod files;
mod stage;

use crate::{
    access::fleet::{role, token},
    git_source,
    support::{Agent, Draft, Key, processes::example},
};
use mcpfleet::resource::Digest;
use serde_json::{Value, json};
use stage::{Browser, Scene};

/// An agent on a folder with nothing in it.
async fn empty() -> (Agent, Scene) {
    let agent = Agent::start(&[]).await;
    let home = agent.home.path().to_owned();
    let scene = Scene { base: format!("http://{}", agent.listen), home, socket: agent.socket(), more: Value::Null };
    scene.copy(&example("fake-mcp-server"), "fake-mcp-server");
    (agent, scene)
}

#[tokio::test]
async fn a_folder_from_nothing_to_every_state() {
    let Some(browser) = Browser::find("web::a_folder_from_nothing_to_every_state") else { return };
    let (_agent, scene) = empty().await;
    browser.play("tour.mjs", &scene, |what| panic!("{what}")).await;
}

#[tokio::test]
async fn five_hundred_servers() {
    let Some(browser) = Browser::find("web::five_hundred_servers") else { return };
    let (_agent, scene) = empty().await;
    browser.play("large.mjs", &scene, |what| panic!("{what}")).await;
}

/// What somebody writes into a commit who would like the page to run it.
const MARKUP: &str = "<img src=x onerror=\"globalThis.hacked=1\">";

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_behind_a_token() {
    let Some(browser) = Browser::find("web::a_repository_behind_a_token") else { return };
    let stage = git_source::Stage::new();
    let mut agent = stage.run_with(&["--root", &stage.root.to_string(), "--set", "gateway.auth=required"]);
    let rights = role("users-a", "{allow: {app_labels: {team: a}, mcp: {tools: [\"*\"]}}}");
    let bob = format!(
        "kind: user\nversion: v2\nmetadata: {{name: bob}}\nspec:\n  roles: [team-a, users-a]\n  git:\n    emails: \
         [bob@example.com]\n    signing_keys:\n      - {}\n  gateway: {{token_sha256: [{}]}}\n",
        stage.bob.public(),
        Digest::of_bytes(token("bob").as_bytes())
    );
    let files = [
        ("apps/alpha.yaml", Some(stage.app("alpha", "a", &[]))),
        ("roles/users-a.yaml", Some(rights)),
        ("users/bob.yaml", Some(bob)),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_deref())).collect();
    let first = stage.push(Some(&stage.alice), &files);
    let status = git_source::reaches(&mut agent, first).await;

    let scene = Scene {
        base: status.agent.gateway,
        home: stage.world.path(""),
        socket: stage.world.control_socket(),
        more: json!({ "token": token("bob"), "markup": MARKUP }),
    };
    let commit = |signer: &Key, author: &str, path: &str, text: &str, message: &str| {
        let changes = [(path, Some(text))];
        let parents = [stage.head()];
        stage.repo.commit_draft(&Draft {
            parents: &parents,
            signer: Some(signer),
            author,
            changes: &changes,
            entries: &[],
            message,
        })
    };
    let bob = "bob \u{202e}eve <bob@example.com>";
    let eve = Key::new("eve");
    let asked = |what: &str| match what {
        "beta" => {
            let text = stage.app("beta", "a", &[]);
            stage.push_commit(commit(&stage.bob, bob, "apps/beta.yaml", &text, &format!("Add beta {MARKUP}")));
        }
        "beta anew" => {
            let text = stage.app("beta", "a", &["--start-delay", "1"]);
            stage.push_commit(commit(&stage.bob, bob, "apps/beta.yaml", &text, "Change beta"));
        }
        "gamma by eve" => {
            let text = stage.app("gamma", "a", &[]);
            let author = "eve <eve@example.com>";
            stage.push_commit(commit(&eve, author, "apps/gamma.yaml", &text, &format!("Add gamma {MARKUP}")));
        }
        "delta on a branch" => {
            let text = stage.app("delta", "a", &[]);
            let proposal = commit(&stage.bob, bob, "apps/delta.yaml", &text, "Add delta");
            stage.repo.set("refs/heads/proposal", Some(proposal));
        }
        other => panic!("nobody knows how to do {other}"),
    };
    browser.play("git.mjs", &scene, asked).await;
}
