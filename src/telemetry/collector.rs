//! The collector, at the other end of HTTP. Blocks; not for async code.

use super::Otlp;
use crate::roots;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};
use ureq::{
    Agent,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
};

/// The largest answer that is read, in bytes. Nothing in it is of use but for people.
const MAX_ANSWER: u64 = 64 << 10;
/// The largest file with certificates, and the longest value of a header, in bytes.
const MAX_CERTIFICATES: u64 = 1 << 20;
const MAX_VALUE: u64 = 8 << 10;
/// No collector may ask for more patience than this.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Why a batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// It may be later; the collector may say when.
    Later { why: String, after: Option<Duration> },
    /// It never will be.
    Never(String),
}

#[derive(Debug)]
pub(super) struct Collector {
    agent: Agent,
    url: String,
    headers: Vec<(String, PathBuf)>,
    timeout: Duration,
}

impl Collector {
    /// Reads what is needed once, and looks whether the rest is there.
    ///
    /// # Errors
    /// What is missing, for people.
    pub(super) fn new(settings: &Otlp) -> Result<Collector, String> {
        let collector = Collector {
            agent: agent(settings)?,
            url: format!("{}/v1/traces", settings.endpoint),
            headers: settings.headers.iter().map(|(name, file)| (name.clone(), file.clone())).collect(),
            timeout: settings.timeout,
        };
        collector.headers()?;
        Ok(collector)
    }

    /// For people.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Hands over a batch, which takes no longer than this and the configured timeout.
    pub(super) fn post(&self, body: &[u8], within: Duration) -> Result<(), NotTaken> {
        let later = |why: String| NotTaken::Later { why, after: None };
        let mut request = self.agent.post(&self.url).header(CONTENT_TYPE, "application/x-protobuf");
        for (name, value) in self.headers().map_err(later)? {
            request = request.header(name, value);
        }
        let request = request.config().timeout_global(Some(self.timeout.min(within))).build();
        let mut response = request.send(body).map_err(|error| later(error.to_string()))?;
        let status = response.status();
        if status.is_success() {
            // Read to its end, so that the connection serves again. What stands there changes nothing: a collector that
            // has taken a part is not to be given the rest again.
            let _ = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
            return Ok(());
        }
        let why = format!("it answers {status}");
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let after =
                    response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
                Err(NotTaken::Later { why, after: after.map(|seconds| Duration::from_secs(seconds).min(MAX_WAIT)) })
            }
            _ => Err(NotTaken::Never(why)),
        }
    }

    /// Read anew each time: a token is replaced by replacing its file.
    fn headers(&self) -> Result<Vec<(&str, HeaderValue)>, String> {
        let value = |file: &Path| -> Result<HeaderValue, String> {
            let text = read(file, MAX_VALUE)?;
            let mut value = HeaderValue::from_bytes(text.trim_ascii())
                .map_err(|_| format!("{} cannot be the value of a header", file.display()))?;
            value.set_sensitive(true);
            Ok(value)
        };
        self.headers.iter().map(|(name, file)| Ok((name.as_str(), value(file)?))).collect()
    }
}

fn agent(settings: &Otlp) -> Result<Agent, String> {
    let roots = match &settings.ca_file {
        _ if !settings.endpoint.starts_with("https://") => Vec::new(),
        None => roots::for_requests()?,
        Some(file) => {
            roots::of_bundle(&read(file, MAX_CERTIFICATES)?).map_err(|why| format!("{} {why}", file.display()))?
        }
    };
    Ok(roots::requests(roots, None).build().new_agent())
}

fn read(file: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", file.display());
    let mut bytes = Vec::new();
    File::open(file).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > limit {
        true => Err(format!("{} has more than {limit} bytes", file.display())),
        false => Ok(bytes),
    }
}
