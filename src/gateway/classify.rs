//! Decides by its content in which era a message is, and whether a modern one agrees with its headers. Pure.

use crate::protocol::{Era, MODERN_VERSION, Message, Params, codes, is_legacy_version, text_member};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use std::borrow::Cow;

pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// Why a message is refused, for its sender.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub status: StatusCode,
    pub code: i64,
    pub message: String,
    pub data: Option<Value>,
    /// After how many seconds it is worth asking again.
    pub retry_after: Option<u64>,
    /// Whoever has sent it may not.
    pub denied: bool,
}

impl Fault {
    pub fn new(status: StatusCode, code: i64, message: impl Into<String>) -> Self {
        Fault { status, code, message: message.into(), data: None, retry_after: None, denied: false }
    }

    /// The server is not there to answer: 503, and after how many seconds to ask again.
    pub fn unavailable(message: impl Into<String>, retry_after: u64) -> Self {
        let fault = Fault::new(StatusCode::SERVICE_UNAVAILABLE, codes::UNAVAILABLE, message);
        Fault { retry_after: Some(retry_after), ..fault }
    }

    fn bad(code: i64, message: impl Into<String>) -> Self {
        Fault::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// The version is not spoken here: 400, with those that are.
    pub fn unsupported_version(requested: &str, supported: &[&str]) -> Self {
        let message = format!("protocol version {requested:?} is not supported here");
        let data = Some(json!({ "supported": supported, "requested": requested }));
        Fault { data, ..Fault::bad(codes::UNSUPPORTED_VERSION, message) }
    }
}

/// The era of a message.
pub fn era_of(headers: &HeaderMap, message: &Message<'_>, params: &Params<'_>) -> Era {
    if message.method == "initialize" && params.meta_version.is_none() {
        return Era::Legacy;
    }
    let modern_header = header(headers, &PROTOCOL_VERSION).is_some_and(|version| !is_legacy_version(version));
    if params.meta_version.is_some() || modern_header { Era::Modern } else { Era::Legacy }
}

/// Checks a modern request: its `_meta` is complete and its headers say the same as its body, so that whoever routed it
/// by the headers has not been misled.
pub fn check_modern(headers: &HeaderMap, message: &Message<'_>, params: &Params<'_>) -> Result<(), Fault> {
    let Some(version) = params.meta_version.and_then(text_member) else {
        return Err(Fault::bad(codes::INVALID_PARAMS, "`params._meta` must have the protocol version"));
    };
    agree(headers, &PROTOCOL_VERSION, &version)?;
    if version != MODERN_VERSION {
        return Err(Fault::unsupported_version(&version, &[MODERN_VERSION]));
    }
    if !params.meta_capabilities.is_some_and(|raw| raw.starts_with('{')) {
        return Err(Fault::bad(codes::INVALID_PARAMS, "`params._meta` must have the client's capabilities"));
    }
    agree(headers, &METHOD, &message.method)?;
    if message.method == "initialize" {
        // It must not reach a server of both eras, whose one process is shared by clients without a handshake.
        let text = "there is no `initialize` in this protocol version";
        return Err(Fault::new(StatusCode::NOT_FOUND, codes::METHOD_NOT_FOUND, text));
    }
    let name = match message.method.as_ref() {
        "tools/call" | "prompts/get" => params.name,
        "resources/read" => params.uri,
        _ => return Ok(()),
    };
    // A name that is no string is the server's to refuse; there is nothing that a header could agree with.
    name.and_then(text_member).map_or(Ok(()), |name| agree(headers, &NAME, &name))
}

fn agree(headers: &HeaderMap, name: &HeaderName, body: &str) -> Result<(), Fault> {
    let mismatch = |says: &str| {
        Fault::bad(codes::HEADER_MISMATCH, format!("the header {name} {says}, but the body says {body:?}"))
    };
    let mut values = headers.get_all(name).iter();
    let (value, more) = (values.next(), values.next());
    let value = match (value.map(|value| value.to_str()), more) {
        (Some(Ok(value)), None) => value,
        (None, _) => return Err(mismatch("is missing")),
        _ => return Err(mismatch("is ambiguous or not text")),
    };
    match decode(value) {
        Some(text) if text == body => Ok(()),
        _ => Err(mismatch(&format!("says {value:?}"))),
    }
}

/// The text of a header's value: as it stands, or `=?base64?…?=` for what headers cannot hold.
fn decode(value: &str) -> Option<Cow<'_, str>> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|v| v.strip_suffix("?=")) else {
        return Some(Cow::Borrowed(value));
    };
    String::from_utf8(BASE64.decode(encoded).ok()?).ok().map(Cow::Owned)
}

/// The only value of a header; `None` if there is none, or no text.
pub fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

/// The HTTP status of a modern answer.
pub fn modern_status(error_code: Option<i64>) -> StatusCode {
    match error_code {
        Some(codes::METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(codes::HEADER_MISMATCH | codes::MISSING_CAPABILITY | codes::UNSUPPORTED_VERSION) => {
            StatusCode::BAD_REQUEST
        }
        _ => StatusCode::OK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (HeaderName::from_static(k), v.parse().unwrap())).collect()
    }

    fn call(name: &str, version: &str) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{name},"_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
        )
    }

    fn check(pairs: &[(&'static str, &str)], body: &str) -> Result<(), i64> {
        let message = Message::parse(body.as_bytes()).unwrap();
        check_modern(&headers(pairs), &message, &message.params()).map_err(|fault| fault.code)
    }

    #[test]
    fn eras() {
        let meta = call("\"x\"", MODERN_VERSION);
        let ping = r#"{"id":1,"method":"ping"}"#;
        let initialize = r#"{"id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
        for (version, body, expected) in [
            (None, meta.as_str(), Era::Modern),
            (Some("2025-11-25"), &meta, Era::Modern),
            (Some("2026-07-28"), ping, Era::Modern),
            (Some("2031-01-01"), ping, Era::Modern),
            (Some("2025-06-18"), ping, Era::Legacy),
            (None, ping, Era::Legacy),
            (None, initialize, Era::Legacy),
        ] {
            let message = Message::parse(body.as_bytes()).unwrap();
            let pairs: Vec<_> = version.map(|v| ("mcp-protocol-version", v)).into_iter().collect();
            assert_eq!(era_of(&headers(&pairs), &message, &message.params()), expected, "{version:?} {body}");
        }
    }

    #[test]
    fn headers_and_body_agree() {
        let v = ("mcp-protocol-version", MODERN_VERSION);
        let m = ("mcp-method", "tools/call");
        let body = call("\"echo\"", MODERN_VERSION);
        assert_eq!(check(&[v, m, ("mcp-name", "echo")], &body), Ok(()));
        assert_eq!(check(&[v, m, ("mcp-name", "=?base64?ZWNobw==?=")], &body), Ok(()));
        assert_eq!(check(&[v, m, ("mcp-name", "=?base64?Z8OkaG4=?=")], &call("\"gähn\"", MODERN_VERSION)), Ok(()));
        for pairs in [
            &[v, m][..],
            &[v, ("mcp-name", "echo")],
            &[m, ("mcp-name", "echo")],
            &[v, m, ("mcp-name", "delete")],
            &[v, m, ("mcp-name", "=?base64?!?=")],
            &[v, ("mcp-method", "tools/list"), ("mcp-name", "echo")],
            &[("mcp-protocol-version", "2025-11-25"), m, ("mcp-name", "echo")],
        ] {
            assert_eq!(check(pairs, &body), Err(codes::HEADER_MISMATCH), "{pairs:?}");
        }
        let future = call("\"echo\"", "2031-01-01");
        assert_eq!(check(&[("mcp-protocol-version", "2031-01-01"), m], &future), Err(codes::UNSUPPORTED_VERSION));
        let bare = r#"{"id":1,"method":"tools/list","params":{}}"#;
        assert_eq!(check(&[v, ("mcp-method", "tools/list")], bare), Err(codes::INVALID_PARAMS));
    }
}
