//! A server that takes messages, and answers as it is told to.

use crate::support::eventually;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, StatusCode, Uri},
};
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Got {
    pub method: Method,
    /// With what follows a `?`.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
    pub raw: String,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A text of the body.
    pub fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16, &'static [(&'static str, &'static str)], String),
    /// Never.
    Hang,
}

pub fn status(status: u16) -> Reply {
    Reply::Status(status, &[], String::new())
}

#[derive(Default)]
struct Shared {
    got: Vec<Got>,
    /// What the next requests are answered with; then it is 201.
    script: VecDeque<Reply>,
    /// What all others are answered with.
    always: Option<Reply>,
}

#[derive(Clone)]
pub struct Server {
    shared: Arc<Mutex<Shared>>,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Server {
    pub async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = Server { shared: Arc::default(), url };
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    /// Answers the next requests with these.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.locked().script.extend(replies);
    }

    /// Answers like this from now on, but for the script; without one with 201.
    pub fn always(&self, reply: Option<Reply>) {
        self.locked().always = reply;
    }

    /// What has come so far.
    pub fn got(&self) -> Vec<Got> {
        self.locked().got.clone()
    }

    /// Waits until requests are there that satisfy somebody, and gives what is made of them.
    pub async fn until<T>(&self, what: &str, look: impl Fn(&[Got]) -> Option<T>) -> T {
        eventually(what, async || look(&self.got())).await
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    State(server): State<Server>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let raw = String::from_utf8_lossy(&body).into_owned();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let reply = {
        let mut shared = server.locked();
        shared.got.push(Got { method, path, headers, body, raw });
        shared.script.pop_front().or_else(|| shared.always.clone())
    };
    let mut response = Response::builder().status(StatusCode::CREATED);
    let mut text = "{}".to_owned();
    match reply {
        None => {}
        Some(Reply::Hang) => std::future::pending().await,
        Some(Reply::Status(status, headers, body)) => {
            response = response.status(status);
            text = body;
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
        }
    }
    response.body(Body::from(text)).expect("an answer")
}
