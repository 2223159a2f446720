//! The era of sessions: 2024-11-05 to 2025-11-25.

use super::{
    Gateway, all,
    answering::Answering,
    bridge::{
        rounds::{Rounds, Server},
        upgrade::Upgrade,
    },
    classify::{self, Fault, PROTOCOL_VERSION, SESSION_ID},
    exchange::{Admitted, Exchange, Right},
    feed::{Feed, Keeper},
    handshake,
    http::Post,
    reply,
    session::{Awaiting, MAX_SUBSCRIPTIONS, MAX_URI, NoLink, Session},
    stream,
};
use crate::{
    instance::{
        link::{Call, Link, Refused},
        mailbox::{Delivery, Mailbox},
    },
    protocol::{Era, Kind, LEGACY_VERSIONS, Message, Params, codes, error_response, text_member},
};
use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, PoisonError},
};

pub async fn post(gateway: &Arc<Gateway>, post: &Post<'_>, admitted: Admitted) -> Response {
    if post.message.method == "initialize" && post.message.kind == Kind::Request {
        return handshake::initialize(gateway, post).await;
    }
    let id = post.message.id.map(|id| id.0);
    let session = match find(gateway, post.right, post.app, post.headers) {
        Ok(session) => session,
        Err(fault) => return reply::fault(&fault, id),
    };
    let events = reply::accepts_events(post.headers);
    if let Some(upgrade) = session.upgrade() {
        return match (upgraded(gateway, &session, upgrade, post, events).await, admitted) {
            (Ok((feed, own)), Admitted::Request(exchange)) => {
                let exchange = match own {
                    Some(own) => own.in_place_of(&exchange),
                    None => exchange,
                };
                let answering = Answering::new(feed, exchange);
                reply::deliver(answering, Era::Legacy, events).await
            }
            (Ok(_), Admitted::Other(_)) => reply::empty(StatusCode::ACCEPTED),
            (Err(unsent), _) => refusal(&unsent, post.app, id),
        };
    }
    let mailbox = Arc::new(if events { Mailbox::for_answers(1) } else { Mailbox::for_answers_only(1) });
    match (send(gateway, &session, post, &mailbox), admitted) {
        (Ok(()), Admitted::Request(exchange)) => {
            let keeper = Keeper::Session(Awaiting::begin(session, mailbox.clone()));
            reply::deliver(Answering::new(Feed::Direct { mailbox, _keeper: keeper }, exchange), Era::Legacy, events)
                .await
        }
        (Ok(()), Admitted::Other(_)) => reply::empty(StatusCode::ACCEPTED),
        (Err(unsent), _) => refusal(&unsent, post.app, id),
    }
}

/// A batch, which exists in version 2025-03-26 only. Each message is judged by itself before any is forwarded.
pub async fn batch(
    gateway: &Arc<Gateway>,
    right: &Right,
    app: &str,
    headers: &HeaderMap,
    messages: &[Message<'_>],
) -> Response {
    let invalid = |text: &str| reply::fault(&Fault::new(StatusCode::BAD_REQUEST, codes::INVALID_REQUEST, text), None);
    let session = match find(gateway, right, app, headers) {
        Ok(session) => session,
        Err(fault) => return reply::fault(&fault, None),
    };
    if session.protocol_version != "2025-03-26" {
        return invalid("batches exist in protocol version 2025-03-26 only");
    }
    if messages.is_empty() || messages.iter().any(|message| message.method == "initialize") {
        return invalid("a batch has at least one message, and no `initialize`");
    }
    // By its id an answer is found to be that to a list, of which not everybody sees all.
    let mut ids = HashSet::new();
    if messages.iter().filter(|m| m.kind == Kind::Request).any(|m| !m.id.is_some_and(|id| ids.insert(id.0))) {
        return invalid("two requests of a batch have the same id");
    }
    let params: Vec<_> = messages.iter().map(Message::params).collect();
    let admitted: Vec<_> =
        messages.iter().zip(&params).map(|(message, params)| Exchange::admit(right, message, params)).collect();
    let requests = messages.iter().filter(|message| message.kind == Kind::Request).count();
    let mailbox = Arc::new(Mailbox::for_answers(requests));
    let answer = |id: &str, fault: &Fault| {
        let error = error_response(id, fault.code, &fault.message, fault.data.clone());
        mailbox.answer(error.into(), Some(fault.code));
    };
    let (mut exchanges, mut sent) = (Vec::new(), false);
    let (mut feeds, mut forwarded) = (VecDeque::new(), 0);
    for ((message, params), admitted) in messages.iter().zip(&params).zip(admitted) {
        let id = message.id.map_or("null", |id| id.0);
        let parent = admitted.as_ref().map(|admitted| admitted.trail().as_parent()).unwrap_or_default();
        match admitted {
            Ok(Admitted::Request(exchange)) => exchanges.push(exchange),
            Ok(Admitted::Other(trail)) => trail.answered(None, None),
            Err(fault) => {
                if message.kind == Kind::Request {
                    answer(id, &fault);
                    exchanges.push(Exchange::unjudged(right.clone(), id));
                }
                continue;
            }
        }
        let post = Post { right, app, headers, message, params };
        let outcome = match session.upgrade() {
            Some(upgrade) => match parent.within(upgraded(gateway, &session, upgrade, &post, true)).await {
                Ok((feed, own)) => {
                    feeds.push_back(feed);
                    if let (Some(own), Some(last)) = (own, exchanges.last_mut()) {
                        *last = own.in_place_of(last);
                    }
                    Ok(())
                }
                Err(unsent) => Err(unsent),
            },
            None => {
                let _working = parent.enter();
                send(gateway, &session, &post, &mailbox)
            }
        };
        match outcome {
            Ok(()) => {
                sent = true;
                forwarded += usize::from(message.kind == Kind::Request);
            }
            Err(unsent) if !sent => {
                let response = refusal(&unsent, app, None);
                exchanges.iter().for_each(|exchange| _ = exchange.trail().failed(&response));
                return response;
            }
            // Those before it are under way: only this one is answered with the reason.
            Err(_) if message.kind == Kind::Request => {
                let text = "the server took the messages before this one of the batch, but not this one";
                answer(id, &Fault::new(StatusCode::SERVICE_UNAVAILABLE, codes::UNAVAILABLE, text));
            }
            Err(_) => {}
        }
    }
    let keeper = Keeper::Session(Awaiting::begin(session, mailbox.clone()));
    let mut feed = Feed::Direct { mailbox: mailbox.clone(), _keeper: keeper };
    if let Some(now) = feeds.pop_front() {
        // What has been refused is answered by the gateway; the rest comes from the server.
        (0..forwarded).for_each(|_| mailbox.expect_one_less());
        feeds.push_back(feed);
        feed = Feed::InTurn { now: Box::new(now), then: feeds };
    }
    match Answering::batch(feed, exchanges) {
        Some(answering) => reply::stream(answering, None),
        None => reply::empty(StatusCode::ACCEPTED),
    }
}

/// Sends a message of a session to a server that knows none. Where what it is about is decided on the way, with what has
/// been decided.
async fn upgraded(
    gateway: &Arc<Gateway>,
    session: &Arc<Session>,
    upgrade: &Upgrade,
    post: &Post<'_>,
    events: bool,
) -> Result<(Feed, Option<Exchange>), Unsent> {
    let Post { message, params, .. } = post;
    let nothing = Ok((Feed::Ready(None), None));
    if let Some(answer) = upgrade.take(message, params) {
        return Ok((Feed::Ready(Some(Delivery::Answer { message: answer.into(), error_code: None })), None));
    }
    let server = match post.app == all::NAME {
        true => Server::All { gateway: gateway.clone(), caller: post.right.caller().clone() },
        false => Server::Process(gateway.fleet.clone()),
    };
    match message.kind {
        Kind::Request => {
            if let Server::Process(fleet) = &server {
                // Whether there is a server at all is told as for every other session.
                session.link(fleet).map_err(Unsent::NoLink)?;
            }
            let opened = Rounds::open(session, upgrade, server, message, events).await;
            opened.map(|(rounds, own)| (Feed::Upgraded(Box::new(rounds)), own)).map_err(Unsent::Fault)
        }
        Kind::Notification if message.method == "notifications/cancelled" => {
            let Some(request) = params.request_id else { return nothing };
            upgrade.asks.cancel(request);
            if let Server::Process(fleet) = &server {
                let link = session.link(fleet).map_err(Unsent::NoLink)?;
                link.cancel_named(session.owner, request, message).map_err(Unsent::Refused)?;
            }
            nothing
        }
        // There is nothing else that a stateless server could be told.
        Kind::Notification | Kind::Response => nothing,
    }
}

/// Opens the stream for what belongs to no request.
pub fn get(gateway: &Arc<Gateway>, right: Right, app: &str, headers: &HeaderMap) -> Response {
    if !reply::accepts_events(headers) {
        return reply::empty(StatusCode::NOT_ACCEPTABLE);
    }
    let session = match find(gateway, &right, app, headers) {
        Ok(session) => session,
        Err(fault) => return reply::fault(&fault, None),
    };
    stream::of_session(session, right, gateway)
}

pub fn delete(gateway: &Arc<Gateway>, right: &Right, app: &str, headers: &HeaderMap) -> Response {
    let Some(id) = classify::header(headers, &SESSION_ID) else {
        return reply::fault(&missing_session(), None);
    };
    if gateway.sessions.remove(id, app, &right.caller().principal) {
        reply::empty(StatusCode::NO_CONTENT)
    } else {
        reply::fault(&unknown_session(), None)
    }
}

fn missing_session() -> Fault {
    let text = "a request outside of a session: open one with `initialize` and send its Mcp-Session-Id";
    Fault::new(StatusCode::BAD_REQUEST, codes::INVALID_REQUEST, text)
}

fn unknown_session() -> Fault {
    Fault::new(
        StatusCode::NOT_FOUND,
        codes::SESSION_NOT_FOUND,
        "the session is not known, or has ended: initialize again",
    )
}

fn find(gateway: &Arc<Gateway>, right: &Right, app: &str, headers: &HeaderMap) -> Result<Arc<Session>, Fault> {
    if let Some(version) = classify::header(headers, &PROTOCOL_VERSION).filter(|v| !LEGACY_VERSIONS.contains(v)) {
        return Err(Fault::unsupported_version(version, &LEGACY_VERSIONS));
    }
    let id = classify::header(headers, &SESSION_ID).ok_or_else(missing_session)?;
    let session = gateway.sessions.get(id, app, &right.caller().principal).ok_or_else(unknown_session)?;
    session.touch();
    Ok(session)
}

/// Why a message did not reach the server.
enum Unsent {
    NoLink(NoLink),
    Refused(Refused),
    Fault(Fault),
}

fn refusal(unsent: &Unsent, app: &str, id: Option<&str>) -> Response {
    match unsent {
        Unsent::NoLink(NoLink::Unready(route)) => reply::fault(&reply::unready(route, app), id),
        // In a session 404 would say that the session has ended.
        Unsent::Fault(fault) if fault.status != StatusCode::SERVICE_UNAVAILABLE => {
            reply::fault(&Fault { status: StatusCode::OK, ..fault.clone() }, id)
        }
        Unsent::Fault(fault) => reply::fault(fault, id),
        Unsent::Refused(refused @ Refused::Overloaded) => reply::fault(&Fault::unavailable(refused.to_string(), 1), id),
        // The client opens a new session, on the version that serves now.
        Unsent::NoLink(NoLink::Gone) | Unsent::Refused(Refused::Closed(_) | Refused::Draining) => {
            reply::fault(&unknown_session(), id)
        }
    }
}

/// Sends a message of a session to its server. If it is a request, its answer goes to the mailbox.
fn send(gateway: &Arc<Gateway>, session: &Session, post: &Post<'_>, mailbox: &Arc<Mailbox>) -> Result<(), Unsent> {
    let attempt = || {
        let link = session.link(&gateway.fleet).map_err(Unsent::NoLink)?;
        forward(&link, session, post, mailbox).map_err(Unsent::Refused)
    };
    match attempt() {
        // A shared server has been replaced between finding it and asking it; the next look finds the new one.
        Err(Unsent::Refused(Refused::Draining)) if session.is_shared() => attempt(),
        outcome => outcome,
    }
}

fn forward(link: &Link, session: &Session, post: &Post<'_>, mailbox: &Arc<Mailbox>) -> Result<(), Refused> {
    let Post { message, params, .. } = post;
    match message.kind {
        Kind::Request => {
            if session.is_shared()
                && let Some(answer) = track_subscription(session, link, message, params)
            {
                mailbox.answer(answer.into(), None);
                return Ok(());
            }
            link.open(Call { message, params, owner: session.owner }, mailbox).map(|_| ())
        }
        Kind::Notification if message.method == "notifications/cancelled" => {
            params.request_id.map_or(Ok(()), |request| link.cancel_named(session.owner, request, message))
        }
        // What one of many clients has to tell or to answer is nothing that a shared server can attribute.
        Kind::Notification | Kind::Response if session.is_shared() => Ok(()),
        Kind::Notification => link.notify(message),
        Kind::Response => link.respond(message),
    }
}

/// Keeps account of who has subscribed to what on a shared server. Gives the answer if the server is not to be asked:
/// it must go on sending updates to somebody else, or the client has subscribed to more than is remembered.
fn track_subscription(session: &Session, link: &Link, message: &Message<'_>, params: &Params<'_>) -> Option<Vec<u8>> {
    let uri = params.uri.and_then(text_member)?;
    let id = message.id.map_or("null", |id| id.0);
    let mut subscriptions = session.sink.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
    match message.method.as_ref() {
        "resources/subscribe" => {
            if uri.len() > MAX_URI || subscriptions.len() >= MAX_SUBSCRIPTIONS && !subscriptions.contains(uri.as_ref())
            {
                let text = "a client of a shared server can have no more, or no longer, subscriptions than this";
                return Some(error_response(id, codes::INVALID_PARAMS, text, None));
            }
            subscriptions.insert(uri.into_owned());
            None
        }
        "resources/unsubscribe" => {
            subscriptions.remove(uri.as_ref());
            drop(subscriptions);
            let wanted = link.subscribed_elsewhere(&uri, &session.sink);
            wanted.then(|| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).into_bytes())
        }
        _ => None,
    }
}
