//! Where nothing is sent, whatever servers and definitions say.

use super::{
    server::{Server, Speaks},
    stage,
};
use crate::{
    gateway::stage::{Stage, answer},
    lifecycle::world::World,
    support::eventually,
};
use mcpfleet::status::model::AppState;
use serde_json::json;

#[tokio::test]
async fn redirects_are_followed_on_the_same_server_only() {
    let (server, stage) = stage(Speaks::Modern).await;
    let other = Server::start(Speaks::Modern).await;
    let call = async || {
        let params = json!({"name": "echo", "arguments": {"text": "x"}});
        answer(stage.modern(&json!(1), "tools/call", params).send().await.unwrap()).await
    };
    let elsewhere = other.url();
    let port = server.address.port();
    for (status, location, followed) in [
        (307, "/moved".to_owned(), true),
        (308, format!("http://{}/moved", server.address), true),
        // A GET would be something else.
        (302, "/moved".to_owned(), false),
        (303, "/moved".to_owned(), false),
        (307, elsewhere.clone(), false),
        (308, elsewhere.replace("127.0.0.1", "localhost"), false),
        (307, format!("https://127.0.0.1:{port}/moved"), false),
        (307, format!("http://localhost:{port}/moved"), false),
        (307, format!("http://x@127.0.0.1:{port}/moved"), false),
        (307, format!("//{}/moved", other.address), false),
        (307, "http://169.254.169.254/latest".to_owned(), false),
        (307, "/mcp".to_owned(), false),
    ] {
        server.fault(|faults| faults.redirect = Some((status, location.clone())));
        let answered = call().await;
        assert_eq!(answered.get("result").is_some(), followed, "{status} {location}: {answered}");
        if !followed {
            let message = answered["error"]["message"].as_str().unwrap();
            assert!(message.contains("redirect"), "{message}");
        }
    }
    assert!(other.all().is_empty());
}

#[tokio::test]
async fn some_addresses_are_never_connected_to() {
    let stage = Stage::new().await;
    for (index, (host, words)) in [
        ("169.254.169.254", "a cloud's metadata address"),
        ("[::ffff:169.254.169.254]", "a cloud's metadata address"),
        ("[fd00:ec2::254]", "a cloud's metadata address"),
        ("100.100.100.200", "a cloud's metadata address"),
        ("169.254.1.1:8080", "link-local"),
        ("[fe80::1]", "link-local"),
        ("0.0.0.0", "no address of a host"),
        ("224.0.0.1", "a multicast address"),
        ("255.255.255.255", "a broadcast or reserved address"),
        // In ways that only a resolver understands.
        ("2852039166", "a cloud's metadata address"),
        ("0xa9fea9fe", "a cloud's metadata address"),
        ("0251.0376.0251.0376", "a cloud's metadata address"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("app-{index}");
        let scheme = if index % 2 == 0 { "mcp+http" } else { "mcp+sse+http" };
        stage.run_spec(&name, json!({"uri": format!("{scheme}://{host}/mcp")}));
        let reason = eventually("a refusal", async || {
            let view = stage.gateway.fleet.get(&name)?.view.borrow().clone();
            view.reason.filter(|_| view.state == AppState::Failed)
        })
        .await;
        assert!(reason.contains(words) && reason.contains("never connected to"), "{host}: {reason}");
    }
}

#[tokio::test]
async fn only_hosts_that_the_agent_lists_are_connected_to() {
    let server = Server::start(Speaks::Modern).await;
    let world = World::new();
    let put = |name: &str, uri: &str| {
        let metadata = json!({"name": name});
        world.put(
            &format!("{name}.yaml"),
            &json!({"kind": "app", "version": "v3", "metadata": metadata, "spec": {"uri": uri}}),
        );
    };
    put("listed", &format!("mcp+{}", server.url()));
    put("other-name", &format!("mcp+http://localhost:{}/mcp", server.address.port()));
    put("other-port", "mcp+http://127.0.0.1:1/mcp");
    let mut agent = world.run_configured(&json!({
        "gateway": {"auth": "open"},
        "app_service": {
            "resources": [{"labels": {"*": "*"}}],
            "remote_hosts": [format!("127.0.0.*:{}", server.address.port()), "*.example.com"],
        },
    }));
    agent.app("listed", "ready", |app| app.state == Some(AppState::Ready)).await;
    for (name, place) in
        [("other-name", format!("localhost:{}", server.address.port())), ("other-port", "127.0.0.1:1".into())]
    {
        let app = agent.app(name, "refused", |app| app.state == Some(AppState::Failed)).await;
        let expected = format!("the agent's configuration does not list {place} in `app_service.remote_hosts`");
        assert_eq!(app.reason.as_deref(), Some(&*expected));
    }
    agent.stop().await;
}
