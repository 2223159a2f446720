//! The files of the page. They are in the program, say nothing of any fleet, and are for everybody.

use super::gzip;
use crate::{
    gateway::{Caller, problem},
    resource::Digest,
    status::asked::Named,
};
use axum::{
    Extension,
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use flate2::Compression;
use std::sync::LazyLock;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JS: &str = "text/javascript; charset=utf-8";

/// The page, for whoever may come in.
static PAGE: LazyLock<Asset> = LazyLock::new(|| Asset::new(HTML, include_bytes!("assets/index.html")));

/// Where everybody else signs in.
static SIGN_IN: LazyLock<Asset> = LazyLock::new(|| Asset::new(HTML, include_bytes!("assets/login.html")));

/// By name, what is below `/web/`.
static ASSETS: LazyLock<Vec<(&str, Asset)>> = LazyLock::new(|| {
    vec![
        // A link leads there; the code is behind the `#`, where nobody but this page sees it.
        ("open", Asset::new(HTML, include_bytes!("assets/open.html"))),
        ("app.css", Asset::new(CSS, include_bytes!("assets/app.css"))),
        ("views.css", Asset::new(CSS, include_bytes!("assets/views.css"))),
        ("icon.svg", Asset::new(SVG, include_bytes!("assets/icon.svg"))),
        ("api.js", Asset::new(JS, include_bytes!("assets/api.js"))),
        ("app.js", Asset::new(JS, include_bytes!("assets/app.js"))),
        ("changes.js", Asset::new(JS, include_bytes!("assets/changes.js"))),
        ("connect.js", Asset::new(JS, include_bytes!("assets/connect.js"))),
        ("diff.js", Asset::new(JS, include_bytes!("assets/diff.js"))),
        ("dom.js", Asset::new(JS, include_bytes!("assets/dom.js"))),
        ("early.js", Asset::new(JS, include_bytes!("assets/early.js"))),
        ("events.js", Asset::new(JS, include_bytes!("assets/events.js"))),
        ("filters.js", Asset::new(JS, include_bytes!("assets/filters.js"))),
        ("form.js", Asset::new(JS, include_bytes!("assets/form.js"))),
        ("history.js", Asset::new(JS, include_bytes!("assets/history.js"))),
        ("live.js", Asset::new(JS, include_bytes!("assets/live.js"))),
        ("login.js", Asset::new(JS, include_bytes!("assets/login.js"))),
        ("logs.js", Asset::new(JS, include_bytes!("assets/logs.js"))),
        ("mcp.js", Asset::new(JS, include_bytes!("assets/mcp.js"))),
        ("open.js", Asset::new(JS, include_bytes!("assets/open.js"))),
        ("overview.js", Asset::new(JS, include_bytes!("assets/overview.js"))),
        ("parts.js", Asset::new(JS, include_bytes!("assets/parts.js"))),
        ("plan.js", Asset::new(JS, include_bytes!("assets/plan.js"))),
        ("result.js", Asset::new(JS, include_bytes!("assets/result.js"))),
        ("route.js", Asset::new(JS, include_bytes!("assets/route.js"))),
        ("row.js", Asset::new(JS, include_bytes!("assets/row.js"))),
        ("server.js", Asset::new(JS, include_bytes!("assets/server.js"))),
        ("servers.js", Asset::new(JS, include_bytes!("assets/servers.js"))),
        ("sources.js", Asset::new(JS, include_bytes!("assets/sources.js"))),
        ("sse.js", Asset::new(JS, include_bytes!("assets/sse.js"))),
        ("states.js", Asset::new(JS, include_bytes!("assets/states.js"))),
        ("store.js", Asset::new(JS, include_bytes!("assets/store.js"))),
        ("text.js", Asset::new(JS, include_bytes!("assets/text.js"))),
        ("theme.js", Asset::new(JS, include_bytes!("assets/theme.js"))),
        ("tools.js", Asset::new(JS, include_bytes!("assets/tools.js"))),
        ("top.js", Asset::new(JS, include_bytes!("assets/top.js"))),
    ]
});

/// A file, as it is and compressed.
struct Asset {
    kind: &'static str,
    plain: Form,
    small: Form,
}

#[derive(Clone)]
struct Form {
    bytes: Bytes,
    /// A strong `ETag`: another one for every content.
    tag: String,
}

impl Asset {
    fn new(kind: &'static str, bytes: &'static [u8]) -> Asset {
        let digest = Digest::of_bytes(bytes).short(32);
        let plain = Form { bytes: Bytes::from_static(bytes), tag: format!("\"{digest}\"") };
        let small = match gzip::compressed(bytes, Compression::best()) {
            Some(small) if small.len() < bytes.len() => Form { bytes: small.into(), tag: format!("\"{digest}-gz\"") },
            _ => plain.clone(),
        };
        Asset { kind, plain, small }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let Form { bytes, tag } = if gzip::accepts(headers) { &self.small } else { &self.plain };
        let known = is_known(headers, tag);
        let mut response = Response::new(if known { Body::empty() } else { Body::from(bytes.clone()) });
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let head = response.headers_mut();
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        // To be asked for each time: what an agent of another version has is never mixed with it.
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        head.insert(header::VARY, HeaderValue::from_static("accept-encoding, cookie, authorization"));
        if let Ok(tag) = HeaderValue::from_str(tag) {
            head.insert(header::ETAG, tag);
        }
        if *bytes != self.plain.bytes && !known {
            head.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Whether whoever asks has that already.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = |known: &str| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag;
    values.flat_map(|value| value.split(',')).any(|one| known(one.trim()))
}

/// The page, or where one signs in.
#[utoipa::path(get, path = "/", tag = "web", responses((status = 200, content_type = "text/html", body = String)))]
pub(in crate::status) async fn front(caller: Option<Extension<Caller>>, headers: HeaderMap) -> Response {
    let asset = if caller.is_some() { &PAGE } else { &SIGN_IN };
    asset.answer(&headers)
}

/// A file of the page. Nobody needs to sign in for it: it says nothing of the fleet.
#[utoipa::path(get, path = "/web/{name}", tag = "web", params(("name" = String, Path)),
    responses((status = 200, content_type = "text/css", body = String), (status = 304, description = "It is known already.")))]
pub(in crate::status) async fn asset(Named(name): Named, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|(known, _)| *known == name) {
        Some((_, asset)) => asset.answer(&headers),
        None => problem(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path"),
    }
}
