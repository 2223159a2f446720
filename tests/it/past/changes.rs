//! The commits of a source, in the order in which they were judged, and what is held.

use super::{fields, get, ids, list, refusal, rows};
use crate::{
    git_source::{Stage, reaches, refuses},
    support::eventually,
};
use mcpfleet::{authorize::ObjectId, client::endpoint::Endpoint};
use serde_json::{Value, json};

fn app(stage: &Stage, name: &str, team: &str) -> String {
    stage.app(name, team, &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_stand_as_they_were_judged() {
    let stage = Stage::new();
    let older = stage.root;
    let root = stage.push(Some(&stage.alice), &[("apps/z.yaml", Some(&app(&stage, "z", "b")))]);
    let mut agent = stage.run_with(&["--root", &root.to_string()]);
    reaches(&mut agent, root).await;
    let own = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&app(&stage, "a", "a")))]);
    let docs = stage.push(None, &[("README.md", Some("hello"))]);
    // A branch that is older than what it is merged into.
    let side = stage.repo.commit(&[own], Some(&stage.bob), &[("apps/s.yaml", Some(&app(&stage, "s", "a")))], "Side");
    let refused = stage.push(Some(&stage.bob), &[("apps/z.yaml", None), ("apps/c.yaml", Some(&app(&stage, "c", "a")))]);
    let merge = stage.repo.commit(
        &[refused, side],
        Some(&stage.alice),
        &[("apps/s.yaml", Some(&app(&stage, "s", "a")))],
        "Merge",
    );
    stage.push_commit(merge);
    reaches(&mut agent, merge).await;
    let page = get(&agent, "/v1/changes").await;
    assert_eq!((&page["mode"], &page["more"]), (&json!("enforce"), &json!(false)));
    let commits = list(&page, "commits");
    let [m, s, r, d, o, t, e] = ids([merge, side, refused, docs, own, root, older]);
    let mut expected = rows(&[
        [&m, "nothing-to-decide", "true", "alice"],
        [&s, "accepted", "true", "bob"],
        [&r, "refused", "false", "bob"],
        [&d, "nothing-to-decide", "true", "null"],
        [&o, "accepted", "true", "bob"],
        [&t, "root", "true", "null"],
        [&e, "unjudged", "true", "null"],
    ]);
    let mut seen = fields(commits, ["commit", "standing", "accepted", "signer"]);
    // Of what decides nothing it does not matter who signed it.
    seen.iter_mut().filter(|row| row[1] == "nothing-to-decide").for_each(|row| row[3] = "null".to_owned());
    expected.iter_mut().filter(|row| row[1] == "nothing-to-decide").for_each(|row| row[3] = "null".to_owned());
    assert_eq!(seen, expected, "{page:#}");
    let changes = fields(list(&commits[2], "changes"), ["path", "name", "verb", "verdict", "code"]);
    assert!(
        changes.contains(&["apps/z.yaml", "z", "delete", "refused", "not-allowed"].map(str::to_owned)),
        "{changes:?}"
    );
    assert!(commits[6]["changes"].as_array().is_some_and(|files| files.len() == 6), "{page:#}");
    assert_eq!(commits[6]["changes"][0]["verdict"], "unjudged");
    assert!(commits[5]["message"].as_str().is_some_and(|message| message.contains("root of trust")));

    let held = list(&page, "held");
    let row = held.iter().find(|held| held["path"] == "apps/z.yaml").expect("it is held");
    assert_eq!((&row["app"], &row["code"], &row["commit"]), (&json!("z"), &json!("not-allowed"), &json!(r)));
    assert!(row["help"].as_str().unwrap().contains("whose roles allow it"), "{row}");

    let mut paged = Vec::new();
    let mut query = String::new();
    loop {
        let page = get(&agent, &format!("/v1/changes?limit=3{query}")).await;
        paged.extend(list(&page, "commits").to_vec());
        query = format!("&before={}", paged.last().unwrap()["commit"].as_str().unwrap());
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(paged, commits);
    let unknown = format!("/v1/changes?before={}", ObjectId::new([7; 20]));
    assert_eq!(refusal(&agent, &unknown).await, (404, "unknown-commit".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_judged_waits_and_says_why() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&app(&stage, "a", "a")))]);
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    let rewritten =
        stage.repo.commit(&[stage.root], Some(&stage.alice), &[("apps/b.yaml", Some(&app(&stage, "b", "b")))], "Else");
    stage.push_commit(rewritten);
    refuses(&mut agent, rewritten).await;
    let page = get(&agent, "/v1/changes").await;
    let commits = fields(list(&page, "commits"), ["commit", "standing", "accepted"]);
    let [n, s, r] = ids([rewritten, start, stage.root]);
    assert_eq!(commits, rows(&[[&n, "waiting", "false"], [&s, "accepted", "true"], [&r, "root", "true"]]), "{page:#}");
    assert!(page["commits"][0]["message"].as_str().unwrap().contains("does not descend"), "{page:#}");
    assert_eq!(fields(list(&page, "held"), ["code"]), [["history-rewritten".to_owned()]]);

    // Trust that begins anew has a record of its own.
    let state = stage.state_dir();
    let order = json!({"version": 1, "commit": rewritten.to_string(), "reason": "a test", "by": "root", "at": "2026-11-23T12:00:00Z"});
    std::fs::write(state.join("override.tmp"), order.to_string()).unwrap();
    std::fs::rename(state.join("override.tmp"), state.join("override.json")).unwrap();
    agent.client.reconcile(false).await.unwrap();
    reaches(&mut agent, rewritten).await;
    let page = get(&agent, "/v1/changes").await;
    let commits = fields(list(&page, "commits"), ["commit", "standing"]);
    assert_eq!(commits, rows(&[[&n, "root"], [&r, "unjudged"]]), "{page:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_questions_are_answered_a_few_at_a_time_and_hold_up_nothing() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&app(&stage, "a", "a")))]);
    let mut agent = stage.run();
    let status = reaches(&mut agent, start).await;
    let gateway: Endpoint = status.apps[0].url.replace("/mcp/a", "").parse().expect("a URL");
    // A long history that was there before, and was not judged.
    let mut head = start;
    for number in 0..300 {
        let text = format!("{number}");
        head = stage.repo.commit(&[head], Some(&stage.bob), &[("notes.md", Some(&*text))], "Note");
    }
    stage.push_commit(head);
    reaches(&mut agent, head).await;
    let path = "/v1/changes?limit=200";
    let asking: Vec<_> = (0..40).map(|_| tokio::spawn(super::ask_at(gateway.clone(), path))).collect();
    // So many of those who are nobody leave room for the one who is somebody.
    let (status, answer) = super::ask(agent.control_socket(), path).await;
    assert_eq!(status, 200, "{answer}");
    let mut answers = Vec::new();
    for one in asking {
        let (status, answer): (u16, Value) = one.await.unwrap();
        assert!(status == 200 || (status, &answer["error"]["code"]) == (503, &json!("busy")), "{status} {answer}");
        answers.push(status);
    }
    assert!(answers.contains(&200), "{answers:?}");
    // Whoever comes again is answered.
    eventually("an answer", async || (super::ask_at(gateway.clone(), path).await.0 == 200).then_some(())).await;
    let next = stage.push(Some(&stage.bob), &[("apps/b.yaml", Some(&app(&stage, "b", "a")))]);
    reaches(&mut agent, next).await;
}
