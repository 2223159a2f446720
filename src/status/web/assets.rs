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
        ("open.js", Asset::new(JS, include_bytes!("assets/open.js"))),
        ("login.js", Asset::new(JS, include_bytes!("assets/login.js"))),
        ("app.css", Asset::new(CSS, include_bytes!("assets/app.css"))),
        ("app.js", Asset::new(JS, include_bytes!("assets/app.js"))),
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
