//! A small HTTP/1.1 client over TCP or a Unix socket, with connections that are kept for the next request.

use super::endpoint::Endpoint;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// More connections than this are closed once idle.
const IDLE_CONNECTIONS: usize = 64;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Nothing answers; the request has not been sent.
    #[error("no agent answers (tried {}); `mcpfleet run FOLDER` starts one", tried(.0))]
    Unreachable(Vec<(Endpoint, io::Error)>),
    /// The connection ended before the answer was complete. The request may have been carried out.
    #[error("the connection to the agent was lost: {0}")]
    Lost(#[source] hyper::Error),
    #[error("the agent's answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the agent did not answer within {0:?}")]
    TimedOut(Duration),
    #[error("the request cannot be written: {0}")]
    Unwritable(#[from] hyper::http::Error),
}

fn tried(attempts: &[(Endpoint, io::Error)]) -> String {
    let each: Vec<String> = attempts.iter().map(|(endpoint, error)| format!("{endpoint} ({error})")).collect();
    each.join(", ")
}

type Sender = SendRequest<Full<Bytes>>;

/// Sends requests to one agent.
#[derive(Debug)]
pub struct HttpClient {
    candidates: Vec<Endpoint>,
    /// The candidate that answered first. The others are not asked again: while an agent restarts, another one that
    /// happens to listen elsewhere must not be taken for it.
    chosen: OnceLock<Endpoint>,
    authorization: Option<HeaderValue>,
    /// Whom to trust over TLS.
    tls: Option<Arc<ClientConfig>>,
    idle: Arc<Mutex<Vec<Sender>>>,
}

impl HttpClient {
    /// A client for the agent at the first of the addresses that answers. `authorization` is sent with each request.
    pub fn new(candidates: Vec<Endpoint>, authorization: Option<HeaderValue>) -> HttpClient {
        HttpClient { candidates, chosen: OnceLock::new(), authorization, tls: None, idle: Arc::default() }
    }

    /// The same for agents that speak TLS.
    #[must_use]
    pub fn with_tls(self, tls: Option<Arc<ClientConfig>>) -> HttpClient {
        HttpClient { tls, ..self }
    }

    /// The address in use, once a request has been sent.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.chosen.get()
    }

    /// Sends a request and waits for the head of its answer. `path` starts with a slash.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, HttpError> {
        let mut sender = match self.take_idle().await {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        // A kept connection may have been closed by the agent meanwhile. What was not sent over it is sent again, over
        // a new one.
        let mut request = self.request(method, path, headers, body)?;
        for _ in 0..2 {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.response(sender, response)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(HttpError::Lost(error.into_error())),
                },
            }
            sender = self.connect().await?;
        }
        match sender.send_request(request).await {
            Ok(response) => Ok(self.response(sender, response)),
            Err(error) => Err(HttpError::Lost(error)),
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, HttpError> {
        let fallback = Endpoint::default_tcp();
        let endpoint = self.chosen.get().unwrap_or(&fallback);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", endpoint.prefix()))
            .header(HOST, endpoint.host())
            .body(Full::new(body))?;
        request.headers_mut().extend(headers);
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }

    fn response(&self, sender: Sender, response: hyper::Response<Incoming>) -> Response {
        let (head, incoming) = response.into_parts();
        let body = Body { incoming, sender: Some(sender), idle: self.idle.clone() };
        Response { status: head.status, headers: head.headers, body }
    }

    async fn take_idle(&self) -> Option<Sender> {
        loop {
            let mut sender = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if !sender.is_closed() && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn connect(&self) -> Result<Sender, HttpError> {
        let candidates = self.chosen.get().map_or(&self.candidates[..], std::slice::from_ref);
        let mut failed = Vec::new();
        for endpoint in candidates {
            let connecting = tokio::time::timeout(CONNECT_TIMEOUT, open(endpoint, self.tls.as_ref()));
            match connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(sender) => {
                    self.chosen.get_or_init(|| endpoint.clone());
                    return Ok(sender);
                }
                Err(error) => failed.push((endpoint.clone(), error)),
            }
        }
        Err(HttpError::Unreachable(failed))
    }
}

async fn open(endpoint: &Endpoint, tls: Option<&Arc<ClientConfig>>) -> io::Result<Sender> {
    match endpoint {
        Endpoint::Tcp { authority, .. } => {
            let stream = TcpStream::connect(authority).await?;
            stream.set_nodelay(true)?;
            handshake(stream).await
        }
        Endpoint::Https { authority, .. } => {
            let tls = tls.ok_or_else(|| io::Error::other("nobody is trusted over TLS"))?;
            let name = ServerName::try_from(endpoint.name().to_owned()).map_err(io::Error::other)?;
            let stream = TcpStream::connect(authority).await?;
            stream.set_nodelay(true)?;
            handshake(TlsConnector::from(tls.clone()).connect(name, stream).await?).await
        }
        Endpoint::Unix(path) => handshake(UnixStream::connect(path).await?).await,
    }
}

async fn handshake(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> io::Result<Sender> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends with the connection, which ends when its sender and the body that it carries are dropped. Errors reach the
    // request that they concern.
    tokio::spawn(connection);
    Ok(sender)
}

/// The head of an answer, and its body to be read.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Body,
}

impl Response {
    /// How long the agent wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// The media type without its parameters, in lower case.
    pub fn media_type(&self) -> Option<String> {
        let value = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next()?.trim().to_ascii_lowercase())
    }
}

/// A body on its way. Dropping it before its end closes the connection, which tells the agent.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    /// Goes back to the idle connections when the body has been read to its end.
    sender: Option<Sender>,
    idle: Arc<Mutex<Vec<Sender>>>,
}

impl Body {
    /// The next piece of the body; `None` at its end. May be dropped and called again.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        loop {
            match self.incoming.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    // Trailers say nothing to us.
                    _ => {}
                },
                Some(Err(error)) => return Err(HttpError::Lost(error)),
                None => {
                    self.keep_connection();
                    return Ok(None);
                }
            }
        }
    }

    /// The whole body, if it is no larger than `limit` bytes.
    pub async fn read(mut self, limit: usize) -> Result<Vec<u8>, HttpError> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if all.len() + chunk.len() > limit {
                return Err(HttpError::TooLarge(limit));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    fn keep_connection(&mut self) {
        if let Some(sender) = self.sender.take() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE_CONNECTIONS {
                idle.push(sender);
            }
        }
    }
}

#[cfg(test)]
mod tests;
