//! The stream of a legacy session, for what belongs to none of its requests.

use super::bridge::subscription::Subscription;
use super::{
    Gateway, KEEP_ALIVE,
    access::Permit,
    all::{self, Changes},
    exchange::{Review, Right},
    reply::{chunk, events},
    session::Session,
};
use crate::{
    instance::{
        fleet::Fleet,
        mailbox::{Delivery, Unread},
        view::Route,
    },
    protocol::notification,
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering::Relaxed},
};
use tokio::{sync::watch, time::sleep};

/// Goes on until the client opens another, the session ends, or its right to the app does.
pub fn of_session(session: Arc<Session>, right: Right, gateway: &Arc<Gateway>) -> Response {
    let fleet = &gateway.fleet;
    let subscription = match session.app == all::NAME {
        true => Some(Heard::All(Box::new(Changes::new(gateway, right.caller())))),
        false => Subscription::of(&session, fleet).map(|own| Heard::Server(Box::new(own))),
    };
    let follow = Follow { route: session.route(fleet), fleet: fleet.clone(), subscription };
    // Now, not when somebody first reads: what happens from here on belongs to this stream.
    let _ = session.link(fleet);
    let of_server = session.app != all::NAME;
    let right = Entitled { seen: right.permit().filter(|_| of_server), right };
    let reading = Reading::begin(session);
    let body = futures_util::stream::unfold(
        (reading, follow, right, true, None::<Unread>),
        |(reading, mut follow, mut right, opening, read)| async move {
            // What was handed over before has been read, or this would not be asked for.
            drop(read);
            if opening {
                return Some((
                    Ok::<_, Infallible>(Bytes::from_static(b": open\n\n")),
                    (reading, follow, right, false, None),
                ));
            }
            let mailbox = &reading.session.sink.mailbox;
            let next = loop {
                if let Some(told) = right.news()? {
                    break chunk(Delivery::Message(told), || mailbox.try_next());
                }
                tokio::select! {
                    // First of all, so that one who has been overtaken takes nothing that is the other's.
                    biased;
                    () = reading.overtaken() => return None,
                    delivery = mailbox.next() => break chunk(delivery?, || mailbox.try_next()),
                    () = right.right.reviewed() => {}
                news = follow.next() => match news {
                    News::Replaced => _ = reading.session.link(&follow.fleet),
                    News::Heard(message) => break chunk(Delivery::Message(message), || mailbox.try_next()),
                    News::Over => return None,
                },
                () = sleep(KEEP_ALIVE) => break Bytes::from_static(b": still here\n\n"),
                }
            };
            let unread = Some(Unread::new(next.len()));
            Some((Ok(next), (reading, follow, right, false, unread)))
        },
    );
    events(Body::from_stream(body))
}

/// The right to hear what there is, and how much of the server it gave when it was looked at last.
struct Entitled {
    right: Right,
    /// `None` where nobody has to be told.
    seen: Option<Arc<Permit>>,
}

impl Entitled {
    /// What the client is to be told of its rights, if anything; `None` of that: they are gone.
    fn news(&mut self) -> Option<Option<Bytes>> {
        let now = match self.right.review() {
            Review::Same => return Some(None),
            Review::Withdrawn => return None,
            Review::Holds(now) => now,
        };
        let other = self.seen.as_ref().is_some_and(|seen| *seen != now);
        if other {
            self.seen = Some(now);
        }
        Some(other.then(|| notification("notifications/tools/list_changed", &serde_json::json!({})).into()))
    }
}

/// Watches for what does not come to the session by itself.
struct Follow {
    /// Of a server that all sessions share, so that a client which only listens hears its next process, too.
    route: Option<watch::Receiver<Arc<Route>>>,
    fleet: Arc<Fleet>,
    subscription: Option<Heard>,
}

/// What is listened to for a session, where it does not hear by itself.
enum Heard {
    /// A server that knows no sessions.
    Server(Box<Subscription>),
    /// All apps together.
    All(Box<Changes>),
}

enum News {
    /// Another process has taken the place of the shared one.
    Replaced,
    Heard(Bytes),
    /// There will be no server any more.
    Over,
}

impl Follow {
    async fn next(&mut self) -> News {
        match (&mut self.subscription, &mut self.route) {
            (Some(Heard::Server(subscription)), _) => News::Heard(subscription.next().await),
            (Some(Heard::All(changes)), _) => News::Heard(changes.told().await),
            (None, Some(route)) => match route.changed().await {
                Ok(()) => News::Replaced,
                Err(_) => News::Over,
            },
            // Its process is its own, and ends with it.
            (None, None) => std::future::pending().await,
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
