//! The HTTP headers of MCP (streamable HTTP, 2025-11-25 "Transports" and 2026-07-28 "HTTP headers"). Pure.

use super::{Message, TraceParent, text_member, trace_context::Carried};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What every POST of a message carries.
pub fn post() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers
}

/// The headers that repeat a modern message's body, so that those on the way need not read it.
pub fn modern(message: &Message<'_>) -> HeaderMap {
    let mut headers = post();
    let params = message.params();
    if let Some(version) = params.meta_version.and_then(text_member) {
        insert(&mut headers, PROTOCOL_VERSION, &version);
    }
    insert(&mut headers, METHOD, &message.method);
    let name = match message.method.as_ref() {
        "tools/call" | "prompts/get" => params.name,
        "resources/read" => params.uri,
        _ => None,
    };
    if let Some(name) = name.and_then(text_member) {
        insert(&mut headers, NAME, &name);
    }
    headers
}

/// The trace that a message belongs to, as its `_meta` (raw JSON) has it, for those on the way who know HTTP only.
pub fn trace(headers: &mut HeaderMap, meta: Option<&str>) {
    let Carried { traceparent, tracestate } = Carried::read(meta);
    let Some(parent) = traceparent.as_deref().and_then(TraceParent::parse) else { return };
    for (name, value) in [(TRACEPARENT, parent.to_string()), (TRACESTATE, tracestate.unwrap_or_default().into_owned())]
    {
        let value = HeaderValue::from_str(&value).ok().filter(|value| !value.is_empty());
        value.into_iter().for_each(|value| _ = headers.insert(name.clone(), value));
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Encoded text is printable ASCII, which is always a header's value.
    if let Ok(value) = HeaderValue::from_str(&encode(value)) {
        headers.insert(name, value);
    }
}

/// A text as a header's value: as it is, or in base64 between `=?base64?` and `?=` where it would not survive.
pub fn encode(text: &str) -> String {
    let printable = text.bytes().all(|b| (0x20..=0x7e).contains(&b));
    let looks_encoded = text.starts_with("=?base64?") && text.ends_with("?=");
    if printable && !looks_encoded && text.trim_ascii() == text {
        text.to_owned()
    } else {
        format!("=?base64?{}?=", STANDARD.encode(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (text, expected) in [
            ("get_weather", "get_weather"),
            ("", ""),
            ("a b", "a b"),
            (" a", "=?base64?IGE=?="),
            ("a\t", "=?base64?YQk=?="),
            ("grüß", "=?base64?Z3LDvMOf?="),
            ("a\nb", "=?base64?YQpi?="),
            ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
            ("=?base64?a", "=?base64?a"),
        ] {
            assert_eq!(encode(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_modern_message_is_repeated_in_its_headers() {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        for (method, params, name) in [
            ("tools/call", r#""name":"ech\u006f","#, Some("echo")),
            ("prompts/get", r#""name":"ä","#, Some("=?base64?w6Q=?=")),
            ("resources/read", r#""uri":"demo://about","#, Some("demo://about")),
            ("tools/list", r#""name":"not repeated","#, None),
            ("tools/call", "", None),
        ] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}{meta}}}}}"#);
            let headers = modern(&Message::parse(body.as_bytes()).unwrap());
            let get = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(get(PROTOCOL_VERSION), Some("2026-07-28"));
            assert_eq!(get(METHOD), Some(method));
            assert_eq!(get(NAME), name, "{body}");
        }
    }
}
