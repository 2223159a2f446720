//! The stateless era: every request stands for itself, and all clients share one process.

use super::{
    Gateway,
    classify::{self, Fault},
    http::Post,
    reply,
};
use crate::{
    instance::{
        link::{Call, CallId, Link, Refused},
        mailbox::Mailbox,
        view::{Route, Service},
    },
    protocol::{Era, Kind, LEGACY_VERSIONS, codes},
};
use axum::{http::StatusCode, response::Response};
use std::sync::Arc;

/// Cancels a request at the server when its client goes away: in this era closing the stream is the cancellation.
struct Cancel {
    link: Arc<Link>,
    call: CallId,
}

impl Drop for Cancel {
    fn drop(&mut self) {
        // Once the request has been answered this does nothing.
        self.link.cancel(self.call);
    }
}

pub async fn post(gateway: &Gateway, post: &Post<'_>) -> Response {
    let Post { app, headers, message, params, .. } = post;
    let id = message.id.map(|id| id.0);
    match message.kind {
        Kind::Request => {}
        // A client of this era cancels by closing its stream; there is nothing else that it could notify us of.
        Kind::Notification => return reply::empty(StatusCode::ACCEPTED),
        Kind::Response => {
            let text = "a client of this protocol version sends no responses";
            return reply::fault(&Fault::new(StatusCode::BAD_REQUEST, codes::INVALID_REQUEST, text), id);
        }
    }
    if let Err(fault) = classify::check_modern(headers, message, params) {
        return reply::fault(&fault, id);
    }
    // A version may be replaced between finding it and asking it; the next look finds the new one.
    let mut refused = None;
    for _ in 0..3 {
        let Some(route) = gateway.route(app) else { return reply::unknown_app(app, id) };
        let service = match &*route {
            Route::Ready(service) => service,
            Route::Unready { .. } => return reply::unready(&route, app, id),
        };
        if service.profile.era == Era::Legacy {
            let requested = params.meta_version.and_then(crate::protocol::text_member).unwrap_or_default();
            return reply::fault(&Fault::unsupported_version(&requested, &LEGACY_VERSIONS), id);
        }
        match open(service, post) {
            Ok((mailbox, cancel)) => {
                return reply::deliver(mailbox, cancel, Era::Modern, reply::accepts_events(headers)).await;
            }
            Err(error @ Refused::Overloaded) => return reply::unavailable(id, &error.to_string(), None, 1),
            Err(error) => refused = Some(error),
        }
        tokio::task::yield_now().await;
    }
    let reason = refused.map_or_else(String::new, |error| error.to_string());
    reply::unavailable(id, &reason, None, 1)
}

fn open(service: &Service, post: &Post<'_>) -> Result<(Arc<Mailbox>, Cancel), Refused> {
    let mailbox = Arc::new(match reply::accepts_events(post.headers) {
        true => Mailbox::for_answers(1),
        false => Mailbox::for_answers_only(1),
    });
    let link = service.primary.link.clone();
    let call = link.open(Call { message: post.message, params: post.params, owner: 0 }, &mailbox)?;
    Ok((mailbox, Cancel { link, call }))
}
