//! Requests to one server and its answers to them.

use super::{
    NotReached, Target,
    budget::{Budget, Share},
    connect::Connector,
};
use crate::{instance::link::MAX_MESSAGE, protocol::codes};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Uri,
    header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, USER_AGENT},
};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error},
    rt::{TokioExecutor, TokioTimer},
};
use std::time::Duration;

/// Connections that nobody uses are kept so long. Common servers close them after five seconds, and what is sent while
/// they do is lost.
const KEEP_IDLE: Duration = Duration::from_secs(4);

/// More connections than this are not kept when nobody uses them.
const MAX_IDLE: usize = 32;

const MAX_REDIRECTS: usize = 3;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("mcpfleet/", env!("CARGO_PKG_VERSION")));

/// Why there is no answer, or none that is any good. For clients, so nothing of the server's own words is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing has been sent.
    #[error(transparent)]
    NotReached(#[from] NotReached),
    /// It may have been carried out.
    #[error("the connection to {place} was lost before the answer was complete: {why}")]
    Lost { place: String, why: String },
    #[error("{place} answers HTTP {status}")]
    Status { place: String, status: StatusCode },
    #[error("{place} redirects elsewhere (HTTP {status}), which is not followed")]
    Redirected { place: String, status: StatusCode },
    #[error("an answer of {place} is longer than {} MiB", .limit >> 20)]
    TooLong { place: String, limit: usize },
    #[error("{0} sends too many long answers at a time")]
    Crowded(String),
    #[error("{place} answers with {what}")]
    Unsuitable { place: String, what: String },
}

impl Failure {
    /// What it is to a client of JSON-RPC.
    pub fn code(&self) -> i64 {
        match self {
            Failure::NotReached(_) => codes::UNAVAILABLE,
            // The server is there, and does not know what it was asked for: which may be the era's fault.
            Failure::Status { status, .. } if is_ignorance(*status) => codes::INTERNAL_ERROR,
            Failure::Status { .. } => codes::UNAVAILABLE,
            Failure::Lost { .. } => codes::SERVER_GONE,
            Failure::Crowded(_) => codes::OVERLOADED,
            Failure::Redirected { .. } | Failure::TooLong { .. } | Failure::Unsuitable { .. } => codes::INTERNAL_ERROR,
        }
    }
}

/// Whether a status says that the request is not understood, rather than that it is not allowed or not possible now.
fn is_ignorance(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 404 | 405 | 406 | 410 | 415 | 422 | 501)
}

/// Sends requests to one server.
pub struct Http {
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
    pub target: Target,
    /// Sent with each request.
    headers: HeaderMap,
    budget: Budget,
}

impl Http {
    pub fn new(target: Target, connector: Connector, headers: HeaderMap) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(KEEP_IDLE)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector.clone());
        Http { client, connector, target, headers, budget: Budget::default() }
    }

    /// Makes the connection for the first request.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn connect_ahead(&self) -> Result<(), NotReached> {
        self.connector.connect_ahead().await
    }

    /// Whether a connection can be made.
    ///
    /// # Errors
    /// Why not.
    pub async fn try_connect(&self) -> Result<(), NotReached> {
        self.connector.try_connect().await
    }

    /// Sends a request and waits for the head of its answer. What `headers` has wins over what is sent with each
    /// request. Dropping the future, or the answer, closes the connection, unless the answer has been read.
    ///
    /// # Errors
    /// See [`Failure`]; any status but a redirect is an answer.
    pub async fn send(&self, method: &Method, url: &Uri, headers: &HeaderMap, body: &Bytes) -> Result<Answer, Failure> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = method.clone();
            *request.uri_mut() = url.clone();
            request.headers_mut().insert(USER_AGENT, AGENT);
            request.headers_mut().extend(self.headers.clone());
            for (name, value) in headers {
                request.headers_mut().insert(name.clone(), value.clone());
            }
            let answer = self.client.request(request).await.map_err(|error| self.failure(&error))?;
            let (head, incoming) = answer.into_parts();
            let status = head.status;
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                let body = Body { incoming, place: self.target.place(), share: self.budget.share() };
                return Ok(Answer { status, headers: head.headers, body });
            }
            let elsewhere = Failure::Redirected { place: self.target.place(), status };
            // Others turn a POST into a GET.
            let keeps = matches!(status.as_u16(), 307 | 308) || *method == Method::GET && status.as_u16() != 300;
            let location = head.headers.get(LOCATION).and_then(|location| location.to_str().ok());
            let next = location.filter(|_| keeps).and_then(|location| self.target.resolve(&url, location));
            url = next.ok_or(elsewhere)?;
        }
        Err(self.unsuitable("one redirect after the other"))
    }

    pub fn unsuitable(&self, what: impl Into<String>) -> Failure {
        Failure::Unsuitable { place: self.target.place(), what: what.into() }
    }

    pub fn lost(&self, why: impl Into<String>) -> Failure {
        Failure::Lost { place: self.target.place(), why: why.into() }
    }

    fn failure(&self, error: &Error) -> Failure {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut last = error.to_string();
        while let Some(at) = source {
            if let Some(not_reached) = at.downcast_ref::<NotReached>() {
                return Failure::NotReached(not_reached.clone());
            }
            last = at.to_string();
            source = at.source();
        }
        self.lost(last)
    }
}

/// The head of an answer, and its body to be read.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Body,
}

/// What an answer is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Events,
    Other,
}

impl Answer {
    pub fn form(&self) -> Form {
        let encoded = self.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
        let value = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            _ if encoded => Form::Other,
            "application/json" => Form::Json,
            "text/event-stream" => Form::Events,
            _ => Form::Other,
        }
    }
}

/// A body on its way.
pub struct Body {
    incoming: Incoming,
    place: String,
    share: Share,
}

impl Body {
    /// The next piece; `None` at the end. Cancel safe.
    ///
    /// # Errors
    /// [`Failure::Lost`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            match self.incoming.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    // Trailers say nothing to us.
                    _ => {}
                },
                Some(Err(error)) => {
                    let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                    return Err(Failure::Lost { place: self.place.clone(), why });
                }
                None => return Ok(None),
            }
        }
    }

    /// Says how much of the body is kept.
    ///
    /// # Errors
    /// [`Failure::Crowded`]: it is too much.
    pub fn keeps(&mut self, bytes: usize) -> Result<(), Failure> {
        if self.share.set(bytes) { Ok(()) } else { Err(Failure::Crowded(self.place.clone())) }
    }

    pub fn too_long(&self) -> Failure {
        Failure::TooLong { place: self.place.clone(), limit: MAX_MESSAGE }
    }

    /// All of it, if that is no more than `limit` bytes.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn read(&mut self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if all.len() + chunk.len() > limit {
                return Err(self.too_long());
            }
            self.keeps(all.len() + chunk.len())?;
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }
}
