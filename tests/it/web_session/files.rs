//! The files of the page, and what browsers are told of all that the agent answers.

use super::browser::Browser;
use crate::access::fleet::start;
use flate2::read::GzDecoder;
use reqwest::{Method, StatusCode};
use std::io::Read as _;

#[tokio::test]
async fn every_answer_is_hardened() {
    let agent = start().await;
    let (nobody, ada) = (Browser::new(&agent), Browser::of_user(&agent, "ada").await);
    for (browser, method, path, status) in [
        (&nobody, Method::GET, "/", 200),
        (&ada, Method::GET, "/", 200),
        (&nobody, Method::GET, "/web/open", 200),
        (&nobody, Method::GET, "/web/app.css", 200),
        (&nobody, Method::GET, "/web/app.js", 200),
        (&nobody, Method::GET, "/web/none", 404),
        (&nobody, Method::GET, "/web/..%2fCargo.toml", 404),
        (&nobody, Method::POST, "/web/app.js", 405),
        (&nobody, Method::GET, "/v1/status", 401),
        (&nobody, Method::GET, "/nothing", 401),
        (&nobody, Method::GET, "/healthz", 200),
        (&ada, Method::GET, "/v1/status", 200),
        (&ada, Method::GET, "/v1/watch", 200),
        (&ada, Method::GET, "/v1/audit", 403),
        (&ada, Method::PUT, "/v1/status", 405),
        (&ada, Method::GET, "/nothing", 404),
        (&ada, Method::GET, "/v1/events?tail=x", 400),
        (&ada, Method::GET, "/v1/apps/%ff/logs", 400),
    ] {
        let response = browser.request(method.clone(), path).send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
        let is_file = path == "/" || (path.starts_with("/web/") && status == 200);
        assert_eq!(headers["cache-control"], if is_file { "no-cache" } else { "no-store" }, "{path}");
        assert_eq!(headers.get_all("content-security-policy").iter().count(), 1);
        if status >= 400 {
            let body: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).expect(path);
            assert!(body["error"]["code"].is_string() && body["error"]["message"].is_string(), "{path}: {body}");
        }
    }
}

#[tokio::test]
async fn files_are_small_and_asked_for_once() {
    let agent = start().await;
    let browser = Browser::new(&agent);
    let get = |path: &str| browser.bare(Method::GET, path);
    for path in ["/", "/web/open", "/web/app.css", "/web/app.js"] {
        let plain = get(path).send().await.unwrap();
        assert!(!plain.headers().contains_key("content-encoding"));
        let tag = plain.headers()["etag"].to_str().unwrap().to_owned();
        assert!(tag.starts_with('"'), "{tag} is strong");
        let bytes = plain.bytes().await.unwrap();
        let small = get(path).header("accept-encoding", "br, gzip").send().await.unwrap();
        assert_eq!(small.headers()["content-encoding"], "gzip", "{path}");
        assert!(small.headers()["vary"].to_str().unwrap().contains("accept-encoding"));
        let small_tag = small.headers()["etag"].to_str().unwrap().to_owned();
        assert_ne!(tag, small_tag, "other bytes");
        let compressed = small.bytes().await.unwrap();
        let mut whole = Vec::new();
        GzDecoder::new(&compressed[..]).read_to_end(&mut whole).unwrap();
        assert_eq!(whole, bytes);
        let known = get(path).header("if-none-match", format!("\"x\", {tag}")).send().await.unwrap();
        assert_eq!((known.status(), known.headers()["etag"].to_str().unwrap()), (StatusCode::NOT_MODIFIED, &*tag));
        assert!(known.bytes().await.unwrap().is_empty());
        let known =
            get(path).header("accept-encoding", "gzip").header("if-none-match", small_tag).send().await.unwrap();
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        let other = get(path).header("if-none-match", "\"x\"").send().await.unwrap();
        assert_eq!(other.status(), StatusCode::OK);
        let head = browser.bare(Method::HEAD, path).send().await.unwrap();
        assert_eq!(head.headers()["etag"].to_str().unwrap(), tag);
    }
    // Whoever signs in gets another page at the same place.
    let ada = Browser::of_user(&agent, "ada").await;
    let (out, within) = (get("/").send().await.unwrap(), ada.request(Method::GET, "/").send().await.unwrap());
    assert_ne!(out.headers()["etag"], within.headers()["etag"]);
    assert!(within.headers()["vary"].to_str().unwrap().contains("cookie"));
}

#[tokio::test]
async fn what_is_long_comes_compressed_to_whoever_takes_it() {
    let agent = start().await;
    let operator = Browser::of_operator(&agent).await;
    let get = |path: &str| operator.request(Method::GET, path);
    let plain = get("/v1/status").send().await.unwrap();
    assert!(!plain.headers().contains_key("content-encoding") && plain.headers()["vary"] == "accept-encoding");
    let plain = plain.bytes().await.unwrap();
    let small = get("/v1/status").header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(small.headers()["content-encoding"], "gzip");
    let small = small.bytes().await.unwrap();
    assert!(small.len() < plain.len() / 2, "{} of {}", small.len(), plain.len());
    let mut whole = Vec::new();
    GzDecoder::new(&small[..]).read_to_end(&mut whole).unwrap();
    let status: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(status["apps"][0]["name"], "alpha");
    // What is secret comes as it is: its length says nothing of what somebody else has put beside it.
    let signed = operator.sign_in_request(&serde_json::json!({"token": crate::access::fleet::token("ada")}));
    let signed = signed.header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(signed.status(), StatusCode::OK);
    assert!(!signed.headers().contains_key("content-encoding"));
}
