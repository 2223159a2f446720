//! The span of a message of a client's, from its arrival to its answer.

use super::classify::{PROTOCOL_VERSION, header};
use crate::{
    instance::link::{has_tool_failed, of_message},
    protocol::{
        Kind, Message, Params, RawId, text_member,
        trace_context::{Carried, MAX_STATE},
    },
    telemetry::span::{self, KeyValue, Parent, Span, SpanKind, text},
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What an HTTP request says that is the same for all messages in it. Nothing where nobody collects spans.
#[derive(Clone, Debug, Default)]
pub struct Ambient {
    /// The span of the HTTP request itself, which is not the parent of a message that names another.
    parent: Option<Parent>,
    version: Option<Box<str>>,
}

impl Ambient {
    pub fn of(headers: &HeaderMap) -> Ambient {
        if !span::is_on() {
            return Ambient::default();
        }
        let state = header(headers, &TRACESTATE).filter(|state| state.len() <= MAX_STATE);
        let parent = header(headers, &TRACEPARENT).and_then(|parent| Parent::remote(parent, state));
        Ambient { parent, version: header(headers, &PROTOCOL_VERSION).map(|version| text(version).into()) }
    }
}

/// The span of a message; others hold it while they work for the message.
#[derive(Debug, Default)]
pub struct Served {
    span: Span,
    calls_tool: bool,
    /// How it came to its end is known.
    over: AtomicBool,
}

impl Served {
    /// Begins the span of a message to an app, in a session or without. `None`: nobody would see it.
    pub fn begin(
        ambient: &Ambient,
        session: Option<&str>,
        app: &str,
        message: &Message<'_>,
        params: &Params<'_>,
    ) -> Option<Served> {
        if !span::is_on() || message.kind == Kind::Response {
            return None;
        }
        let carried = Carried::read(params.meta);
        let own = carried.traceparent.as_deref().and_then(|own| Parent::remote(own, carried.tracestate.as_deref()));
        // Where a message says nothing that can be understood, the HTTP request may.
        let (parent, linked) = match own {
            Some(own) => (own, ambient.parent.as_ref().and_then(Parent::link)),
            None => (ambient.parent.clone().unwrap_or_default(), None),
        };
        let span = Span::start(SpanKind::Server, &parent, || {
            let mut described = of_message(message, params);
            let version = params.meta_version.or(params.protocol_version).and_then(text_member).map(|v| text(&v));
            let version = version.or_else(|| ambient.version.as_deref().map(str::to_owned));
            let id = message.id.map(|RawId(raw)| text_member(raw).map_or_else(|| text(raw), |id| text(&id)));
            let known = [
                ("jsonrpc.request.id", id),
                ("mcp.protocol.version", version),
                ("mcp.session.id", session.map(str::to_owned)),
                // Of the endpoint for all, which is none.
                ("mcpfleet.app.name", Some(text(app)).filter(|app| !app.is_empty())),
            ];
            let known = known.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value?)));
            described.attributes.extend(known);
            described.attributes.push(KeyValue::new("network.transport", "tcp"));
            described.attributes.push(KeyValue::new("network.protocol.name", "http"));
            described.links.extend(linked);
            described
        });
        Some(Served { span, calls_tool: message.method == "tools/call", over: AtomicBool::new(false) })
    }

    /// As the parent of what is done for the message.
    pub fn as_parent(&self) -> Parent {
        self.span.as_parent()
    }

    /// It is about this app, which is known only now.
    pub fn is_of(&self, app: &str) {
        self.span.set(KeyValue::new("mcpfleet.app.name", text(app)));
    }

    /// It has been answered, with this message if it is at hand.
    pub fn answered(&self, answer: Option<&[u8]>, error_code: Option<i64>) {
        if let Some(code) = error_code {
            return self.failed(code);
        }
        if self.calls_tool && self.span.is_recording() && answer.is_some_and(has_tool_failed) {
            self.span.failed("tool_error");
        }
        self.end();
    }

    /// It has come to nothing, with this error.
    pub fn failed(&self, code: i64) {
        self.span.set(KeyValue::new("rpc.response.status_code", code.to_string()));
        self.span.failed(code.to_string());
        self.end();
    }

    /// Nobody waits for an answer any more.
    pub fn cancelled(&self) {
        if !self.over.load(Relaxed) {
            self.span.failed("cancelled");
            self.end();
        }
    }

    /// What the HTTP response says.
    pub fn responded(&self, status: StatusCode) {
        self.span.set(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    }

    fn end(&self) {
        self.over.store(true, Relaxed);
        self.span.end();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.cancelled();
    }
}
