//! A client that is not ours: the official Rust SDK.

#![expect(deprecated, reason = "sampling is on its way out of the protocol, and in use until then")]

use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient,
    model::{
        CallToolResult, ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ErrorData,
        Implementation, ProgressNotificationParam, ProtocolVersion, SamplingMessage,
    },
    service::{NotificationContext, RequestContext, RunningService},
    transport::{StreamableHttpClientTransport, TokioChildProcess},
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

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

/// A client that remembers what it was told, and whose model answers every question.
#[derive(Clone)]
pub struct RealClient {
    era: Era,
    pub progress: Arc<Mutex<Vec<ProgressNotificationParam>>>,
    /// How often it was told that the list of tools has changed.
    pub changes: Arc<AtomicUsize>,
}

impl RealClient {
    pub fn new(era: Era) -> RealClient {
        RealClient { era, progress: Arc::default(), changes: Arc::default() }
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
        let capabilities = ClientCapabilities::builder().enable_sampling().build();
        ClientConfig::new(capabilities, Implementation::new("it", "1")).with_protocol_version(self.era.version())
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let question = serde_json::to_value(&params.messages).unwrap_or_default();
        let question = question[0]["content"]["text"].as_str().unwrap_or_default().to_owned();
        Ok(CreateMessageResult::new(SamplingMessage::assistant_text(format!("you asked: {question}")), "m".into()))
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changes.fetch_add(1, Ordering::SeqCst);
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
