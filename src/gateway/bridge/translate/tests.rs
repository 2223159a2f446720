use super::*;

fn with_message<T>(text: &str, each: impl FnOnce(&Message<'_>, &Params<'_>) -> T) -> T {
    let message = Message::parse(text.as_bytes()).unwrap();
    each(&message, &message.params())
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_stateless_request_loses_what_only_its_era_knows() {
    let sent = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"x","arguments":{"n":1.50},"_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"traceparent":"00"}},"odd":1}"#;
    let expected = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"x","arguments":{"n":1.50},"_meta":{"progressToken":7,"traceparent":"00"}},"odd":1}"#;
    assert_eq!(text(with_message(sent, to_session)), expected);
    let bare = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    assert_eq!(text(with_message(bare, to_session)), r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#);
}

#[test]
fn a_request_of_a_session_gets_what_its_client_has_said() {
    let said =
        r#"{"protocolVersion":"2025-11-25","capabilities":{"roots":{}},"clientInfo":{"name":"c","version":"1"}}"#;
    let client = Introduction { level: Some("\"info\"".into()), ..Introduction::read(Some(said)) };
    let sent = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let out = with_message(sent, |message, params| to_stateless(message, params, &client, &[]));
    let out: Value = serde_json::from_slice(&out).unwrap();
    let expected = json!({
        meta::PROTOCOL_VERSION: "2026-07-28",
        meta::CLIENT_CAPABILITIES: {"roots": {}},
        meta::CLIENT_INFO: {"name": "c", "version": "1"},
        meta::LOG_LEVEL: "info",
    });
    assert_eq!(out["params"]["_meta"], expected);

    let sent = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"progressToken":"t"}}}"#;
    let retry = [("inputResponses", r#"{"a":{"action":"accept"}}"#), ("requestState", "\"s\"")];
    let out = with_message(sent, |message, params| to_stateless(message, params, &client, &retry));
    let out: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(out["params"]["_meta"]["progressToken"], "t");
    assert_eq!(out["params"]["inputResponses"]["a"]["action"], "accept");
    assert_eq!((&out["params"]["requestState"], &out["params"]["name"]), (&json!("s"), &json!("x")));
    assert_eq!(Introduction::read(Some(r#"{"capabilities":3}"#)).capabilities, "{}");
}

#[test]
fn answers_for_stateless_clients() {
    let info = Some(r#"{"name":"s"}"#);
    let translate = |answer: &str, method: &str| {
        let (bytes, code) = with_message(answer, |message, _| answer_to_stateless(message, "\"me\"", method, info));
        (text(bytes), code)
    };
    let (out, code) = translate(r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[ 1.00 ]}}"#, "tools/list");
    assert_eq!(code, None);
    let head = r#"{"jsonrpc":"2.0","id":"me","result":{"tools":[ 1.00 ],"resultType":"complete","ttlMs":0,"#;
    let tail = r#""cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}}"#;
    assert_eq!(out, format!("{head}{tail}"));
    let (out, _) = translate(r#"{"id":5,"result":{"resultType":"task","_meta":{"a":1}}}"#, "tools/call");
    let tail = r#""_meta":{"a":1,"io.modelcontextprotocol/serverInfo":{"name":"s"}}}}"#;
    assert_eq!(out, format!(r#"{{"jsonrpc":"2.0","id":"me","result":{{"resultType":"task",{tail}"#));
    let gone = r#"{"id":5,"error":{"code":-32002,"message":"no","data":{"uri":"x"}}}"#;
    let (out, code) = translate(gone, "resources/read");
    assert_eq!(code, Some(-32602));
    assert_eq!(out, r#"{"jsonrpc":"2.0","id":"me","error":{"message":"no","data":{"uri":"x"},"code":-32602}}"#);
}

#[test]
fn answers_for_sessions() {
    let answer = |raw: &str| with_message(raw, |message, _| answer_to_session(message));
    let done = answer(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}"#);
    assert_eq!(done, Answer::Final(br#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#.to_vec()));
    let asks = r#"{"id":1,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}},"requestState":"s"}}"#;
    let requests = vec![("k".to_owned(), r#"{"method":"roots/list"}"#.to_owned())];
    assert_eq!(answer(asks), Answer::InputRequired { requests, state: Some("\"s\"".into()) });
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x"}}"#;
    assert_eq!(answer(error), Answer::Final(error.into()));
}

#[test]
fn what_each_era_says_of_a_server() {
    let initialized = json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": true}, "tasks": {}},
        "serverInfo": {"name": "s", "version": "1"}, "instructions": "go"});
    let discovered = discovery(&initialized);
    assert_eq!(discovered["capabilities"], json!({"tools": {"listChanged": true}}));
    assert_eq!(discovered["supportedVersions"][0], MODERN_VERSION);
    let back = initialization(&discovered, "2025-03-26");
    assert_eq!((&back["protocolVersion"], &back["serverInfo"]), (&json!("2025-03-26"), &initialized["serverInfo"]));
    assert_eq!(back["instructions"], "go");
    assert_eq!(initialization(&discovered, "1999-01-01")["protocolVersion"], "2025-11-25");
}

#[test]
fn a_notification_on_a_subscription() {
    let sent = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a"}}"#;
    let out = text(with_message(sent, |message, _| on_subscription(message, "\"l1\"")));
    let params = r#""params":{"uri":"a","_meta":{"io.modelcontextprotocol/subscriptionId":"l1"}}"#;
    assert_eq!(out, format!(r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated",{params}}}"#));
}
