mod bridged;

use super::*;
use crate::client::fake::{FakeAgent, LIMIT, Seen, events, json, status};
use axum::response::Response;
use bridged::Bridged;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json as value};
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::{Notify, watch};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn initialize_result(session: &str) -> Response {
    let result = value!({
        "jsonrpc": "2.0", "id": "init",
        "result": {
            "protocolVersion": "2025-06-18", "serverInfo": {"name": "s", "version": "1"},
            "capabilities": {"tools": {"listChanged": true}, "prompts": {}},
        },
    });
    let mut response = json(result.to_string());
    response.headers_mut().insert("mcp-session-id", session.parse().unwrap());
    response
}

/// A legacy server with one session and nothing to say by itself.
fn legacy(seen: &Seen) -> Option<Response> {
    match (seen.method.as_str(), seen.rpc().as_str()) {
        ("POST", "initialize") => Some(initialize_result("s1")),
        ("POST", method) if method.starts_with("notifications/") => Some(status(202, "")),
        ("GET", _) => Some(status(405, "")),
        ("DELETE", _) => Some(status(200, "")),
        _ => None,
    }
}

fn id(seen: &Seen) -> Value {
    serde_json::from_str::<Value>(&seen.body).unwrap()["id"].clone()
}

#[tokio::test]
async fn messages_pass_as_they_are() {
    let answer = "{\"jsonrpc\":\"2.0\",\n \"id\": 7, \"result\":{\"n\":1.0e+5,\"z\":1,\"a\":\"\\u00e9\"}}";
    let agent = FakeAgent::start(move |seen| async move { legacy(&seen).unwrap_or_else(|| json(answer)) }).await;
    let mut bridge = Bridged::start(agent.address);
    bridge.send(INITIALIZE).await;
    bridge.line().await;
    bridge.send(INITIALIZED).await;
    let odd =
        r#"{ "id":7,  "method":"tools/call","jsonrpc":"2.0","params":{"name":"é","arguments":{"n":1.50e3}} ,"x":null}"#;
    bridge.send(odd).await;
    assert_eq!(bridge.line().await, answer.replace('\n', " "));
    assert_eq!(bridge.close().await, [""; 0]);

    let seen = agent.seen();
    let call = seen.iter().find(|seen| seen.rpc() == "tools/call").unwrap();
    assert_eq!((call.path.as_str(), call.body.as_str()), ("/mcp/app", odd));
    assert_eq!(call.header("mcp-session-id"), Some("s1"));
    assert_eq!(call.header("mcp-protocol-version"), Some("2025-06-18"));
    assert_eq!(call.header("mcp-method"), None);
    let methods: Vec<String> = seen.iter().map(|seen| format!("{} {}", seen.method, seen.rpc())).collect();
    assert_eq!(methods.first().unwrap(), "POST initialize");
    assert_eq!(methods.last().unwrap(), "DELETE ");
    assert_eq!(seen.last().unwrap().header("mcp-session-id"), Some("s1"));
}

#[tokio::test]
async fn modern_messages_get_their_headers() {
    let agent = FakeAgent::start(|seen| async move {
        let progress = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n: quiet\n\n";
        let answer = format!("data: {{\"jsonrpc\":\"2.0\",\ndata: \"id\":{},\"result\":{{}}}}\r\n\r\n", id(&seen));
        events(stream::iter([progress.to_owned(), answer]))
    })
    .await;
    let mut bridge = Bridged::start(agent.address);
    bridge
        .send(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"grüß",{META}}}}}"#))
        .await;
    assert_eq!(bridge.line().await, r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#);
    assert_eq!(bridge.line().await, r#"{"jsonrpc":"2.0", "id":1,"result":{}}"#);
    bridge.close().await;
    let seen = agent.seen();
    assert_eq!(seen.len(), 1, "a modern client has no session: {seen:?}");
    for (name, expected) in [
        ("mcp-protocol-version", Some("2026-07-28")),
        ("mcp-method", Some("tools/call")),
        ("mcp-name", Some("=?base64?Z3LDvMOf?=")),
        ("mcp-session-id", None),
        ("accept", Some("application/json, text/event-stream")),
    ] {
        assert_eq!(seen[0].header(name), expected, "{name}");
    }
}

#[tokio::test]
async fn cancelling_a_modern_request_closes_its_stream() {
    let closed = Arc::new(Notify::new());
    let signal = closed.clone();
    let agent = FakeAgent::start(move |_| {
        // Dropped with the stream, when the connection is closed.
        struct OnDrop(Arc<Notify>);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let guard = OnDrop(signal.clone());
        let first = stream::iter([": open\n\n".to_owned()]);
        let rest = stream::pending().map(move |()| {
            let _ = &guard;
            String::new()
        });
        async move { events(first.chain(rest)) }
    })
    .await;
    let mut bridge = Bridged::start(agent.address);
    bridge.send(&format!(r#"{{"jsonrpc":"2.0","id":"a","method":"subscriptions/listen","params":{{{META}}}}}"#)).await;
    agent.wait_for(|seen| seen.rpc() == "subscriptions/listen").await;
    bridge.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"b"}}"#).await;
    bridge.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#).await;
    tokio::time::timeout(LIMIT, closed.notified()).await.expect("the stream is closed");
    assert_eq!(bridge.close().await, [""; 0]);
    assert_eq!(agent.seen().len(), 1, "no cancel is sent: closing says it");
}

#[tokio::test]
async fn a_server_speaks_by_itself_and_is_answered() {
    let agent = FakeAgent::start(|seen| async move {
        if seen.method == "GET" {
            assert_eq!(seen.header("mcp-session-id"), Some("s1"));
            let question =
                "id: 1\ndata:\n\ndata: {\"id\":5,\"method\":\"roots/list\",\"jsonrpc\":\"2.0\"}\n\n".to_owned();
            return events(stream::iter([question]).chain(stream::pending()));
        }
        legacy(&seen).unwrap_or_else(|| status(202, ""))
    })
    .await;
    let mut bridge = Bridged::start(agent.address);
    bridge.send(INITIALIZE).await;
    bridge.line().await;
    bridge.send(INITIALIZED).await;
    assert_eq!(bridge.line().await, r#"{"id":5,"method":"roots/list","jsonrpc":"2.0"}"#);
    bridge.send(r#"{"jsonrpc":"2.0","id":5,"result":{"roots":[]}}"#).await;
    let answer = agent.wait_for(|seen| seen.body.contains("roots")).await;
    assert_eq!(answer.header("mcp-session-id"), Some("s1"));
    bridge.close().await;
}

/// The agent answers a cancelled request with 202 and nothing else.
#[tokio::test]
async fn a_cancelled_legacy_request_stays_without_an_answer() {
    let cancelled = Arc::new(Notify::new());
    let signal = cancelled.clone();
    let agent = FakeAgent::start(move |seen| {
        let signal = signal.clone();
        async move {
            if seen.rpc() == "notifications/cancelled" {
                signal.notify_one();
            }
            if let Some(response) = legacy(&seen) {
                return response;
            }
            if seen.rpc() == "tools/call" {
                signal.notified().await;
                return status(202, "");
            }
            json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id(&seen)))
        }
    })
    .await;
    let mut bridge = Bridged::start(agent.address);
    bridge.send(INITIALIZE).await;
    bridge.line().await;
    bridge.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#).await;
    agent.wait_for(|seen| seen.rpc() == "tools/call").await;
    bridge.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    bridge.send(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).await;
    assert_eq!(bridge.value().await["id"], 2);
    assert_eq!(bridge.close().await, [""; 0]);
}

/// An app is removed: its sessions are gone, and there is nobody to open another.
#[tokio::test]
async fn what_is_gone_for_good_is_said_to_be() {
    let gone = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"there is no app here"}}"#;
    let removed = Arc::new(AtomicUsize::new(0));
    let flag = removed.clone();
    let agent = FakeAgent::start(move |seen| {
        let removed = flag.load(Ordering::SeqCst) == 1;
        async move {
            match legacy(&seen).filter(|_| !removed) {
                Some(response) => response,
                None => status(404, gone),
            }
        }
    })
    .await;
    let mut bridge = Bridged::start(agent.address);
    bridge.send(INITIALIZE).await;
    bridge.line().await;
    removed.store(1, Ordering::SeqCst);
    bridge.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).await;
    let error = value!({"code": -32600, "message": "there is no app here"});
    assert_eq!(bridge.value().await, value!({"jsonrpc": "2.0", "id": 1, "error": error}));
    bridge.close().await;
}

/// The server is updated: its sessions are gone. The client notices nothing but that the lists may have changed.
#[tokio::test]
async fn a_lost_session_is_opened_again() {
    let sessions = Arc::new(AtomicUsize::new(0));
    let lose = Arc::new(AtomicUsize::new(0));
    let (count, lost) = (sessions.clone(), lose.clone());
    let agent = FakeAgent::start(move |seen| {
        let (count, lost) = (count.clone(), lost.clone());
        async move {
            let known = format!("s{}", count.load(Ordering::SeqCst));
            if seen.rpc() == "initialize" {
                return initialize_result(&format!("s{}", count.fetch_add(1, Ordering::SeqCst) + 1));
            }
            let gone = seen.header("mcp-session-id") != Some(&known) || lost.swap(0, Ordering::SeqCst) > 0;
            match seen.method.as_str() {
                "POST" if gone => status(404, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32013,"message":"no"}}"#),
                _ => legacy(&seen)
                    .unwrap_or_else(|| json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id(&seen)))),
            }
        }
    })
    .await;
    let mut bridge = Bridged::start(agent.address);
    bridge.send(INITIALIZE).await;
    bridge.line().await;
    bridge.send(INITIALIZED).await;
    agent.wait_for(|seen| seen.method == "GET").await;
    lose.store(1, Ordering::SeqCst);
    for id in 0..5 {
        bridge.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list"}}"#)).await;
    }
    let mut lines: Vec<Value> = Vec::new();
    for _ in 0..6 {
        lines.push(bridge.value().await);
    }
    let mut ids: Vec<i64> = lines.iter().filter_map(|line| line["id"].as_i64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 2, 3, 4], "{lines:?}");
    assert!(lines.iter().all(|line| line["error"].is_null()), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line["method"] == "notifications/tools/list_changed").count(), 1);
    bridge.close().await;

    let said: Vec<Seen> = agent.seen();
    let again: Vec<&str> =
        said.iter().filter(|seen| seen.rpc() == "initialize").map(|seen| seen.body.as_str()).collect();
    assert_eq!(again, [INITIALIZE, INITIALIZE], "in the client's own words");
    let ready: Vec<_> =
        said.iter().filter(|seen| seen.body == INITIALIZED).map(|seen| seen.header("mcp-session-id")).collect();
    assert_eq!(ready, [Some("s1"), Some("s2")]);
    assert_eq!(said.last().unwrap().header("mcp-session-id"), Some("s2"), "the new session is ended");
}

#[tokio::test]
async fn requests_wait_for_an_agent_that_restarts_but_not_for_ever() {
    let answer = |seen: Seen| async move { json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id(&seen))) };
    let agent = FakeAgent::start(answer).await;
    let address = agent.address;
    let waits = Waits { patience: Duration::from_secs(2), last_answers: LIMIT };
    let mut bridge = Bridged::start_with(address, waits);
    let request = |id: u32| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list","params":{{{META}}}}}"#);
    bridge.send(&request(1)).await;
    assert_eq!(bridge.value().await["result"], value!({}));
    // axum serves connections in tasks of their own: the runtime that this test runs in keeps them, so the connection
    // that the bridge kept is still served. A new bridge has none.
    drop(agent);
    let mut bridge = Bridged::start_with(address, waits);
    bridge.send(&request(2)).await;
    let failed = bridge.value().await;
    assert_eq!((&failed["id"], &failed["error"]["code"]), (&value!(2), &value!(codes::UNAVAILABLE)));
    assert!(failed["error"]["message"].as_str().unwrap().contains(&address.to_string()), "{failed}");

    bridge.send(&request(3)).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let agent = FakeAgent::start_at(address, answer).await;
    let answered = bridge.value().await;
    assert_eq!((&answered["id"], &answered["result"]), (&value!(3), &value!({})));
    bridge.close().await;
    assert_eq!(agent.seen().len(), 1);
}

#[tokio::test]
async fn an_app_that_is_not_ready_is_waited_for() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let agent = FakeAgent::start(move |seen| {
        let attempt = count.fetch_add(1, Ordering::SeqCst);
        async move {
            match attempt {
                0 => status(503, r#"{"error":{"code":"not-ready","message":"app is Starting"}}"#),
                1 => status(503, r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32010,"message":"app is Starting"}}"#),
                2 => json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id(&seen))),
                _ => {
                    let mut response = status(503, r#"{"error":{"code":"not-ready","message":"app is Failed"}}"#);
                    response.headers_mut().insert("retry-after", "3600".parse().unwrap());
                    response
                }
            }
        }
    })
    .await;
    let mut bridge = Bridged::start(agent.address);
    let request = |id: u32| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list","params":{{{META}}}}}"#);
    bridge.send(&request(1)).await;
    assert_eq!(bridge.value().await["result"], value!({}));
    bridge.send(&request(2)).await;
    let failed = bridge.value().await;
    assert_eq!(failed["error"], value!({"code": codes::UNAVAILABLE, "message": "app is Failed"}));
    assert_eq!(asked.load(Ordering::SeqCst), 4, "nobody who asks for an hour is asked again at once");
    bridge.close().await;
}

#[tokio::test]
async fn refusals_answer_the_request_they_are_about() {
    for (code, body, expected) in [
        (
            404,
            r#"{"error":{"code":"not-found","message":"there is no app"}}"#,
            value!({"code": codes::INVALID_REQUEST, "message": "there is no app"}),
        ),
        (
            500,
            "<html>",
            value!({"code": codes::INVALID_REQUEST, "message": "the agent answered 500 Internal Server Error"}),
        ),
        (
            400,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"m","data":1}}"#,
            value!({"code": -32020, "message": "m", "data": 1}),
        ),
        (202, "", value!({"code": codes::SERVER_GONE, "message": "the connection ended before the server answered"})),
    ] {
        let agent = FakeAgent::start(move |_| async move { status(code, body) }).await;
        let mut bridge = Bridged::start(agent.address);
        bridge.send(&format!(r#"{{"jsonrpc":"2.0","id":"x","method":"tools/list","params":{{{META}}}}}"#)).await;
        assert_eq!(bridge.value().await, value!({"jsonrpc": "2.0", "id": "x", "error": expected}), "{code} {body}");
        bridge.send(INITIALIZE).await;
        let refused = bridge.value().await;
        assert_eq!((&refused["id"], refused["error"].is_object()), (&value!("init"), true), "{refused}");
        assert_eq!(bridge.close().await, [""; 0]);
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_nothing_else_suffers() {
    let agent =
        FakeAgent::start(
            |seen| async move { json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id(&seen))) },
        )
        .await;
    let mut bridge = Bridged::start(agent.address);
    for (line, code) in [("{", codes::PARSE_ERROR), ("7", codes::INVALID_REQUEST), ("{}", codes::INVALID_REQUEST)] {
        bridge.send(line).await;
        let refused = bridge.value().await;
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&Value::Null, &value!(code)), "{line}");
    }
    bridge
        .send(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":"{}"}}}}"#, "a".repeat(MAX_LINE)))
        .await;
    let refused = bridge.value().await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&value!(1), &value!(codes::INVALID_REQUEST)));
    bridge.send(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await;
    assert_eq!(bridge.value().await, value!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    bridge.close().await;
    assert_eq!(agent.seen().len(), 1);
}

#[test]
fn the_beginning_of_a_message_may_tell_its_id() {
    for (head, expected) in [
        (r#"{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":"bbb"#, Some("7")),
        (r#" { "id" : "a\"b" , "params": {"#, Some(r#""a\"b""#)),
        (r#"{"params":{"id":7,"#, None),
        (r#"{"id":7"#, None),
        (r#"{"id":{},"#, None),
        (r#"[{"id":7,"method":"x"},"#, None),
        ("\u{e9}", None),
        ("", None),
    ] {
        assert_eq!(early_id(head.as_bytes()), expected, "{head}");
    }
}

/// Answers come in the reverse order and in pieces; every line is whole and every request answered once.
#[tokio::test]
async fn many_requests_are_open_at_once() {
    const MANY: usize = 100;
    let (sender, receiver) = watch::channel(0_usize);
    let (sender, waiting) = (Arc::new(sender), Arc::new(Mutex::new(0)));
    let agent = FakeAgent::start(move |seen| {
        let (mut turn, sender, waiting) = (receiver.clone(), sender.clone(), waiting.clone());
        async move {
            let number = usize::try_from(id(&seen).as_u64().unwrap()).unwrap();
            let all_there = {
                let mut waiting = waiting.lock().unwrap();
                *waiting += 1;
                *waiting == MANY
            };
            if all_there {
                sender.send_replace(MANY);
            }
            turn.wait_for(|turn| *turn == number + 1).await.unwrap();
            let text = number.to_string().repeat(1000);
            let answer = format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{number},\"result\":\"{text}\"}}\n\n");
            let half = answer.len() / 2;
            let pieces = [answer[..half].to_owned(), answer[half..].to_owned()];
            events(stream::iter(pieces).then(move |piece| {
                let sender = sender.clone();
                async move {
                    sender.send_replace(number);
                    tokio::task::yield_now().await;
                    piece
                }
            }))
        }
    })
    .await;
    let mut bridge = Bridged::start(agent.address);
    for id in 0..MANY {
        bridge.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{{META}}}}}"#)).await;
    }
    let mut answered = Vec::new();
    for _ in 0..MANY {
        let line = bridge.value().await;
        let id = line["id"].as_u64().unwrap();
        assert_eq!(line["result"], value!(id.to_string().repeat(1000)));
        answered.push(id);
    }
    answered.sort_unstable();
    answered.dedup();
    assert_eq!(answered.len(), MANY);
    bridge.close().await;
}

#[tokio::test]
async fn the_last_answers_are_waited_for() {
    let agent = FakeAgent::start(|seen| async move {
        match legacy(&seen) {
            Some(response) => response,
            None => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id(&seen)))
            }
        }
    })
    .await;
    let mut bridge = Bridged::start(agent.address);
    bridge.send(INITIALIZE).await;
    bridge.line().await;
    bridge.send(r#"{"jsonrpc":"2.0","id":9,"method":"tools/list"}"#).await;
    let rest = bridge.close().await;
    assert_eq!(rest, [r#"{"jsonrpc":"2.0","id":9,"result":{}}"#]);
    assert_eq!(agent.seen().last().unwrap().method, "DELETE");
}

#[tokio::test]
async fn batches_pass_whole() {
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#;
    let agent = FakeAgent::start(|seen| async move {
        legacy(&seen).unwrap_or_else(|| json(r#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#))
    })
    .await;
    let mut bridge = Bridged::start(agent.address);
    bridge.send(INITIALIZE).await;
    bridge.line().await;
    bridge.send(batch).await;
    assert_eq!(bridge.line().await, r#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#);
    bridge.close().await;
    assert!(agent.seen().iter().any(|seen| seen.body == batch && seen.header("mcp-session-id") == Some("s1")));
}
