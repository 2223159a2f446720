//! Requests that have been forwarded, and what comes back for them.

use super::{exchange::Exchange, feed::Feed};
use crate::{
    instance::mailbox::Delivery,
    protocol::{Message, RawId, codes},
};
use bytes::Bytes;

/// What answers one POST: the messages of a feed, each as the client is to have it.
#[derive(Debug)]
pub struct Answering {
    feed: Feed,
    exchange: Exchange,
    /// The other requests of a batch.
    more: Vec<Exchange>,
    /// What is still to be said to those that get no answer any more.
    last_words: Vec<Bytes>,
    over: bool,
}

impl Answering {
    pub fn new(feed: Feed, exchange: Exchange) -> Self {
        Answering { feed, exchange, more: Vec::new(), last_words: Vec::new(), over: false }
    }

    /// The answers to a batch; `None` if there is nothing to answer.
    pub fn batch(feed: Feed, mut exchanges: Vec<Exchange>) -> Option<Self> {
        let exchange = exchanges.pop()?;
        Some(Answering { feed, exchange, more: exchanges, last_words: Vec::new(), over: false })
    }

    /// The next message; `None` when there will be no more. Cancel safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            if self.over {
                let message = self.last_words.pop()?;
                return Some(Delivery::Answer { message, error_code: Some(codes::INVALID_PARAMS) });
            }
            // Not only when nothing comes: a server that always has something to say keeps nobody connected.
            if self.more.iter_mut().chain([&mut self.exchange]).any(Exchange::is_withdrawn) {
                self.over = true;
                self.exchanges().for_each(|exchange| exchange.trail().withdrawn(codes::INVALID_PARAMS));
                let unanswered = self.exchanges().filter(|exchange| !exchange.is_answered());
                self.last_words = unanswered.map(Exchange::withdrawal).collect();
                continue;
            }
            tokio::select! {
                biased;
                delivery = self.feed.next() => {
                    let Some(delivery) = delivery else {
                        // What has not been answered by now never is.
                        self.exchanges().for_each(|exchange| exchange.trail().cancelled());
                        return None;
                    };
                    return Some(self.finished(delivery));
                }
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
        if self.more.is_empty() {
            return Delivery::Answer { message: self.exchange.answered(message, error_code), error_code };
        }
        // One that was refused is answered and has no exchange.
        let id = Message::parse(&message).ok().and_then(|answer| answer.id).map(|RawId(raw)| raw.to_owned());
        let exchange = self.more.iter_mut().chain([&mut self.exchange]).find(|one| Some(&*one.id) == id.as_deref());
        let message = match exchange {
            Some(exchange) => exchange.answered(message, error_code),
            None => message,
        };
        Delivery::Answer { message, error_code }
    }

    fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.more.iter().chain([&self.exchange])
    }
}
