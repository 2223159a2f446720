//! The JSON in the stream of `/v1/watch`.

use super::{AgentStatus, AppStatus, SourceStatus};
use serde::{Deserialize, Serialize};

/// The data of an event `change`. That of `status` is a status, that of `event` an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Change {
    /// As they are now.
    pub agent: AgentStatus,
    pub sources: Vec<SourceStatus>,
    /// The apps that are another than before.
    pub apps: Vec<AppStatus>,
    /// Those that are not there any more, as `NAME/SOURCE/PATH`.
    pub gone: Vec<String>,
}
