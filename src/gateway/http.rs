//! Requests in, by path and method.

use super::{
    Gateway,
    admission::admit,
    all,
    bodies::{Arrived, NoBody},
    caller::Caller,
    classify::{self, Fault, PROTOCOL_VERSION, SESSION_ID},
    exchange::{Exchange, Right, unknown_app},
    legacy, modern, reply,
    trail::Trace,
};
use crate::{
    protocol::{Era, FrameError, Message, Params, check_unambiguous, codes, is_legacy_version},
    status::model::{
        audit::Outcome,
        problem::{Problem, Reason},
    },
};
use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware,
    response::Response,
    routing::{any, get},
};
use serde_json::value::RawValue;
use std::{sync::Arc, time::Duration};

/// A client that takes longer to send its request is not served.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest id or progress token of a client's, in bytes: both are kept for as long as the request is open.
const MAX_ID: usize = 1024;

/// A message that was posted to an app.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    pub right: &'a Right,
    pub app: &'a str,
    pub headers: &'a HeaderMap,
    pub message: &'a Message<'a>,
    pub params: &'a Params<'a>,
}

/// The gateway's routes, with `api` beside them, behind the guard.
pub fn router(gateway: Arc<Gateway>, api: Router) -> Router {
    Router::new()
        .route("/mcp", any(endpoint_of_all))
        .route("/mcp/{app}", any(endpoint))
        .with_state(gateway.clone())
        .merge(health(gateway.clone()))
        .merge(api)
        .fallback(async || problem(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path"))
        .layer(middleware::from_fn_with_state(gateway, admit))
}

/// Whether the agent lives, and whether clients may be sent to it.
pub fn health(gateway: Arc<Gateway>) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).with_state(gateway)
}

/// An error outside of MCP.
pub fn problem(status: StatusCode, code: &str, message: &str) -> Response {
    let problem = Problem { error: Reason { code: code.into(), message: message.into() } };
    // Two texts are always JSON.
    reply::json(status, serde_json::to_string(&problem).unwrap_or_default())
}

async fn ready(State(gateway): State<Arc<Gateway>>) -> Response {
    if gateway.fleet.is_ready() {
        reply::json(StatusCode::OK, "{\"ready\":true}\n")
    } else {
        problem(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "the fleet is being started, or stopped")
    }
}

async fn endpoint(
    State(gateway): State<Arc<Gateway>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    request: Request,
) -> Response {
    let trace = Trace::new(&gateway.audit, &gateway.fleet, request.headers());
    let right = Right::to_use(&gateway.policy, &caller, &app, trace.clone());
    match right.filter(|_| gateway.fleet.get(&app).is_some()) {
        Some(right) => serve(&gateway, right, &app, request).await,
        None => {
            let fault = unknown_app(&app);
            gateway.turned_away.add("unknown-app");
            trace.refused(&caller, &app, Outcome::Denied, &fault);
            reply::fault(&fault, None)
        }
    }
}

async fn endpoint_of_all(
    State(gateway): State<Arc<Gateway>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let trace = Trace::new(&gateway.audit, &gateway.fleet, request.headers());
    let right = Right::to_all(&gateway.policy, &caller, trace);
    serve(&gateway, right, all::NAME, request).await
}

async fn serve(gateway: &Arc<Gateway>, right: Right, app: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    match parts.method {
        Method::POST => match read(gateway, body, headers).await {
            Ok(arrived) => posted(gateway, &right, app, headers, &arrived.bytes).await,
            Err(fault) => refused(gateway, &right, &fault, None),
        },
        // Neither exists in the modern era, which knows no sessions.
        Method::GET | Method::DELETE if !is_modern(headers) && headers.contains_key(SESSION_ID) => {
            if parts.method == Method::GET {
                legacy::get(gateway, right, app, headers)
            } else {
                legacy::delete(gateway, &right, app, headers)
            }
        }
        _ => {
            let text = "POST a message to this URL; GET and DELETE belong to a session (Mcp-Session-Id)";
            let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", text);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
            response
        }
    }
}

fn is_modern(headers: &HeaderMap) -> bool {
    classify::header(headers, &PROTOCOL_VERSION).is_some_and(|version| !is_legacy_version(version))
}

async fn read(gateway: &Gateway, body: Body, headers: &HeaderMap) -> Result<Arrived, Fault> {
    let json = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !json.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("application/json")) {
        let text = "the body must be declared as application/json";
        return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, codes::INVALID_REQUEST, text));
    }
    match tokio::time::timeout(BODY_TIMEOUT, gateway.bodies.read(body, gateway.limits.body)).await {
        Ok(Ok(arrived)) => Ok(arrived),
        Ok(Err(error @ NoBody::TooLarge(_))) => {
            Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, codes::INVALID_REQUEST, error.to_string()))
        }
        Ok(Err(error @ NoBody::NoRoom)) => Err(Fault::unavailable(error.to_string(), 5)),
        Ok(Err(error @ NoBody::Broken(_))) => {
            Err(Fault::new(StatusCode::BAD_REQUEST, codes::INVALID_REQUEST, error.to_string()))
        }
        Err(_) => {
            let text = "the body did not arrive in time";
            Err(Fault::new(StatusCode::REQUEST_TIMEOUT, codes::INVALID_REQUEST, text))
        }
    }
}

async fn posted(gateway: &Arc<Gateway>, right: &Right, app: &str, headers: &HeaderMap, bytes: &[u8]) -> Response {
    if bytes.trim_ascii_start().starts_with(b"[") {
        return match split(bytes) {
            Ok(messages) => {
                gateway.limiter.charge(right.caller(), messages.len().saturating_sub(1));
                legacy::batch(gateway, right, app, headers, &messages).await
            }
            Err(error) => refused(gateway, right, &frame_fault(&error), None),
        };
    }
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(error) => return refused(gateway, right, &frame_fault(&error), None),
    };
    let params = message.params();
    if let Err(error) = check(&message, &params) {
        return refused(gateway, right, &frame_fault(&error), message.id.map(|id| id.0));
    }
    let admitted = match Exchange::admit(right, &message, &params) {
        Ok(admitted) => admitted,
        Err(fault) => return reply::fault(&fault, message.id.map(|id| id.0)),
    };
    let post = Post { right, app, headers, message: &message, params: &params };
    let trail = admitted.trail().clone();
    let parent = trail.as_parent();
    let response = match classify::era_of(headers, &message, &params) {
        Era::Modern => parent.within(modern::post(gateway, &post, admitted)).await,
        Era::Legacy => parent.within(legacy::post(gateway, &post, admitted)).await,
    };
    trail.responded(&message, &response);
    response
}

/// The answer to what is no message, or none that can be taken.
fn refused(gateway: &Gateway, right: &Right, fault: &Fault, id: Option<&str>) -> Response {
    gateway.turned_away.add("invalid-message");
    right.refused(fault);
    reply::fault(fault, id)
}

/// Refuses what could be understood in two ways, and what would have to be remembered at too great a length.
fn check(message: &Message<'_>, params: &Params<'_>) -> Result<(), FrameError> {
    check_unambiguous(message, params)?;
    let remembered = [message.id.map(|id| id.0), params.meta_progress_token];
    if remembered.into_iter().flatten().any(|raw| raw.len() > MAX_ID) {
        return Err(FrameError::Invalid(format!("an id or progress token has more than {MAX_ID} bytes")));
    }
    Ok(())
}

/// The most messages of a batch.
const MAX_BATCH: usize = 100;

/// The messages of a batch, each checked.
fn split(bytes: &[u8]) -> Result<Vec<Message<'_>>, FrameError> {
    let raw: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(|e| FrameError::Json(e.to_string()))?;
    if raw.len() > MAX_BATCH {
        return Err(FrameError::Invalid(format!("a batch has at most {MAX_BATCH} messages")));
    }
    raw.into_iter()
        .map(|raw| {
            let message = Message::parse(raw.get().as_bytes())?;
            check(&message, &message.params())?;
            Ok(message)
        })
        .collect()
}

fn frame_fault(error: &FrameError) -> Fault {
    let code = match error {
        FrameError::Json(_) => codes::PARSE_ERROR,
        FrameError::Invalid(_) => codes::INVALID_REQUEST,
    };
    Fault::new(StatusCode::BAD_REQUEST, code, error.to_string())
}
