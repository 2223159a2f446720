//! The stream of a legacy session, for what belongs to none of its requests.

use super::{
    KEEP_ALIVE,
    exchange::Right,
    reply::{chunk, events},
    session::Session,
};
use crate::instance::{fleet::Fleet, view::Route};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering::Relaxed},
};
use tokio::{sync::watch, time::sleep};

/// Goes on until the client opens another, the session ends, or its right to the app does.
pub fn of_session(session: Arc<Session>, right: Right, fleet: &Arc<Fleet>) -> Response {
    let follow = Follow { route: session.route(fleet), fleet: fleet.clone() };
    // Now, not when somebody first reads: what happens from here on belongs to this stream.
    let _ = session.link(fleet);
    let reading = Reading::begin(session);
    let body = futures_util::stream::unfold(
        (reading, follow, right, true),
        |(reading, mut follow, mut right, opening)| async move {
            if opening {
                return Some((Ok::<_, Infallible>(Bytes::from_static(b": open\n\n")), (reading, follow, right, false)));
            }
            let mailbox = &reading.session.sink.mailbox;
            let next = loop {
                tokio::select! {
                    // First of all, so that one who has been overtaken takes nothing that is the other's.
                    biased;
                    () = reading.overtaken() => return None,
                    delivery = mailbox.next() => break chunk(delivery?, || mailbox.try_next()),
                    () = right.withdrawn() => return None,
                    replaced = follow.replaced() => if replaced {
                        let _ = reading.session.link(&follow.fleet);
                    } else {
                        return None;
                    },
                    () = sleep(KEEP_ALIVE) => break Bytes::from_static(b": still here\n\n"),
                }
            };
            Some((Ok(next), (reading, follow, right, false)))
        },
    );
    events(Body::from_stream(body))
}

/// Watches for the next process of a shared server, so that a client which only listens hears it too.
struct Follow {
    /// `None`: the session has a process of its own, and ends with it.
    route: Option<watch::Receiver<Arc<Route>>>,
    fleet: Arc<Fleet>,
}

impl Follow {
    /// Waits until the way to the server has changed; `false`: there will be none any more.
    async fn replaced(&mut self) -> bool {
        match &mut self.route {
            Some(route) => route.changed().await.is_ok(),
            None => std::future::pending().await,
        }
    }
}

/// Marks a session's stream as read for as long as it is.
struct Reading {
    session: Arc<Session>,
    number: u64,
}

impl Reading {
    /// Takes the stream over from an earlier reader.
    fn begin(session: Arc<Session>) -> Self {
        let mut number = 0;
        session.streams.send_modify(|n| {
            *n += 1;
            number = *n;
        });
        session.sink.attached.store(true, Relaxed);
        Reading { session, number }
    }

    /// Waits until a later reader has taken over.
    async fn overtaken(&self) {
        let mut streams = self.session.streams.subscribe();
        // An error means that the session is gone, and its mailbox with it.
        let _ = streams.wait_for(|n| *n != self.number).await;
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if *self.session.streams.borrow() == self.number {
            self.session.sink.attached.store(false, Relaxed);
        }
    }
}
