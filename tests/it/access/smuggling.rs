//! Somebody who may call one tool tries the other, in every way in which one of two readers could be misled.

use super::fleet::{Client, answer, call, outcome, start};
use serde_json::{Value, json};

/// Whether the server has been asked to crash: it answers that it has not.
async fn is_alive(client: &Client, session: &str) {
    let echo = answer(client.in_session("alpha", session, call("echo", json!({"text": "alive"})).to_string())).await;
    assert_eq!(outcome(&echo), Ok("alive".into()));
}

#[tokio::test]
async fn no_message_means_something_else_to_the_server() {
    let agent = start().await;
    let ada = Client::of(&agent, "ada");
    let session = ada.session("alpha").await;
    let message = |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    let bodies = [
        // Keys twice, in either order, also where they are written differently.
        message(r#"{"name":"echo","name":"crash"}"#),
        message(r#"{"name":"crash","name":"echo"}"#),
        message(r#"{"name":"echo","n\u0061me":"crash"}"#),
        message(r#"{"name":"echo","arguments":{},"arguments":{"text":"x"}}"#),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"params":{"name":"crash"}}"#.into(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"crash"}}"#.into(),
        r#"{"jsonrpc":"2.0","id":1,"m\u0065thod":"tools/call","method":"ping","params":{"name":"crash"}}"#.into(),
        // Keys that are the same to who does not mind capitals.
        message(r#"{"name":"echo","Name":"crash"}"#),
        message(r#"{"Name":"crash"}"#),
        message(r#"{"NAME":"crash","name":"echo"}"#),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"Params":{"name":"crash"}}"#.into(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"crash"}}"#.into(),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"param\u{17f}\":{\"name\":\"crash\"},\"params\":{\"name\":\"echo\"}}".into(),
        // No JSON to one of them.
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}} {"name":"crash"}"#.into(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo",}}"#.into(),
        "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"crash\"}}".into(),
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crash"}}]"#.into(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[{"name":"crash"}]}"#.into(),
    ];
    for body in bodies {
        let got = answer(ada.in_session("alpha", &session, body.clone())).await;
        assert_eq!(got.0, 400, "{body}: {}", got.1);
        is_alive(&ada, &session).await;
    }
    // Names that are another one to some reader, or none.
    for name in [
        r#""crash""#,
        r#""cr\u0061sh""#,
        r#""crash\u0000""#,
        r#""echo\u0000crash""#,
        r#"" echo""#,
        r#""echo ""#,
        r#""Echo""#,
        r#""echo\ud800""#,
        r#"["echo"]"#,
        r#"{"name":"echo"}"#,
        "null",
        "1",
    ] {
        let got = answer(ada.in_session("alpha", &session, message(&format!("{{\"name\":{name}}}")))).await;
        assert_eq!(outcome(&got), Err((200, -32602)), "{name}: {}", got.1);
        is_alive(&ada, &session).await;
    }
    for params in ["{}", "{\"arguments\":{\"name\":\"echo\"}}", "{\"_meta\":{\"name\":\"echo\"}}"] {
        let got = answer(ada.in_session("alpha", &session, message(params))).await;
        assert_eq!(outcome(&got), Err((200, -32602)), "{params}");
    }
    // What is not about the call is not judged.
    let fine = message(
        r#"{"name":"echo","arguments":{"text":"x","name":"crash","Name":"crash","Text":"y"},"other":{"name":"crash"}}"#,
    );
    assert_eq!(outcome(&answer(ada.in_session("alpha", &session, fine)).await), Ok("x".into()));
    // A notification calls nothing, for which nobody would be answered.
    let silent = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"crash"}}"#;
    ada.in_session("alpha", &session, silent).send().await.unwrap();
    is_alive(&ada, &session).await;
}

#[tokio::test]
async fn each_message_of_a_batch_is_judged() {
    let agent = start().await;
    let ada = Client::of(&agent, "ada");
    let session = ada.session_of("alpha", "2025-03-26").await;
    let batch = |messages: &[Value]| ada.in_session("alpha", &session, Value::from(messages.to_vec()).to_string());
    let with_id = |id: Value, mut message: Value| {
        message["id"] = id;
        message
    };
    let echo = |id: &str, text: &str| with_id(json!(id), call("echo", json!({"text": text})));
    let crash = with_id(json!("crash"), call("crash", json!({"code": 1})));
    let list = json!({"jsonrpc": "2.0", "id": "list", "method": "tools/list"});
    let response = batch(&[echo("a", "1"), crash.clone(), list.clone(), echo("b", "2")]).send().await.unwrap();
    let body = response.text().await.unwrap();
    let mut answers: Vec<Value> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    answers.sort_by_key(|answer| answer["id"].to_string());
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "b", "crash", "list"], "{body}");
    assert_eq!(answers[2]["error"]["code"], -32602);
    let listed: Vec<_> = answers[3]["result"]["tools"].as_array().unwrap().iter().map(|t| t["name"].clone()).collect();
    assert_eq!(listed, ["echo", "hold", "pid"]);
    // By the id it is known which answer is a list: of two with the same one might be taken for the other.
    for messages in [[list.clone(), with_id(json!("list"), call("echo", json!({})))], [list.clone(), list.clone()]] {
        assert_eq!(answer(batch(&messages)).await.0, 400);
    }
    // Denied alone.
    let (_, denied) = answer(batch(std::slice::from_ref(&crash))).await;
    assert_eq!(denied["error"]["code"], -32602, "{denied}");
    is_alive(&ada, &session).await;
}

#[tokio::test]
async fn header_and_body_must_agree() {
    let agent = start().await;
    let ada = Client::of(&agent, "ada");
    let body = |tool: &str| {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
        let params = json!({"name": tool, "arguments": {"text": "x", "code": 1}, "_meta": meta});
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
    };
    let send = async |tool: &str, headers: &[(&str, &str)]| {
        let request = ada.post("alpha", body(tool)).header("mcp-protocol-version", "2026-07-28");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        outcome(&answer(request).await)
    };
    let method = ("mcp-method", "tools/call");
    assert_eq!(send("echo", &[method, ("mcp-name", "echo")]).await, Ok("x".into()));
    assert_eq!(send("crash", &[method, ("mcp-name", "crash")]).await, Err((200, -32602)));
    for (tool, headers) in [
        ("crash", &[method, ("mcp-name", "echo")][..]),
        ("echo", &[method, ("mcp-name", "crash")]),
        ("crash", &[("mcp-method", "tools/list"), ("mcp-name", "echo")]),
        ("crash", &[method]),
        ("crash", &[method, ("mcp-name", "echo"), ("mcp-name", "crash")]),
        ("crash", &[method, ("mcp-name", "=?base64?ZWNobw==?=")]),
    ] {
        // Whichever is found first: it never gets there.
        let got = send(tool, headers).await;
        assert!(matches!(got, Err((400, -32020) | (200, -32602))), "{tool} {headers:?}: {got:?}");
    }
    assert_eq!(send("echo", &[method, ("mcp-name", "echo")]).await, Ok("x".into()));
}
