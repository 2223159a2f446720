//! The stateless era: every request stands for itself, and all clients share one process.

use super::{
    Gateway, all,
    answering::Answering,
    bridge::{self, NotOpened},
    classify::{self, Fault},
    exchange::{Admitted, unknown_app},
    feed::{Cancel, Feed, Keeper},
    http::Post,
    reply,
};
use crate::{
    instance::{
        link::{Call, Refused},
        mailbox::Mailbox,
        view::{Route, Service},
    },
    protocol::{Era, Kind, codes},
};
use axum::{http::StatusCode, response::Response};
use std::sync::Arc;

pub async fn post(gateway: &Arc<Gateway>, post: &Post<'_>, admitted: Admitted) -> Response {
    let Post { headers, message, params, .. } = post;
    let id = message.id.map(|id| id.0);
    let Admitted::Request(exchange) = admitted else {
        if message.kind == Kind::Response {
            let text = "a client of this protocol version sends no responses";
            return reply::fault(&Fault::new(StatusCode::BAD_REQUEST, codes::INVALID_REQUEST, text), id);
        }
        // A client of this era cancels by closing its stream; there is nothing else that it could notify us of.
        return reply::empty(StatusCode::ACCEPTED);
    };
    if let Err(fault) = classify::check_modern(headers, message, params) {
        return reply::fault(&fault, id);
    }
    let opened = match post.app == all::NAME {
        true => {
            let opened = all::open(gateway, post.right.caller(), headers, message).await;
            opened.map(|(feed, own)| (feed, own.in_place_of(&exchange)))
        }
        false => open(gateway, post).await.map(|feed| (feed, exchange)),
    };
    match opened {
        Ok((feed, exchange)) => {
            let answering = Answering::new(feed, exchange);
            reply::deliver(answering, Era::Modern, reply::accepts_events(headers)).await
        }
        Err(fault) => reply::fault(&fault, id),
    }
}

/// Opens a request of a stateless client at its server, of whatever era that is.
///
/// # Errors
/// When there is no server to take it, or it is not to be.
pub async fn open(gateway: &Gateway, post: &Post<'_>) -> Result<Feed, Fault> {
    // A version may be replaced between finding it and asking it; the next look finds the new one.
    let mut refused = None;
    for _ in 0..3 {
        let route = gateway.route(post.app).ok_or_else(|| unknown_app(post.app))?;
        let service = match &*route {
            Route::Ready(service) => service,
            Route::Unready { .. } => return Err(reply::unready(&route, post.app)),
        };
        let opened = match service.profile.era {
            Era::Modern => direct(service, post).map_err(NotOpened::Refused),
            Era::Legacy => bridge::open(gateway, post, service).await,
        };
        match opened {
            Ok(feed) => return Ok(feed),
            Err(NotOpened::Fault(fault)) => return Err(fault),
            Err(NotOpened::Refused(Refused::Overloaded)) => {
                return Err(Fault::unavailable(Refused::Overloaded.to_string(), 1));
            }
            Err(NotOpened::Refused(error)) => refused = Some(error.to_string()),
            Err(NotOpened::Unavailable(error)) => return Err(Fault::unavailable(error.to_string(), 1)),
        }
        tokio::task::yield_now().await;
    }
    Err(Fault::unavailable(refused.unwrap_or_default(), 1))
}

fn direct(service: &Service, post: &Post<'_>) -> Result<Feed, Refused> {
    let mailbox = Arc::new(match reply::accepts_events(post.headers) {
        true => Mailbox::for_answers(1),
        false => Mailbox::for_answers_only(1),
    });
    let link = service.primary.link.clone();
    let call = link.open(Call { message: post.message, params: post.params, owner: 0 }, &mailbox)?;
    Ok(Feed::Direct { mailbox, _keeper: Keeper::Cancel(Cancel { link, call }) })
}
