//! The messages of the small client. Pure.

use super::McpError;
use crate::protocol::{MODERN_VERSION, Message, codes, meta};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

/// Who this client is.
pub fn client_info() -> Value {
    json!({ "name": "mcpfleet", "version": env!("CARGO_PKG_VERSION") })
}

/// Says in a modern request what every one must say.
pub fn add_meta(params: &mut Value) {
    let said = params.as_object_mut().map(|params| params.entry("_meta").or_insert_with(|| json!({})));
    if let Some(said) = said.and_then(Value::as_object_mut) {
        said.insert(meta::PROTOCOL_VERSION.into(), json!(MODERN_VERSION));
        said.insert(meta::CLIENT_CAPABILITIES.into(), json!({}));
        said.insert(meta::CLIENT_INFO.into(), client_info());
    }
}

/// Whether an answer to `server/discover` names the modern version that this client speaks.
pub fn offers_modern(discovered: &RawValue) -> Result<bool, McpError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Discovered {
        supported_versions: Vec<String>,
    }
    let Discovered { supported_versions } = serde_json::from_str(discovered.get())?;
    Ok(supported_versions.iter().any(|version| version == MODERN_VERSION))
}

/// The result of an answer, or the error in it.
pub fn outcome(message: &Message<'_>) -> Result<Box<RawValue>, McpError> {
    #[derive(Deserialize)]
    struct RpcError {
        code: i64,
        #[serde(default)]
        message: String,
    }
    match (message.result, message.error) {
        (Some(result), _) => Ok(RawValue::from_string(result.to_owned())?),
        (None, Some(error)) => {
            let RpcError { code, message } = serde_json::from_str(error)?;
            Err(McpError::Rpc { code, message })
        }
        (None, None) => Err(McpError::NoAnswer),
    }
}

/// The answer to a request of the server's. Nothing was declared that it could ask for, but it may see whether anybody
/// is there.
pub fn reply(request: &Message<'_>) -> Result<Value, McpError> {
    let id: Value = serde_json::from_str(request.id.map_or("null", |id| id.0))?;
    Ok(match request.method.as_ref() {
        "ping" => json!({ "jsonrpc": "2.0", "id": id, "result": {} }),
        _ => {
            let error = json!({ "code": codes::METHOD_NOT_FOUND, "message": "this client offers nothing of the kind" });
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        }
    })
}
