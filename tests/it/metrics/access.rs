//! Who gets the metrics.

use super::stage::scrape;
use crate::{
    access::fleet::{Client, role, start_with, user, usual},
    support::{Agent, demo_app, eventually},
};
use std::io::Read as _;

/// The address of `admin_listen`.
async fn admin(agent: &Agent) -> String {
    eventually("the address of the metrics", async || {
        let log = agent.log();
        let line = log.lines().find(|line| line.contains("metrics and health are served"))?.to_owned();
        line.split_once("address=").map(|(_, address)| address.trim().to_owned())
    })
    .await
}

#[tokio::test]
async fn the_gateway_gives_them_to_those_who_may_read_the_agent() {
    let mut files = usual();
    let allow = "{allow: {rules: [{resources: [agent], verbs: [read]}]}}";
    files.extend([("watch.yaml", role("watch", allow)), ("wil.yaml", user("wil", &["watch"]))]);
    let agent = start_with(&files, &[]).await;
    for (name, expected) in [("wil", 200), ("ada", 403), ("eve", 403), ("nobody", 401)] {
        let response = Client::of(&agent, name).get("/metrics").send().await.unwrap();
        let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
        assert_eq!((status, text.contains("mcpfleet_app_info")), (expected, expected == 200), "{name}: {text}");
    }
    let stranger = Client::with(&agent.listen, None).get("/metrics").send().await.unwrap();
    assert_eq!(
        (stranger.status(), stranger.headers().contains_key("www-authenticate")),
        (401.try_into().unwrap(), true)
    );
    let post = Client::of(&agent, "wil").request(reqwest::Method::POST, "/metrics").send().await.unwrap();
    assert_eq!(post.status(), 405);
    // Where nobody says who they are, and everybody sees the status.
    let open = Agent::start(&[("demo.yaml", &demo_app("demo"))]).await;
    let response = reqwest::get(format!("http://{}/metrics", open.listen)).await.unwrap();
    assert!(response.text().await.unwrap().contains("mcpfleet_app_info{app=\"demo\""));
    agent.stop().await;
    open.stop().await;
}

#[tokio::test]
async fn admin_listen_gives_them_to_whoever_can_reach_it_and_nothing_else() {
    let agent = start_with(&usual(), &["admin_listen=127.0.0.1:0"]).await;
    let admin = admin(&agent).await;
    assert_eq!(scrape(&admin).await.value("mcpfleet_app_state", &[("app", "alpha"), ("state", "Ready")]), Some(1.0));
    let http = reqwest::Client::new();
    for (path, expected) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/", 404),
        ("/v1/status", 404),
        ("/v1/reconcile", 404),
        ("/mcp/alpha", 404),
        ("/metrics/..%2fv1/status", 404),
    ] {
        assert_eq!(http.get(format!("http://{admin}{path}")).send().await.unwrap().status(), expected, "{path}");
    }
    for path in ["/metrics", "/healthz", "/readyz"] {
        let response = http.post(format!("http://{admin}{path}")).body("x").send().await.unwrap();
        assert_eq!(response.status(), 405, "{path}");
    }
    // Whatever name it is called by; a page of another origin may not read the answer.
    let asked = http.get(format!("http://{admin}/metrics")).header("host", "agent-7.example.com:7422");
    let answer = asked.header("origin", "http://evil.example").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control-")), "{answer:?}");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");

    let compressed =
        http.get(format!("http://{admin}/metrics")).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(compressed.headers()["content-encoding"], "gzip");
    let bytes = compressed.bytes().await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
    assert!(text.contains("mcpfleet_build_info{version=") && bytes.len() * 3 < text.len(), "{}", bytes.len());
    agent.stop().await;
}

#[tokio::test]
async fn many_at_a_time_are_served_and_no_more_connections_than_there_may_be() {
    let agent = start_with(&usual(), &["admin_listen=127.0.0.1:0"]).await;
    let admin = admin(&agent).await;
    let asked = (0..24).map(|_| scrape(&admin));
    let read = futures_util::future::join_all(asked).await;
    assert!(read.iter().all(|read| read.value("mcpfleet_agent_ready", &[]) == Some(1.0)));
    // So many of one address may be open; one more is closed at once, and there is room again when one goes.
    let mut open = Vec::new();
    for _ in 0..32 {
        open.push(tokio::net::TcpStream::connect(&admin).await.unwrap());
    }
    let url = format!("http://{admin}/healthz");
    // One of those above may have taken the place of one of these, and be gone by now.
    eventually("a connection too many", async || {
        let refused = reqwest::get(&url).await.is_err();
        open.push(tokio::net::TcpStream::connect(&admin).await.unwrap());
        refused.then_some(())
    })
    .await;
    open.clear();
    eventually("room again", async || reqwest::get(&url).await.is_ok().then_some(())).await;
    agent.stop().await;
}
