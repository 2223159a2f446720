//! A client that is not ours: the official Rust SDK.

use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient,
    model::{
        CallToolResult, ClientCapabilities, ClientConfig, Implementation, ProgressNotificationParam, ProtocolVersion,
    },
    service::{NotificationContext, RunningService},
    transport::{StreamableHttpClientTransport, TokioChildProcess},
};
use std::sync::{Arc, Mutex};

/// Which of the protocol's two lifecycles a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    Legacy,
    Modern,
}

impl Era {
    pub const BOTH: [Era; 2] = [Era::Legacy, Era::Modern];

    pub fn lifecycle(self) -> ClientLifecycleMode {
        match self {
            Era::Legacy => ClientLifecycleMode::Initialize,
            Era::Modern => ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
        }
    }

    pub fn version(self) -> ProtocolVersion {
        match self {
            Era::Legacy => ProtocolVersion::V_2025_11_25,
            Era::Modern => ProtocolVersion::V_2026_07_28,
        }
    }
}

/// A client that remembers the progress it was told of.
#[derive(Clone)]
pub struct RealClient {
    era: Era,
    pub progress: Arc<Mutex<Vec<ProgressNotificationParam>>>,
}

impl RealClient {
    pub fn new(era: Era) -> RealClient {
        RealClient { era, progress: Arc::default() }
    }

    /// Starts `command` and talks to it over its stdin and stdout.
    pub async fn spawn(self, mut command: tokio::process::Command) -> RunningService<RoleClient, RealClient> {
        command.stderr(std::process::Stdio::inherit());
        let lifecycle = self.era.lifecycle();
        let transport = TokioChildProcess::new(command).expect("the process starts");
        self.serve_with_lifecycle(transport, lifecycle).await.expect("the server answers the client's opening")
    }

    /// Talks to a server over HTTP.
    pub async fn connect(self, url: &str) -> RunningService<RoleClient, RealClient> {
        let lifecycle = self.era.lifecycle();
        let transport = StreamableHttpClientTransport::from_uri(url);
        self.serve_with_lifecycle(transport, lifecycle).await.expect("the server answers the client's opening")
    }
}

impl ClientHandler for RealClient {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(ClientCapabilities::default(), Implementation::new("it", "1"))
            .with_protocol_version(self.era.version())
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        self.progress.lock().expect("no test panics while it holds this").push(params);
    }
}

/// Tool arguments from a JSON object.
pub fn arguments(value: serde_json::Value) -> rmcp::model::JsonObject {
    match value {
        serde_json::Value::Object(map) => map,
        other => panic!("arguments are an object, not {other}"),
    }
}

/// The text of a tool's result.
pub fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| block.as_text()).map(|text| text.text.as_str()).collect()
}
