//! A collector that remembers the spans that it is sent.

use crate::support::eventually;
use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
};
use prost::Message;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::net::TcpListener;

/// A span, as text.
#[derive(Clone, Debug, Default)]
pub struct Span {
    pub trace: String,
    pub id: String,
    /// Empty: it has none.
    pub parent: String,
    pub name: String,
    /// 1 internal, 2 server, 3 client.
    pub kind: i32,
    pub attributes: BTreeMap<String, String>,
    /// Ids of the spans that it has to do with.
    pub links: Vec<String>,
    pub failed: bool,
    pub resource: BTreeMap<String, String>,
}

impl Span {
    pub fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }

    /// As the server below it is told of it.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace, self.id)
    }
}

pub const SERVER: i32 = 2;
pub const CLIENT: i32 = 3;

/// What it does with what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Takes,
    Answers(u16),
    /// Takes the connection and says nothing.
    Hangs,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    spans: Vec<Span>,
    requests: usize,
    headers: Vec<HeaderMap>,
}

#[derive(Clone, Debug)]
pub struct Collector {
    state: Arc<Mutex<State>>,
    pub url: String,
}

impl Collector {
    pub async fn start() -> Collector {
        Collector::with(Mood::Takes).await
    }

    pub async fn with(mood: Mood) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Collector::new(mood, url);
        let router = collector.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        collector
    }

    pub fn new(mood: Mood, url: String) -> Collector {
        let state = State { mood, spans: Vec::new(), requests: 0, headers: Vec::new() };
        Collector { state: Arc::new(Mutex::new(state)), url }
    }

    pub fn router(&self) -> Router {
        let state = self.state.clone();
        Router::new().route("/v1/traces", post(async move |headers, body| take(&state, headers, body).await))
    }

    /// The setting that sends an agent here.
    pub fn setting(&self) -> String {
        format!("telemetry.otlp.endpoint={}", self.url)
    }

    pub fn set(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    pub fn requests(&self) -> usize {
        self.lock().requests
    }

    pub fn spans(&self) -> Vec<Span> {
        self.lock().spans.clone()
    }

    /// The value of a header of each request so far.
    pub fn header(&self, name: &str) -> Vec<String> {
        let value = |headers: &HeaderMap| headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        self.lock().headers.iter().map(value).collect()
    }

    /// The first span of which this is true, once there is one.
    pub async fn span(&self, what: &str, matches: impl Fn(&Span) -> bool) -> Span {
        eventually(what, async || self.spans().into_iter().find(|span| matches(span))).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

async fn take(state: &Mutex<State>, headers: HeaderMap, body: Bytes) -> axum::response::Response {
    let mood = {
        let mut state = state.lock().unwrap();
        state.requests += 1;
        state.headers.push(headers);
        state.mood
    };
    match mood {
        Mood::Takes => {
            let request = ExportTraceServiceRequest::decode(body).expect("spans, as OTLP has them");
            state.lock().unwrap().spans.extend(read(request));
            // An empty message is the answer of a collector that has taken all.
            StatusCode::OK.into_response()
        }
        Mood::Answers(status) => {
            (StatusCode::from_u16(status).unwrap(), "\x1b[31mgarbage\0\n".repeat(100)).into_response()
        }
        Mood::Hangs => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            StatusCode::OK.into_response()
        }
    }
}

fn read(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for of_resource in request.resource_spans {
        let resource = attributes(of_resource.resource.unwrap_or_default().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Span {
                trace: hexadecimal(&span.trace_id),
                id: hexadecimal(&span.span_id),
                parent: hexadecimal(&span.parent_span_id),
                name: span.name,
                kind: span.kind,
                attributes: attributes(span.attributes),
                links: span.links.iter().map(|link| hexadecimal(&link.span_id)).collect(),
                failed: span.status.unwrap_or_default().code == 2,
                resource: resource.clone(),
            });
        }
    }
    spans
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |pair: KeyValue| match pair.value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => (pair.key, text),
        Some(Value::IntValue(number)) => (pair.key, number.to_string()),
        other => (pair.key, format!("{other:?}")),
    };
    pairs.into_iter().map(text).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
