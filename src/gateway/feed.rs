//! Where the messages come from that answer a request.

use super::{
    all,
    bridge::{Call, Listening, rounds::Rounds},
    session::Awaiting,
};
use crate::instance::{
    link::{CallId, Link},
    mailbox::{Delivery, Mailbox},
};
use std::{collections::VecDeque, sync::Arc};

/// The answer to a request that has been opened, and what comes before it.
#[derive(Debug)]
pub enum Feed {
    /// As the server sends it.
    Direct { mailbox: Arc<Mailbox>, _keeper: Keeper },
    /// The answer is there already.
    Ready(Option<Delivery>),
    /// Of a server of sessions, for a stateless client.
    Bridged(Box<Call>),
    /// What such a server tells, for a stateless client that listens.
    Listening(Box<Listening>),
    /// What all apps together have to tell a stateless client that listens.
    ListeningToAll(Box<all::Listening>),
    /// Of a stateless server, for the client of a session.
    Upgraded(Box<Rounds>),
    /// Requests of a batch, one after the other.
    InTurn { now: Box<Feed>, then: VecDeque<Feed> },
}

/// What is to happen when nobody waits for an answer any more.
#[derive(Debug)]
pub enum Keeper {
    /// In the stateless era closing the stream is the cancellation.
    Cancel(Cancel),
    /// In a session the request runs on.
    Session(Awaiting),
}

/// Cancels a request at the server, unless it has been answered.
#[derive(Debug)]
pub struct Cancel {
    pub link: Arc<Link>,
    pub call: CallId,
}

impl Drop for Cancel {
    fn drop(&mut self) {
        self.link.cancel(self.call);
    }
}

impl Feed {
    /// The next message; `None` when no more will come. Cancel safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        match self {
            Feed::Direct { mailbox, .. } => mailbox.next().await,
            Feed::Ready(answer) => answer.take(),
            Feed::Bridged(call) => call.next().await,
            Feed::Listening(listening) => listening.next().await,
            Feed::ListeningToAll(listening) => listening.next().await,
            Feed::Upgraded(rounds) => Box::pin(rounds.next()).await,
            Feed::InTurn { now, then } => loop {
                if let Some(delivery) = Box::pin(now.next()).await {
                    return Some(delivery);
                }
                **now = then.pop_front()?;
            },
        }
    }

    /// The next message, if there is one already.
    pub fn try_next(&mut self) -> Option<Delivery> {
        match self {
            Feed::Direct { mailbox, .. } => mailbox.try_next(),
            Feed::Ready(answer) => answer.take(),
            Feed::Bridged(call) => call.try_next(),
            Feed::Listening(listening) => listening.try_next(),
            Feed::ListeningToAll(_) => None,
            Feed::Upgraded(rounds) => rounds.try_next(),
            Feed::InTurn { now, .. } => now.try_next(),
        }
    }
}
