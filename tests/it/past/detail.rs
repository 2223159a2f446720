//! All about one app, for those who may know it.

use super::{get, list, refusal};
use crate::{
    access::fleet::{Client, answer, start},
    lifecycle::world::World,
};
use serde_json::{Value, json};

#[tokio::test]
async fn an_app_is_told_with_its_definition_and_its_clients() {
    let world = World::new();
    let mut app = world.app("a", &["--token=ghp_0123456789abcdefghijABCDEFGHIJ012345"]);
    app["spec"]["mcp"]["env"]["API_KEY"] = json!("hunter2hunter2");
    app["metadata"]["description"] = json!("</script>");
    world.put("a.yaml", &app);
    let mut agent = world.run();
    let status = agent.until("it is known", |status| (!status.apps.is_empty()).then(|| status.clone())).await;
    let detail = get(&agent, "/v1/apps/a").await;
    assert_eq!((&detail["app"]["name"], &detail["app"]["path"]), (&json!("a"), &json!("a.yaml")));
    let definition = detail["definition"].as_str().expect("a definition");
    for part in ["kind: app\n", "name: a\n", "API_KEY: [hidden]\n", "MARK: [hidden]\n", "restart:"] {
        assert!(definition.contains(part), "{part}: {definition}");
    }
    assert!(!definition.contains("hunter2") && !definition.contains("ghp_"), "{definition}");
    assert_eq!(detail["may"], json!({"read": true, "use": true, "restart": true, "suspend": true}));
    let clients = list(&detail, "clients");
    assert_eq!(clients.len(), 4);
    for client in clients {
        let word = client["client"].as_str().unwrap();
        let output = agent.says(&["mcp", "config", "--client", word, "a"]).await;
        match word {
            // How the bridge reaches the agent is said, whoever copies it.
            "claude-desktop" => {
                let gateway = &status.agent.gateway;
                let output = agent.says(&["mcp", "config", "--client", word, "--agent", gateway, "a"]).await;
                assert_eq!(client["text"].as_str(), Some(&*output));
            }
            _ => assert_eq!(client["text"].as_str(), Some(&*output), "{word}"),
        }
        assert!(client["where"].as_str().is_some_and(|place| place.starts_with("~/")), "{client}");
    }
    assert_eq!(refusal(&agent, "/v1/apps/none").await, (404, "unknown-app".to_owned()));
    assert_eq!(refusal(&agent, "/v1/apps/..%2f..%2fetc").await, (404, "unknown-app".to_owned()));
}

#[tokio::test]
async fn what_may_not_be_read_is_not_there() {
    let agent = start().await;
    let seen = async |name: &str, path: &str| {
        let client = Client::of(&agent, name);
        let (status, body): (_, Value) = answer(client.get(path)).await;
        (status.as_u16(), body)
    };
    // Ada may use and read alpha, bob may use beta, and eve knows of nothing.
    let (status, alpha) = seen("ada", "/v1/apps/alpha").await;
    assert_eq!((status, &alpha["may"]["read"], &alpha["may"]["restart"]), (200, &json!(true), &json!(false)));
    assert!(alpha["definition"].is_string());
    let (status, beta) = seen("bob", "/v1/apps/beta").await;
    assert_eq!((status, &beta["definition"]), (200, &Value::Null), "{beta}");
    assert_eq!(beta["may"], json!({"read": false, "use": true, "restart": false, "suspend": false}));
    assert_eq!((&beta["app"]["path"], list(&beta, "clients").len()), (&json!(""), 4));
    for (name, path, expected) in [
        ("ada", "/v1/apps/beta", (404, "unknown-app")),
        ("eve", "/v1/apps/alpha", (404, "unknown-app")),
        ("ada", "/v1/apps/beta/history", (404, "unknown-app")),
        ("eve", "/v1/apps/beta/history", (404, "unknown-app")),
        ("bob", "/v1/apps/beta/history", (403, "not-allowed")),
        ("ada", "/v1/apps/alpha/history", (404, "no-history")),
        ("ada", "/v1/changes", (403, "not-allowed")),
        ("bob", "/v1/preview", (403, "not-allowed")),
        ("eve", "/v1/preview?ref=main", (403, "not-allowed")),
    ] {
        let (status, body) = seen(name, path).await;
        assert_eq!((status, body["error"]["code"].as_str().unwrap_or_default()), expected, "{name} {path}: {body}");
    }
    // The same for what is not there as for what may not be known.
    let (_, there) = seen("eve", "/v1/apps/alpha").await;
    let (_, not_there) = seen("eve", "/v1/apps/nothing").await;
    assert_eq!(there.to_string().replace("alpha", "nothing"), not_there.to_string());
}
