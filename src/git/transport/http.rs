//! Smart HTTP. What a source trusts and what it authenticates with are its own.

use crate::{
    git::{
        address::HttpAddress,
        bounds::Bounds,
        credentials::{Secret, bytes, unusable},
        error::{FetchError, FetchFailure},
        protocol::{Server, said},
        remote::Remote,
    },
    roots,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{
    io::{self, Read},
    path::PathBuf,
    time::Duration,
};
use ureq::{
    Agent, Body, Proxy,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    tls::Certificate,
};

const USER_AGENT: &str = concat!("git/mcpfleet-", env!("CARGO_PKG_VERSION"));
const ADVERTISEMENT: &str = "/info/refs?service=git-upload-pack";
const MAX_REDIRECTS: usize = 3;
/// However long a server asks to be left alone, it is asked again after this.
const MAX_PAUSE: Duration = Duration::from_secs(3600);
/// Servers take a token for the password of any user.
const ANY_USER: &str = "git";

/// What makes connections: certificates and proxy.
pub(in crate::git) struct Client {
    agent: Agent,
    /// The content of `ca_file`.
    authorities: Option<Vec<u8>>,
}

impl Client {
    /// The client that is there, unless `ca_file` has other certificates now.
    pub fn ready<'a>(kept: &'a mut Option<Client>, remote: &Remote) -> Result<&'a Client, FetchError> {
        let authorities = remote.ca_file.as_deref().map(|path| bytes("ca_file", path)).transpose()?;
        match kept.take() {
            Some(client) if client.authorities == authorities => Ok(kept.insert(client)),
            _ => Ok(kept.insert(Client::new(remote, authorities)?)),
        }
    }

    fn new(remote: &Remote, authorities: Option<Vec<u8>>) -> Result<Client, FetchError> {
        let secure = remote.url.to_ascii_lowercase().starts_with("https:");
        let roots = match (&remote.ca_file, &authorities) {
            (Some(path), Some(pem)) => roots::of_bundle(pem).map_err(|why| unusable("ca_file", path, why))?,
            _ if secure => system_certificates()?,
            _ => Vec::new(),
        };
        let proxy = remote.proxy.as_deref().map(Proxy::new).transpose();
        let proxy = proxy.map_err(|_| FetchError::new(FetchFailure::Settings, "`proxy` is not an address"))?;
        // A new connection for each look: the last one is longer ago than servers keep them.
        let config = roots::requests(roots, proxy).user_agent(USER_AGENT).max_idle_connections(0).build();
        Ok(Client { agent: config.new_agent(), authorities })
    }

    /// A server at an address, with the credentials that the files have now.
    pub fn server<'a>(
        &'a self,
        address: &HttpAddress,
        remote: &Remote,
        bounds: &'a Bounds,
    ) -> Result<HttpServer<'a>, FetchError> {
        Ok(HttpServer { agent: &self.agent, base: address.base.clone(), authorization: authorization(remote)?, bounds })
    }
}

/// The certificates of a bundle.
fn system_certificates() -> Result<Vec<Certificate<'static>>, FetchError> {
    roots::for_requests().map_err(|none| FetchError::new(FetchFailure::Certificate, none))
}

fn authorization(remote: &Remote) -> Result<Option<HeaderValue>, FetchError> {
    let read =
        |setting: &str, path: &Option<PathBuf>| path.as_deref().map(|path| Secret::line(setting, path)).transpose();
    let user = read("username_file", &remote.username_file)?;
    let Some(password) = read("password_file", &remote.password_file)? else { return Ok(None) };
    let user = user.as_ref().map_or(ANY_USER, Secret::reveal);
    let encoded = BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()));
    let mut value = HeaderValue::from_str(&format!("Basic {encoded}"))
        .map_err(|_| FetchError::new(FetchFailure::CredentialFile, "the password cannot be sent"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// A server of smart HTTP: each request is its own.
pub(in crate::git) struct HttpServer<'a> {
    agent: &'a Agent,
    /// Without a slash at its end.
    base: String,
    authorization: Option<HeaderValue>,
    bounds: &'a Bounds,
}

impl Server for HttpServer<'_> {
    fn greeting(&mut self) -> Result<Box<dyn Read + '_>, FetchError> {
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(&format!("{}{ADVERTISEMENT}", self.base), None)?;
            if !response.status().is_redirection() {
                return self.body(response, "advertisement");
            }
            self.base = self.redirected(&response)?;
        }
        Err(FetchError::new(FetchFailure::Redirect, format!("{} redirects again and again", self.bounds.remote)))
    }

    fn answer(&mut self, request: &[u8]) -> Result<Box<dyn Read + '_>, FetchError> {
        let response = self.send(&format!("{}/git-upload-pack", self.base), Some(request))?;
        if response.status().is_redirection() {
            // What was sent once is not sent to somebody else.
            return Err(FetchError::new(FetchFailure::Redirect, format!("{} redirects a fetch", self.bounds.remote)));
        }
        self.body(response, "result")
    }
}

impl<'a> HttpServer<'a> {
    /// Sends a request: a GET, or a POST with a body.
    fn send(&self, url: &str, body: Option<&[u8]>) -> Result<Response<Body>, FetchError> {
        // Of the whole of it, until the last byte of the answer was read.
        let left = Some(self.bounds.left()?);
        let response = match body {
            None => {
                let mut request = self.agent.get(url).header("Git-Protocol", "version=2");
                if let Some(authorization) = &self.authorization {
                    request = request.header(header::AUTHORIZATION, authorization);
                }
                request.config().timeout_global(left).build().call()
            }
            Some(body) => {
                let mut request = self.agent.post(url).header("Git-Protocol", "version=2");
                request = request
                    .header(header::CONTENT_TYPE, "application/x-git-upload-pack-request")
                    .header(header::ACCEPT, "application/x-git-upload-pack-result");
                if let Some(authorization) = &self.authorization {
                    request = request.header(header::AUTHORIZATION, authorization);
                }
                request.config().timeout_global(left).build().send(body)
            }
        };
        response.map_err(|error| failed(self.bounds, &error))
    }

    /// The body of an answer that is one.
    fn body(&self, response: Response<Body>, what: &str) -> Result<Box<dyn Read + 'a>, FetchError> {
        let status = response.status();
        if status != StatusCode::OK {
            return Err(refused(self.bounds, status, after(response.headers())));
        }
        let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        if kind != format!("application/x-git-upload-pack-{what}").as_bytes() {
            let what = format!("{} answers with {:?}, which is not git", self.bounds.remote, said(kind));
            return Err(FetchError::new(FetchFailure::NotGit, what));
        }
        let reader = response.into_body().into_with_config().limit(u64::MAX).reader();
        Ok(Box::new(BodyReader { reader, bounds: self.bounds }))
    }

    /// Where a redirect leads, if that is on the same host: credentials must not go elsewhere.
    fn redirected(&self, response: &Response<Body>) -> Result<String, FetchError> {
        let location =
            response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        redirected(&self.base, location).ok_or_else(|| {
            let shown = crate::git::address::Address::shown(location);
            let what = format!("{} redirects to {}, which is not followed", self.bounds.remote, said(shown.as_bytes()));
            FetchError::new(FetchFailure::Redirect, what)
        })
    }
}

/// The base of the repository that a redirect from `base` leads to.
fn redirected(base: &str, location: &str) -> Option<String> {
    let (scheme, rest) = base.split_once("://")?;
    let authority = rest.split('/').next()?;
    let origin = format!("{scheme}://{authority}");
    let path = match location.split_once("://") {
        Some(_) => {
            let parsed = location.strip_suffix(ADVERTISEMENT)?;
            // In the same form, whether or not the port is written out.
            let crate::git::address::Address::Http(HttpAddress { base }) =
                crate::git::address::Address::parse(parsed).ok()?
            else {
                return None;
            };
            return base
                .strip_prefix(&origin)
                .filter(|path| path.starts_with('/'))
                .map(|path| format!("{origin}{path}"));
        }
        None => location.strip_suffix(ADVERTISEMENT)?,
    };
    (path.starts_with('/') && !path.starts_with("//")).then(|| format!("{origin}{path}"))
}

/// How long the server asks to be left alone.
fn after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(|seconds| Duration::from_secs(seconds).min(MAX_PAUSE))
}

fn refused(bounds: &Bounds, status: StatusCode, after: Option<Duration>) -> FetchError {
    let kind = match status.as_u16() {
        401 | 407 => FetchFailure::Unauthorized,
        // With a time, a server means that there were too many.
        403 if after.is_some() => FetchFailure::RateLimited(after),
        403 => FetchFailure::Forbidden,
        404 | 410 => FetchFailure::NotFound,
        429 => FetchFailure::RateLimited(after),
        408 | 500.. => FetchFailure::ServerError,
        _ => FetchFailure::NotGit,
    };
    FetchError::new(kind, format!("{} answers {status}", bounds.remote))
}

fn failed(bounds: &Bounds, error: &ureq::Error) -> FetchError {
    let what = format!("cannot talk to {}: {error}", bounds.remote);
    let kind = match error {
        ureq::Error::Timeout(_) => return bounds.timed_out(),
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => tls_failure(error),
            None if error.get_ref().is_some_and(|inner| inner.is::<ureq::Error>()) => FetchFailure::Unreachable,
            None => return FetchError::of_io(bounds, error),
        },
        ureq::Error::Rustls(error) => tls_failure(error),
        ureq::Error::Tls(_) | ureq::Error::Pem(_) => FetchFailure::Certificate,
        ureq::Error::Protocol(_) => FetchFailure::NotGit,
        ureq::Error::Other(inner) => match inner.downcast_ref::<rustls::Error>() {
            Some(error) => tls_failure(error),
            None => FetchFailure::Unreachable,
        },
        _ => FetchFailure::Unreachable,
    };
    FetchError::new(kind, what)
}

fn tls_failure(error: &rustls::Error) -> FetchFailure {
    match error {
        rustls::Error::InvalidCertificate(_)
        | rustls::Error::InvalidCertRevocationList(_)
        | rustls::Error::NoCertificatesPresented
        | rustls::Error::UnsupportedNameType => FetchFailure::Certificate,
        _ => FetchFailure::Unreachable,
    }
}

/// A body whose errors are ours.
struct BodyReader<'a> {
    reader: ureq::BodyReader<'static>,
    bounds: &'a Bounds,
}

impl Read for BodyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| {
            let error = match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
                Some(ureq::Error::Protocol(_)) => FetchError::new(
                    FetchFailure::Truncated,
                    format!("the answer of {} ends early or is damaged", self.bounds.remote),
                ),
                Some(error) => failed(self.bounds, error),
                None => FetchError::of_io(self.bounds, &error),
            };
            io::Error::other(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_redirects_on_the_same_host_are_followed() {
        let base = "https://example.com:443/old/fleet";
        let table = [
            (
                "https://example.com/new/fleet/info/refs?service=git-upload-pack",
                Some("https://example.com:443/new/fleet"),
            ),
            ("/new/fleet.git/info/refs?service=git-upload-pack", Some("https://example.com:443/new/fleet.git")),
            ("https://evil.example.com/old/fleet/info/refs?service=git-upload-pack", None),
            ("https://example.com.evil.org/fleet/info/refs?service=git-upload-pack", None),
            ("https://example.com:444/old/fleet/info/refs?service=git-upload-pack", None),
            ("http://example.com/old/fleet/info/refs?service=git-upload-pack", None),
            ("https://user:pass@example.com/a/info/refs?service=git-upload-pack", None),
            ("https://example.com@evil.org/a/info/refs?service=git-upload-pack", None),
            ("//evil.org/a/info/refs?service=git-upload-pack", None),
            ("https://example.com/login", None),
            ("", None),
        ];
        for (location, expected) in table {
            assert_eq!(redirected(base, location).as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn a_server_may_ask_for_a_pause_but_not_for_ever() {
        let table = [
            ("0", Some(0)),
            ("120", Some(120)),
            ("3601", Some(3600)),
            ("18446744073709551615", Some(3600)),
            ("18446744073709551616", None),
            ("-1", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ];
        for (value, expected) in table {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(value))]);
            assert_eq!(after(&headers), expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(after(&HeaderMap::new()), None);
    }

    #[test]
    fn each_status_has_its_kind() {
        let bounds = Bounds::new("the remote".to_owned(), Duration::from_secs(1), 1);
        let minute = Some(Duration::from_secs(60));
        let table = [
            (401, None, "unauthorized", false),
            (403, None, "forbidden", false),
            (403, minute, "rate-limited", true),
            (404, None, "not-found", false),
            (418, None, "not-git", false),
            (429, minute, "rate-limited", true),
            (500, None, "server-error", true),
            (503, minute, "server-error", true),
        ];
        for (status, after, code, transient) in table {
            let error = refused(&bounds, StatusCode::from_u16(status).expect("a status"), after);
            assert_eq!((error.code(), error.is_transient()), (code, transient), "{status}");
            assert!(code != "rate-limited" || error.retry_after() == after);
        }
    }
}
