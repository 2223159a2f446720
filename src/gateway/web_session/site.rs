//! Whether a request is from a page of this gateway's own. Pure.
//!
//! The guard lets pages of any port of loopback in, and browsers send a cookie to all ports of its host: what a cookie lets in
//! has to be looked at more closely.

use crate::gateway::guard::Denial;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a cookie is not enough for a request: it changes something, or it is a client's of an app. To end its own session it
/// is enough, so that whoever has lost the proof can log out.
pub fn needs_proof(method: &Method, path: &str) -> bool {
    if *method == Method::DELETE && path == "/v1/web/sessions" {
        return false;
    }
    !matches!(*method, Method::GET | Method::HEAD) || path == "/mcp" || path.starts_with("/mcp/")
}

/// Refuses a request of a page that is not from here. Where a browser does not say so, or where there is none, there is nothing
/// to go by. `url` is where clients find the gateway, which a proxy may hide behind another host.
///
/// # Errors
/// It is from another page.
pub fn check(headers: &HeaderMap, url: &str) -> Result<(), Denial> {
    let foreign = || {
        let text = "this was asked for by a page of another origin; open the page of this agent itself";
        Err(Denial::new(StatusCode::FORBIDDEN, "wrong-origin", text))
    };
    for site in headers.get_all(FETCH_SITE) {
        if site != "same-origin" && site != "none" {
            return foreign();
        }
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = origin.to_str().ok().is_some_and(|origin| {
        let here = origin
            .split_once("://")
            .is_some_and(|(scheme, authority)| host.is_some_and(|host| same_authority(scheme, authority, host)));
        here || origin.eq_ignore_ascii_case(origin_of(url))
    });
    if own && origins.next().is_none() { Ok(()) } else { foreign() }
}

/// Scheme, host and port of a URL.
fn origin_of(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(authority..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| authority + at);
    url.get(..end).unwrap_or_default()
}

/// Whether a page of `authority` is of the host that was asked. Browsers leave the port out where it is the scheme's own.
fn same_authority(scheme: &str, authority: &str, host: &str) -> bool {
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |text: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
    bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_more_than_a_cookie() {
        for (method, path, expected) in [
            (Method::GET, "/v1/status", false),
            (Method::HEAD, "/", false),
            (Method::GET, "/mcpx", false),
            (Method::POST, "/v1/status", true),
            (Method::DELETE, "/v1/web/sessions", false),
            (Method::DELETE, "/v1/web/links", true),
            (Method::OPTIONS, "/v1/status", true),
            (Method::PUT, "/", true),
            (Method::GET, "/mcp", true),
            (Method::GET, "/mcp/demo", true),
            (Method::POST, "/mcp/demo", true),
        ] {
            assert_eq!(needs_proof(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn own_pages_and_others() {
        let url = "https://fleet.example/tools";
        for (host, origin, site, fine) in [
            ("localhost:7420", None, None, true),
            ("localhost:7420", Some("http://localhost:7420"), Some("same-origin"), true),
            ("localhost:7420", Some("http://LOCALHOST:7420"), None, true),
            ("localhost:7420", None, Some("none"), true),
            ("localhost:7420", None, Some("same-site"), false),
            ("localhost:7420", None, Some("cross-site"), false),
            ("localhost:7420", None, Some(""), false),
            ("localhost:7420", Some("http://localhost:3000"), None, false),
            ("localhost:7420", Some("http://127.0.0.1:7420"), None, false),
            ("localhost:7420", Some("http://localhost:7420"), Some("cross-site"), false),
            ("localhost:7420", Some("null"), None, false),
            ("localhost:7420", Some("localhost:7420"), None, false),
            ("localhost:7420", Some("file://localhost:7420"), None, false),
            ("localhost:7420", Some("http://localhost:7420/"), None, false),
            ("localhost", Some("http://localhost:80"), None, true),
            ("localhost:80", Some("http://localhost"), None, true),
            ("localhost:443", Some("http://localhost"), None, false),
            ("fleet.example", Some("https://fleet.example"), None, true),
            // A proxy that asks by its own name for the agent.
            ("127.0.0.1:7420", Some("https://fleet.example"), Some("same-origin"), true),
            ("127.0.0.1:7420", Some("http://fleet.example"), None, false),
            ("127.0.0.1:7420", Some("https://fleet.example.evil"), None, false),
        ] {
            let mut map = HeaderMap::new();
            map.insert(header::HOST, host.parse().unwrap());
            origin.map(|origin| map.insert(header::ORIGIN, origin.parse().unwrap()));
            site.map(|site| map.insert(FETCH_SITE, site.parse().unwrap()));
            assert_eq!(check(&map, url).is_ok(), fine, "{host} {origin:?} {site:?}");
        }
        let mut twice = HeaderMap::new();
        twice.insert(header::HOST, "localhost".parse().unwrap());
        twice.append(header::ORIGIN, "http://localhost".parse().unwrap());
        assert!(check(&twice, url).is_ok());
        twice.append(header::ORIGIN, "http://localhost".parse().unwrap());
        assert!(check(&twice, url).is_err());
    }
}
