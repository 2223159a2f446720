//! `/v1/watch`: the status and what happens, as it changes, for pages that show it.

use super::{
    Api,
    sight::Sight,
    streams::{events_missed, until},
};
use crate::{
    gateway::{Caller, limits::Who, problem},
    status::{
        asked::Wanted,
        model::event::Event,
        watching::{Full, Picture, Place, event, json},
        web::gzip::{self, Pieces},
    },
};
use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use serde::Deserialize;
use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::sleep,
};

/// A stream that has been silent for so long gets a comment, which keeps proxies from closing it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// After so many milliseconds a browser tries again that has lost the stream.
const RETRY: &[u8] = b"retry: 2000\n\n";

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WatchQuery {
    /// How many of the last events are told first.
    #[serde(default)]
    #[param(default = 0, required = false)]
    tail: usize,
}

/// The status and what happens, as a stream of server-sent events.
///
/// `status` is all of it, as `/v1/status` has it, first and whenever it has to be told anew. `change` has the agent and its sources as
/// they are, the apps that are another than before, and in `gone` those that are not there any more, as `NAME/SOURCE/PATH`; at most two
/// a second. `event` is one of `/v1/events`. A comment every 15 seconds keeps the stream open. It ends when whoever asked may not see
/// it any more.
#[utoipa::path(get, path = "/v1/watch", tag = "status", params(WatchQuery),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(super) async fn watch(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Wanted(WatchQuery { tail }): Wanted<WatchQuery>,
    asked: HeaderMap,
) -> Response {
    let place = match api.watching.places.take(Who::of(&caller)) {
        Ok(place) => place,
        Err(full) => return no_place(full),
    };
    let mut sight = Sight::of(&api, caller.clone());
    let (kept, events) = api.store.gateway.fleet.journal().follow(None, if tail == 0 { 0 } else { usize::MAX });
    let mut pictures = api.watching.enter(&api.store, &caller.principal).await;
    let picture = pictures.borrow_and_update().clone();
    let mut opening = BytesMut::from(RETRY);
    opening.extend_from_slice(&picture.whole());
    let seen: Vec<_> = kept.into_iter().filter(|event| sight.reads(event.app.as_deref())).collect();
    for event in seen.iter().skip(seen.len().saturating_sub(tail)) {
        opening.extend_from_slice(&told(event));
    }
    let mut known = sight.clone();
    let over = until(caller, async move { known.lost(|sight| sight.is_known()).await });
    let watcher = Watcher { pictures, picture, events, sight, over, _place: place };
    let opening = opening.freeze();
    let packed = match gzip::accepts(&asked) {
        true => Pieces::begin().add_first(opening.clone()).await,
        false => None,
    };
    let is_packed = packed.is_some();
    let body = match packed {
        Some((pieces, small)) => Body::from_stream(pieces_of(small, watcher, Some(pieces))),
        None => Body::from_stream(pieces_of(opening, watcher, None)),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// What is told, piece by piece and to its end; compressed where there is something that does it.
fn pieces_of(
    opening: Bytes,
    watcher: Watcher,
    packing: Option<Pieces>,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let state = Some((Some(opening), watcher, packing));
    futures_util::stream::unfold(state, |state| async move {
        let (opening, mut watcher, mut packing) = state?;
        let (piece, goes_on) = match opening {
            Some(opening) => (opening, true),
            None => match (watcher.next().await, packing.as_mut()) {
                (Some(piece), None) => (piece, true),
                (Some(piece), Some(pieces)) => (pieces.add(&piece)?, true),
                (None, _) => (packing.take()?.end()?, false),
            },
        };
        Some((Ok(piece), goes_on.then_some((None, watcher, packing))))
    })
}

/// One who watches, and what it has been told last.
struct Watcher {
    pictures: watch::Receiver<Arc<Picture>>,
    picture: Arc<Picture>,
    events: broadcast::Receiver<Arc<Event>>,
    sight: Sight,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: Place,
}

impl Watcher {
    /// What is to be told next; `None`: nothing any more. One who is slow to read is told of less, and never of too little: what it
    /// has not read is put together with what comes later.
    async fn next(&mut self) -> Option<Bytes> {
        // Counted from what was told last: what this watcher may not see keeps no stream open.
        let quiet = sleep(KEEP_ALIVE);
        tokio::pin!(quiet);
        loop {
            let piece = tokio::select! {
                biased;
                () = &mut self.over => return None,
                changed = self.pictures.changed() => {
                    changed.ok()?;
                    let picture = self.pictures.borrow_and_update().clone();
                    let change = picture.since(&self.picture);
                    self.picture = picture;
                    change
                }
                received = self.events.recv() => match received {
                    Ok(event) => self.sight.reads(event.app.as_deref()).then(|| told(&event)),
                    Err(RecvError::Lagged(count)) => Some(told(&events_missed(count))),
                    Err(RecvError::Closed) => return None,
                },
                () = &mut quiet => Some(Bytes::from_static(b": still here\n\n")),
            };
            if piece.is_some() {
                return piece;
            }
        }
    }
}

fn told(told: &Event) -> Bytes {
    event("event", &json(told))
}

fn no_place(full: Full) -> Response {
    let status = if full == Full::One { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = problem(status, "too-many-watchers", &full.to_string());
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
    response
}
