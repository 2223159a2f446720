//! Sends a message and reads what comes back. Blocks; not for async code.

use super::{
    answer::{judged, without},
    request::{Answer, Request, Response},
    text::line,
};
use crate::{config::Notification, roots};
use jiff::Timestamp;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};
use ureq::{
    Agent, Proxy,
    http::{HeaderMap, HeaderValue, header},
};

/// The longest credential, and the largest file of certificates.
const MAX_SECRET: u64 = 16 << 10;
const MAX_CERTIFICATES: u64 = 4 << 20;
/// How much is read of what comes back.
const MAX_BODY: u64 = 16 << 10;

/// The way to one target.
pub struct Sender {
    timeout: Duration,
    ca_file: Option<PathBuf>,
    proxy: Option<String>,
    /// What makes connections, whether by TLS, and the content of `ca_file` that it was made with.
    ready: Option<(bool, Option<Vec<u8>>, Agent)>,
}

impl Sender {
    pub fn new(settings: &Notification) -> Sender {
        Sender {
            timeout: settings.timeout,
            ca_file: settings.ca_file.clone(),
            proxy: settings.proxy.clone(),
            ready: None,
        }
    }

    /// Sends what `compose` makes of the credential, which is read anew each time, and judges what comes back.
    pub fn send(
        &mut self,
        credential: (&str, &Path),
        compose: impl FnOnce(&str) -> Result<Request, String>,
    ) -> (Answer, Option<Response>) {
        // What is wrong on this side may be mended while the message waits.
        let later = |problem: String| (Answer::Later { problem, after: None }, None);
        let secret = match secret(credential.0, credential.1) {
            Ok(secret) => secret,
            Err(problem) => return later(problem),
        };
        let request = match compose(&secret) {
            Ok(request) => request,
            Err(problem) => return later(problem),
        };
        match self.agent(is_https(&request.url)).and_then(|agent| post(&agent, &request, self.timeout)) {
            Ok(response) => (judged(&response, &secret, Timestamp::now()), Some(response)),
            Err(problem) => later(without(&problem, &secret)),
        }
    }

    fn agent(&mut self, secure: bool) -> Result<Agent, String> {
        let authorities = self.ca_file.as_deref().map(|path| bytes("ca_file", path, MAX_CERTIFICATES)).transpose()?;
        if let Some((by_tls, with, agent)) = &self.ready
            && (*by_tls, with) == (secure, &authorities)
        {
            return Ok(agent.clone());
        }
        let roots = match (&self.ca_file, &authorities) {
            (Some(path), Some(pem)) => {
                roots::of_bundle(pem).map_err(|why| format!("`ca_file` {} {why}", path.display()))?
            }
            _ if secure => roots::for_requests()?,
            _ => Vec::new(),
        };
        let proxy = self.proxy.as_deref().map(Proxy::new).transpose().map_err(|_| "`proxy` is not an address")?;
        // Messages are rare: servers do not keep connections for so long.
        let agent = roots::requests(roots, proxy).max_idle_connections(0).build().new_agent();
        self.ready = Some((secure, authorities, agent.clone()));
        Ok(agent)
    }
}

fn is_https(url: &str) -> bool {
    url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

fn post(agent: &Agent, request: &Request, timeout: Duration) -> Result<Response, String> {
    let mut builder = agent.post(&request.url).header(header::CONTENT_TYPE, "application/json");
    for (name, value) in &request.headers {
        let mut value = HeaderValue::from_str(value).map_err(|_| "the credential cannot be sent in a header")?;
        value.set_sensitive(true);
        builder = builder.header(*name, value);
    }
    // Of the whole of it, until the last byte of the answer was read.
    let builder = builder.config().timeout_global(Some(timeout)).build();
    let response = builder.send(request.body.as_bytes()).map_err(|error| failed(&error, timeout))?;
    let (status, headers) = (response.status().as_u16(), response.headers());
    let [retry_after, rate_limit_remaining, rate_limit_reset] =
        ["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset"].map(|name| value(headers, name));
    let mut body = Vec::new();
    // What was answered counts, even where the rest of it does not arrive.
    let _ = response.into_body().into_reader().take(MAX_BODY).read_to_end(&mut body);
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Response { status, retry_after, rate_limit_remaining, rate_limit_reset, body })
}

fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Never with the URL, which may be a secret.
fn failed(error: &ureq::Error, timeout: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no answer within {}s", timeout.as_secs()),
        ureq::Error::HostNotFound => "its host is not found".to_owned(),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::RequireHttpsOnly(_) => {
            "its URL cannot be used".to_owned()
        }
        ureq::Error::Io(error) => format!("cannot talk to it: {}", line(&error.to_string(), 200)),
        other => format!("cannot talk to it: {}", line(&other.to_string(), 200)),
    }
}

/// The one line of a file with a credential.
///
/// # Errors
/// Why there is none; what the file holds is not in it.
pub fn secret(setting: &str, path: &Path) -> Result<String, String> {
    let wrong = |why: &str| format!("`{setting}` {} {why}", path.display());
    let bytes = bytes(setting, path, MAX_SECRET)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not text"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    match text.is_empty() || text.contains(char::is_control) {
        true => Err(wrong("is to have one line")),
        false => Ok(text.to_owned()),
    }
}

/// All of a file. One that is longer is no part of itself: what is cut would be another credential.
fn bytes(setting: &str, path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| format!("`{setting}` {} cannot be read: {error}", path.display()))?;
    match bytes.len() as u64 > limit {
        true => Err(format!("`{setting}` {} has more than {limit} bytes", path.display())),
        false => Ok(bytes),
    }
}
