//! One endpoint for all: the tools of every app that a principal may use, each under a name that says whose it is.
//!
//! It is a server of the stateless era that has no process. A call is one of the app's own from then on, judged, bridged
//! and answered like any other; sessions are kept as on every server that knows none.

mod catalog;
mod changes;
pub mod names;

pub use catalog::Catalog;
pub use changes::{Changes, Listening};

use super::{
    Gateway,
    access::Permit,
    caller::Caller,
    classify::Fault,
    exchange::{Admitted, Exchange, Right},
    feed::Feed,
    http::Post,
    modern,
    trail::Trace,
};
use crate::{
    gateway::bridge::translate,
    instance::{fleet::Entry, mailbox::Delivery},
    protocol::{LEGACY_VERSIONS, MODERN_VERSION, Message, Object, codes, meta, text_member},
};
use axum::http::{HeaderMap, StatusCode};
use catalog::Tool;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::sync::Arc;

/// What stands for all apps where the name of one would stand; no app is called so.
pub const NAME: &str = "";

/// A page has the tools of whole apps, up to about this many bytes of them.
const PAGE: usize = 1 << 20;

/// So many servers are asked for their tools at a time.
const ASKED_AT_ONCE: usize = 16;

/// Opens a request of a principal.
///
/// # Errors
/// When there is nothing that could answer it, or it is not to be.
pub async fn open(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    headers: &HeaderMap,
    message: &Message<'_>,
) -> Result<(Feed, Exchange), Fault> {
    let id = message.id.map_or("null", |id| id.0);
    let ready = |result: &str| {
        let message = translate::result(id, result).into();
        Feed::Ready(Some(Delivery::Answer { message, error_code: None }))
    };
    let feed = match message.method.as_ref() {
        "server/discover" => ready(&discovery().to_string()),
        "tools/list" => ready(&tools(gateway, caller, message).await?),
        "tools/call" => return call(gateway, caller, headers, message).await,
        "subscriptions/listen" => {
            let wanted = Object::read(message.params.unwrap_or("{}")).get("notifications").unwrap_or("{}");
            let wants = Object::read(wanted).get("toolsListChanged") == Some("true");
            Feed::ListeningToAll(Box::new(Listening::new(id, wants.then(|| Changes::new(gateway, caller)))))
        }
        method => {
            let text = format!("{method:?} is not answered for all apps at once: ask one of them");
            return Err(Fault::new(StatusCode::NOT_FOUND, codes::METHOD_NOT_FOUND, text));
        }
    };
    let right = Right::to_all(&gateway.policy, caller, trace(gateway, headers));
    Ok((feed, Exchange::unjudged(right, id)))
}

/// What the endpoint says of itself.
pub fn discovery() -> Value {
    let versions: Vec<_> = std::iter::once(MODERN_VERSION).chain(LEGACY_VERSIONS).collect();
    json!({
        "resultType": "complete",
        "supportedVersions": versions,
        "capabilities": { "tools": { "listChanged": true } },
        "instructions": "The tools of several servers. Before the `__` of a name stands the server that a tool is of.",
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": server_info(),
    })
}

fn server_info() -> Value {
    json!({ meta::SERVER_INFO: { "name": "mcpfleet", "version": env!("CARGO_PKG_VERSION") } })
}

/// A page of the tools that a principal may call, as a raw result.
async fn tools(gateway: &Arc<Gateway>, caller: &Caller, message: &Message<'_>) -> Result<String, Fault> {
    let cursor = Object::read(message.params.unwrap_or("{}")).get("cursor").map(|raw| {
        let after = text_member(raw).and_then(|cursor| cursor.strip_prefix("after:").map(str::to_owned));
        let invalid = || Fault::new(StatusCode::OK, codes::INVALID_PARAMS, "this cursor was not given out here");
        after.ok_or_else(invalid)
    });
    let after = cursor.transpose()?;
    let mut apps = permitted(gateway, caller);
    gateway.catalog.retain(|app| gateway.fleet.get(app).is_some());
    apps.retain(|(entry, _)| after.as_deref().is_none_or(|after| *entry.name > *after));
    let asked = apps.into_iter().map(|(entry, permit)| {
        let gateway = gateway.clone();
        async move {
            let tools = gateway.catalog.tools(&entry).await;
            (entry, permit, tools)
        }
    });
    let mut pages = stream::iter(asked).buffered(ASKED_AT_ONCE);
    let (mut list, mut last, mut more) = (String::from("["), None, false);
    while let Some((entry, permit, tools)) = pages.next().await {
        if list.len() > PAGE {
            more = true;
            break;
        }
        for tool in tools.iter().filter(|tool| permit.allows_tool(&tool.name)) {
            if list.len() > 1 {
                list.push(',');
            }
            list.push_str(&listed(&entry.name, tool));
        }
        last = Some(entry.name.clone());
    }
    list.push(']');
    let next = last.filter(|_| more).map(|last| json!(format!("after:{last}")).to_string());
    let info = server_info().to_string();
    let mut set = vec![
        ("tools", list.as_str()),
        ("resultType", r#""complete""#),
        ("ttlMs", "0"),
        ("cacheScope", r#""private""#),
        ("_meta", info.as_str()),
    ];
    set.extend(next.as_deref().map(|next| ("nextCursor", next)));
    Ok(Object::default().with(&set))
}

/// The apps that there are for a principal, by name.
fn permitted(gateway: &Gateway, caller: &Caller) -> Vec<(Arc<Entry>, Arc<Permit>)> {
    let policy = gateway.policy.borrow().clone();
    let apps = gateway.fleet.reachable().into_iter();
    apps.filter_map(|entry| policy.permit(&caller.principal, &entry.name).map(|permit| (entry, permit))).collect()
}

/// A tool's description under its name among all.
fn listed(app: &str, tool: &Tool) -> String {
    let name = Value::from(names::name(app, &tool.name)).to_string();
    Object::read(&tool.description).with(&[("name", &name)])
}

/// Calls the tool of an app.
async fn call(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    headers: &HeaderMap,
    message: &Message<'_>,
) -> Result<(Feed, Exchange), Fault> {
    let written = message.params().name.and_then(text_member).unwrap_or_default();
    let unknown = || Fault::new(StatusCode::OK, codes::INVALID_PARAMS, format!("there is no tool {written:?} here"));
    let (app, tool) = find(gateway, caller, &written).await.ok_or_else(unknown)?;
    let right = Right::to_use(&gateway.policy, caller, &app, trace(gateway, headers))
        .filter(|_| gateway.fleet.get(&app).is_some());
    let right = right.ok_or_else(unknown)?;
    let name = Value::from(tool).to_string();
    let params = Object::read(message.params.unwrap_or("{}")).with(&[("name", &name)]);
    let bytes = Object::read(message.raw).with(&[("params", &params)]);
    let fault = |error: crate::protocol::FrameError| {
        Fault::new(StatusCode::BAD_REQUEST, codes::INVALID_REQUEST, error.to_string())
    };
    let message = Message::parse(bytes.as_bytes()).map_err(fault)?;
    let params = message.params();
    let Admitted::Request(exchange) = Exchange::admit(&right, &message, &params)? else { return Err(unknown()) };
    let post = Post { right: &right, app: &app, headers, message: &message, params: &params };
    Ok((modern::open(gateway, &post).await?, exchange))
}

/// What is recorded of a call is recorded of the message that it came with.
fn trace(gateway: &Gateway, headers: &HeaderMap) -> Trace {
    Trace::new(&gateway.audit, &gateway.fleet, headers).aside()
}

/// App and tool of a name; `None`: it is nobody's that the principal may use.
async fn find(gateway: &Arc<Gateway>, caller: &Caller, name: &str) -> Option<(String, String)> {
    if let Some((app, tool)) = names::split(name) {
        return Some((app.to_owned(), tool.to_owned()));
    }
    for (entry, permit) in permitted(gateway, caller) {
        if !names::may_be_of(name, &entry.name) {
            continue;
        }
        let tools = gateway.catalog.tools(&entry).await;
        let allowed = tools.iter().filter(|tool| permit.allows_tool(&tool.name));
        if let Some(tool) = allowed.into_iter().find(|tool| names::name(&entry.name, &tool.name) == name) {
            return Some((entry.name.to_string(), tool.name.clone()));
        }
    }
    None
}
