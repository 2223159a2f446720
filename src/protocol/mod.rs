//! What the gateway must understand of MCP, and nothing more. Pure.
//!
//! Messages are frames: bytes in which a few places are known. They are passed on as they came, but for the places
//! that must be mapped (ids, progress tokens), so that unknown fields, number forms and key order survive.

mod era;
mod frame;
pub mod headers;
mod message;
mod object;
pub mod sse;
pub mod trace_context;

pub use era::{Era, LEGACY_VERSIONS, MODERN_VERSION, is_legacy_version};
pub use frame::{Edit, FrameError, Kind, Message, Params, RawId, check_unambiguous, members, one_line, text_member};
pub use message::{codes, error_response, notification, request};
pub use object::Object;
pub use trace_context::TraceParent;

/// Keys of `params._meta` in the modern era.
pub mod meta {
    pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
    pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
    pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
    pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
}
