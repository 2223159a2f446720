//! What browsers are told of answers that are not a server's own. Pure.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Whatever a browser takes an answer for: nothing in it runs but our own files, nobody shows it in a frame, nobody else's page
/// gets to read it, and nobody is told where its reader has been.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Hardens the answer to a request for a path. What clients of MCP get is left as it is.
pub fn harden(is_of_clients: bool, headers: &mut HeaderMap) {
    if is_of_clients {
        return;
    }
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    // What is said of a fleet is for whoever asked, and true for now.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Whether a path is of clients of MCP.
pub fn is_of_clients(path: &str) -> bool {
    path == "/mcp" || path.starts_with("/mcp/")
}
