//! Where the messages come from that answer a request.

use super::session::Awaiting;
use crate::instance::{
    link::{CallId, Link},
    mailbox::{Delivery, Mailbox},
};
use std::sync::Arc;

/// The answer to a request that has been opened, and what comes before it.
#[derive(Debug)]
pub enum Feed {
    /// As the server sends it.
    Direct { mailbox: Arc<Mailbox>, _keeper: Keeper },
}

/// What is to happen when nobody waits for an answer any more.
#[derive(Debug)]
#[expect(dead_code, reason = "each acts when it is dropped")]
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
        }
    }

    /// The next message, if there is one already.
    pub fn try_next(&mut self) -> Option<Delivery> {
        match self {
            Feed::Direct { mailbox, .. } => mailbox.try_next(),
        }
    }
}
