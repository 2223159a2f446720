//! Requests that have been forwarded, and what comes back for them.

use super::{exchange::Exchange, feed::Feed};
use crate::{
    instance::mailbox::Delivery,
    protocol::{Message, RawId, codes},
};

/// What answers one POST: the messages of a feed, each as the client is to have it.
#[derive(Debug)]
pub struct Answering {
    feed: Feed,
    exchange: Exchange,
    /// The other requests of a batch.
    more: Vec<Exchange>,
    over: bool,
}

impl Answering {
    pub fn new(feed: Feed, exchange: Exchange) -> Self {
        Answering { feed, exchange, more: Vec::new(), over: false }
    }

    /// The answers to a batch; `None` if there is nothing to answer.
    pub fn batch(feed: Feed, mut exchanges: Vec<Exchange>) -> Option<Self> {
        let exchange = exchanges.pop()?;
        Some(Answering { feed, exchange, more: exchanges, over: false })
    }

    /// The next message; `None` when there will be no more. Cancel safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        if self.over {
            return None;
        }
        loop {
            // Not only when nothing comes: a server that always has something to say keeps nobody connected.
            if self.more.iter_mut().chain([&mut self.exchange]).any(Exchange::is_withdrawn) {
                self.over = true;
                let message = self.exchange.withdrawal();
                return Some(Delivery::Answer { message, error_code: Some(codes::INVALID_PARAMS) });
            }
            tokio::select! {
                biased;
                delivery = self.feed.next() => return delivery.map(|delivery| self.finished(delivery)),
                () = self.exchange.reviewed() => {}
            }
        }
    }

    /// The next message, if there is one already.
    pub fn try_next(&mut self) -> Option<Delivery> {
        if self.over {
            return None;
        }
        let delivery = self.feed.try_next()?;
        Some(self.finished(delivery))
    }

    fn finished(&mut self, delivery: Delivery) -> Delivery {
        let Delivery::Answer { message, error_code } = delivery else { return delivery };
        let exchange = if self.more.is_empty() { &mut self.exchange } else { self.of(&message) };
        Delivery::Answer { message: exchange.answered(message, error_code), error_code }
    }

    /// The request of a batch that a message answers.
    fn of(&mut self, answer: &[u8]) -> &mut Exchange {
        let id = Message::parse(answer).ok().and_then(|answer| answer.id).map_or("null", |RawId(raw)| raw);
        self.more.iter_mut().find(|exchange| *exchange.id == *id).unwrap_or(&mut self.exchange)
    }
}
