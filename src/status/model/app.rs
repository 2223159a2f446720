//! The JSON of `/v1/apps/NAME`: all about one app. Fields are only ever added.

use super::AppStatus;
use serde::{Deserialize, Serialize};

/// An app, what it is defined as, and what whoever asks may do with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AppDetail {
    pub app: AppStatus,
    /// The definition in force, as YAML with every default filled in. Values of environment variables and headers, and what
    /// looks like a secret elsewhere, are `[hidden]`. Null for those who may use the app and not read it.
    pub definition: Option<String>,
    pub may: AppRights,
    /// How clients are configured to reach it.
    pub clients: Vec<ClientText>,
}

/// What whoever asks may do with an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AppRights {
    /// See its status, logs, events and history.
    pub read: bool,
    /// Connect to it.
    #[serde(rename = "use")]
    pub use_: bool,
    pub restart: bool,
    /// Suspend it, and resume it.
    pub suspend: bool,
}

/// What belongs into the configuration of a client, as `mcpfleet mcp config` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ClientText {
    /// `claude-code`, `claude-desktop`, `cursor` or `vscode`.
    pub client: String,
    /// The file of the client's user that it belongs into.
    #[serde(rename = "where")]
    pub place: String,
    pub text: String,
}
