//! No client ever gets another's answer, whatever ids they choose.

use super::stage::{Stage, answer, call, text};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

/// Ids as clients choose them: few, so that they collide, and of every form.
fn id() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0i64..4).prop_map(Value::from),
        (-3i64..0).prop_map(Value::from),
        (0i64..4).prop_map(|n| Value::from(n.to_string())),
        Just(json!("")),
        Just(json!("\"quoted\" \\ \n ü 😀")),
        Just(json!(9_007_199_254_740_993_i64)),
        Just(json!(1.5)),
    ]
}

/// For each client: its requests, each with an id and how long the server takes.
fn clients() -> impl Strategy<Value = Vec<Vec<(Value, u64)>>> {
    proptest::collection::vec(proptest::collection::vec((id(), 0u64..15), 1..6), 2..8)
}

async fn hold(stage: &Stage, sessions: &[super::stage::Session<'_>], plan: Vec<Vec<(Value, u64)>>, modern: bool) {
    let mut all = Vec::new();
    for (client, requests) in plan.into_iter().enumerate() {
        for (number, (id, ms)) in requests.into_iter().enumerate() {
            let token = json!(format!("{client}/{number}"));
            let mut params =
                json!({ "name": "sleep", "arguments": { "ms": ms, "steps": 1 }, "_meta": { "progressToken": token } });
            let echo = format!("{client} {number} {id}");
            let request = if modern {
                stage.modern(&id, "tools/call", params)
            } else {
                let mut body = call(id.clone(), "sleep", json!({}));
                body["params"] = params.take();
                sessions[client % sessions.len()].post(body)
            };
            let echoed = if modern {
                stage.modern(&id, "tools/call", json!({ "name": "echo", "arguments": { "text": echo } }))
            } else {
                sessions[client % sessions.len()].call(id.clone(), "echo", json!({ "text": echo }))
            };
            all.push(async move {
                for message in super::stage::messages(request.send().await.unwrap()).await {
                    if message["method"] == "notifications/progress" {
                        assert_eq!(message["params"]["progressToken"], token);
                    } else {
                        assert_eq!(message["id"], id, "{message}");
                    }
                }
                let answer = answer(echoed.send().await.unwrap()).await;
                assert_eq!((&answer["id"], text(&answer)), (&id, echo));
            });
        }
    }
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn answers_find_the_client_that_asked() {
    let mut runner = TestRunner::new(Config::default());
    let modern = Stage::with(&["--era", "modern"], json!({})).await;
    let shared = Stage::with(&["--era", "legacy"], json!({ "sessions": "shared" })).await;
    let own = Stage::with(&["--era", "legacy"], json!({})).await;
    let mut shared_sessions = Vec::new();
    let mut own_sessions = Vec::new();
    for _ in 0..7 {
        shared_sessions.push(shared.session().await);
        own_sessions.push(own.session().await);
    }
    for _ in 0..16 {
        let plan = clients().new_tree(&mut runner).unwrap().current();
        hold(&modern, &[], plan.clone(), true).await;
        hold(&shared, &shared_sessions, plan.clone(), false).await;
        hold(&own, &own_sessions, plan, false).await;
    }
}

#[tokio::test]
async fn messages_pass_to_the_byte() {
    let stage = Stage::with(&["--era", "modern"], json!({})).await;
    // The fake server gives the text back as it understood it; what it must not see is a number or a text changed.
    for text_sent in ["ü\u{2028}😀", "\\u0041 \"quoted\"", &"x".repeat(1 << 20)] {
        let params = json!({ "name": "echo", "arguments": { "text": text_sent } });
        let response = stage.modern(&json!(1), "tools/call", params).send().await.unwrap();
        assert_eq!(text(&answer(response).await), *text_sent);
    }
}
