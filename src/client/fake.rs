//! An agent that answers as a test wants it.

use super::{api::AgentClient, endpoint::Endpoint, http::HttpClient};
use axum::{Router, body::Body, extract::Request, http::HeaderMap, response::Response};
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::Value;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::JoinHandle;

/// Nothing in these tests takes this long unless it hangs.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The JSON-RPC method, empty if there is none.
    pub fn rpc(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["method"].as_str().unwrap_or_default().to_owned()
    }
}

type Handler = Arc<dyn Fn(Seen) -> BoxFuture<'static, Response> + Send + Sync>;

/// Listens until it is dropped.
pub struct FakeAgent {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: JoinHandle<()>,
}

impl Drop for FakeAgent {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakeAgent {
    pub async fn start<F: Future<Output = Response> + Send + 'static>(
        handler: impl Fn(Seen) -> F + Send + Sync + 'static,
    ) -> FakeAgent {
        FakeAgent::start_at("127.0.0.1:0".parse().unwrap(), handler).await
    }

    pub async fn start_at<F: Future<Output = Response> + Send + 'static>(
        address: SocketAddr,
        handler: impl Fn(Seen) -> F + Send + Sync + 'static,
    ) -> FakeAgent {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let handler: Handler = Arc::new(move |seen| handler(seen).boxed());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let app = Router::new().fallback(move |request: Request| {
            let (handler, log) = (handler.clone(), log.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                let seen = Seen {
                    method: head.method.to_string(),
                    path: head.uri.path().to_owned(),
                    headers: head.headers,
                    body: String::from_utf8(body.to_vec()).unwrap(),
                };
                log.lock().unwrap().push(seen.clone());
                handler(seen).await
            }
        });
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        FakeAgent { address, seen, server }
    }

    /// A client for this agent.
    pub fn client(&self) -> AgentClient {
        let endpoint = Endpoint::Tcp { authority: self.address.to_string(), prefix: String::new() };
        AgentClient::new(HttpClient::new(vec![endpoint], None))
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until a request has arrived that the test looks for.
    pub async fn wait_for(&self, what: impl Fn(&Seen) -> bool) -> Seen {
        let looking = async {
            loop {
                if let Some(seen) = self.seen().into_iter().find(&what) {
                    return seen;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LIMIT, looking).await.expect("the request arrives")
    }
}

pub fn json(body: impl Into<String>) -> Response {
    Response::builder().header("content-type", "application/json").body(Body::from(body.into())).unwrap()
}

pub fn status(status: u16, body: &str) -> Response {
    let mut response = json(body);
    *response.status_mut() = status.try_into().unwrap();
    response
}

/// A stream of events, given as it stands on the wire; it ends with the pieces.
pub fn events(pieces: impl futures_util::Stream<Item = String> + Send + 'static) -> Response {
    let pieces = futures_util::StreamExt::map(pieces, Ok::<_, std::io::Error>);
    Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(pieces)).unwrap()
}
