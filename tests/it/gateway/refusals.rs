use super::stage::{MODERN, Stage, answer, call};
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test]
async fn hosts_and_pages_from_elsewhere_are_refused() {
    let stage = Stage::with(&["--era", "modern"], json!({})).await;
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    for (name, value, status) in [
        ("host", "evil.example", 403),
        ("host", "localhost.evil.example:80", 403),
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("host", "mcp.example.com", 400),
        ("origin", "https://mcp.example.com", 400),
    ] {
        let response = stage.post(body.clone()).header(name, value).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{name}: {value}");
    }
    let health = stage.http.get(format!("{}/healthz", stage.url)).header("host", "evil.example").send().await.unwrap();
    assert_eq!(health.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn malformed_requests_say_what_is_wrong() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let session = stage.session().await;
    let ambiguous = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"crash"}}"#;
    for (body, status, code) in [
        ("{", 400, -32700),
        ("", 400, -32700),
        ("\u{0}", 400, -32700),
        ("[]", 400, -32600),
        ("1", 400, -32600),
        ("{}", 400, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, 400, -32600),
        (ambiguous, 400, -32600),
        (&format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(1025)), 400, -32600),
    ] {
        let response = stage.post(body).header("mcp-session-id", &session.id).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{body}");
        assert_eq!(answer(response).await["error"]["code"], code, "{body}");
    }
    let large = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":"{}"}}}}"#, "x".repeat(4 << 20));
    let response = stage.post(large).header("mcp-session-id", &session.id).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let typed = stage.http.post(stage.endpoint()).header("content-type", "text/plain").body("{}").send().await.unwrap();
    assert_eq!(typed.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    // None of it has done the session any harm.
    assert_eq!(session.text("echo", json!({ "text": "still here" })).await, "still here");
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_ready_503() {
    let stage = Stage::new().await;
    let body = call(1, "echo", json!({})).to_string();
    let unknown = stage.post(body.clone()).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    stage.run("app", &["--never-ready"], json!({ "startup_timeout": "20s" }));
    for request in [
        stage.modern(&json!(1), "tools/list", json!({})),
        stage.post(json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {} }).to_string()),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
        let body = answer(response).await;
        let state = body["error"]["data"]["state"].as_str().unwrap();
        assert!(["Pending", "Starting"].contains(&state), "{body}");
    }
}

#[tokio::test]
async fn methods_and_sessions_are_checked() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let without = stage.post(call(1, "echo", json!({})).to_string()).send().await.unwrap();
    assert_eq!(without.status(), StatusCode::BAD_REQUEST);
    let unknown =
        stage.post(call(1, "echo", json!({})).to_string()).header("mcp-session-id", "x").send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let session = stage.session().await;
    let version = session.call(1, "echo", json!({})).header("mcp-protocol-version", "1.0").send().await.unwrap();
    assert_eq!(version.status(), StatusCode::BAD_REQUEST);
    for request in [
        stage.http.get(stage.endpoint()),
        stage.http.put(stage.endpoint()),
        session.stream().header("mcp-protocol-version", MODERN),
        session.delete().header("mcp-protocol-version", MODERN),
    ] {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    let json_only = session.stream().header("accept", "application/json");
    assert_eq!(json_only.send().await.unwrap().status().as_u16(), 200, "two Accept headers: one of them will do");
    // A session belongs to one app.
    stage.run("other", &["--era", "legacy"], json!({}));
    stage.ready("other").await;
    let elsewhere = stage.http.post(format!("{}/mcp/other", stage.url)).header("mcp-session-id", &session.id);
    let body = call(1, "pid", json!({})).to_string();
    let elsewhere = elsewhere.header("content-type", "application/json").body(body).send().await.unwrap();
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
}
