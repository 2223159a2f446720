//! Servers elsewhere, over HTTP.

mod calls;
mod chained;
mod everything;
mod faults;
mod modern;
mod operations;
mod safety;
mod secrets;
mod server;
mod sse;
mod tls;
mod traced;

use crate::gateway::stage::Stage;
use serde_json::{Value, json};
use server::{Server, Speaks};

/// The `spec` of an app with that server.
fn spec(server: &Server, speaks: Speaks) -> Value {
    let scheme = if speaks == Speaks::Sse { "mcp+sse+" } else { "mcp+" };
    json!({ "uri": format!("{scheme}{}", server.url()) })
}

/// A server, and a gateway before it with it as `app`, ready.
async fn stage(speaks: Speaks) -> (Server, Stage) {
    let server = Server::start(speaks).await;
    let stage = Stage::new().await;
    stage.run_spec("app", spec(&server, speaks));
    stage.ready("app").await;
    (server, stage)
}
