//! Messages that the gateway writes itself.

use serde_json::{Value, json};

/// Error codes of JSON-RPC and of MCP.
pub mod codes {
    pub const PARSE_ERROR: i64 = -32700;
    pub const INVALID_REQUEST: i64 = -32600;
    pub const METHOD_NOT_FOUND: i64 = -32601;
    pub const INVALID_PARAMS: i64 = -32602;
    pub const INTERNAL_ERROR: i64 = -32603;
    /// Ours (the range -32000..-32019 is the implementation's): the server is not there to answer.
    pub const UNAVAILABLE: i64 = -32010;
    /// Ours: the server ended while the request was open.
    pub const SERVER_GONE: i64 = -32011;
    /// Ours: a queue is full.
    pub const OVERLOADED: i64 = -32012;
    /// Ours: the session is not known, or no longer.
    pub const SESSION_NOT_FOUND: i64 = -32013;
    /// Modern era: headers and body disagree.
    pub const HEADER_MISMATCH: i64 = -32020;
    /// Modern era: the client lacks a capability that the server needs.
    pub const MISSING_CAPABILITY: i64 = -32021;
    /// Modern era: the protocol version is not supported.
    pub const UNSUPPORTED_VERSION: i64 = -32022;
}

/// An error response. `id` is the raw JSON of the request's id, `null` where there is none.
pub fn error_response(id: &str, code: i64, message: &str, data: Option<Value>) -> Vec<u8> {
    let mut error = json!({ "code": code, "message": message });
    if let (Some(data), Some(error)) = (data, error.as_object_mut()) {
        error.insert("data".into(), data);
    }
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into_bytes()
}

/// A request of the gateway's own.
pub fn request(id: u64, method: &str, params: &Value) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#).into_bytes()
}

/// A notification of the gateway's own.
pub fn notification(method: &str, params: &Value) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#).into_bytes()
}
