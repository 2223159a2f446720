//! What a server elsewhere is told of the trace that a call belongs to.

use super::{
    server::{Server, Speaks},
    spec,
};
use crate::{
    support::{Agent, Era, PlainClient},
    telemetry::collector::{CLIENT, Collector},
};
use serde_json::json;

#[tokio::test]
async fn a_server_is_told_in_the_message_and_in_headers() {
    let collector = Collector::start().await;
    for speaks in [Speaks::Legacy, Speaks::Modern] {
        let server = Server::start(speaks).await;
        let app = json!({"kind": "app", "version": "v3", "metadata": {"name": "far"}, "spec": spec(&server, speaks)});
        let agent = Agent::start_with(&[("far.yaml", &format!("{app:#}\n"))], &[&collector.setting()]).await;
        for era in Era::BOTH {
            let client = PlainClient::of_era(&format!("http://{}", agent.listen), "far", era).await.unwrap();
            client.call("echo", json!({"text": "hello"})).await;
            let seen = server.seen("tools/call").pop().unwrap_or_else(|| panic!("{speaks:?} {era:?}: no call"));
            let traceparent = seen.header("traceparent").unwrap_or_default().to_owned();
            assert_eq!(seen.message()["params"]["_meta"]["traceparent"], json!(traceparent), "{speaks:?} {era:?}");
            let span = collector.span("the span that it was told of", |span| span.traceparent() == traceparent).await;
            assert_eq!((span.kind, span.get("network.transport")), (CLIENT, "tcp"), "{span:?}");
        }
        agent.stop().await;
    }
}
