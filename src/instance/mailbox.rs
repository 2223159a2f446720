//! Where messages wait for the client that they are for.

use crate::protocol::{Message, RawId, codes, error_response};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Poll, Waker},
};

/// The most that waits in one mailbox. A client that reads more slowly than its server writes loses notifications
/// beyond this, never its answers, and holds up nobody.
const MAX_BYTES: usize = 8 << 20;
const MAX_MESSAGES: usize = 4096;

/// The most that waits for all clients together, about. Beyond it, nobody gets more than [`FEW_BYTES`] to wait: whoever
/// has not read what is there already cannot be helped.
const MAX_WAITING: usize = 256 << 20;
const FEW_BYTES: usize = 256 << 10;

/// What waits for all clients, in mailboxes and on its way out.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Bytes that have left a mailbox and wait for their client to read them. Dropped when they do not any more.
#[derive(Debug)]
pub struct Unread(usize);

impl Unread {
    pub fn new(bytes: usize) -> Self {
        WAITING.fetch_add(bytes, Relaxed);
        Unread(bytes)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        WAITING.fetch_sub(self.0, Relaxed);
    }
}

/// Whether so much waits for all clients together that a mailbox with these bytes in it takes no more.
fn is_too_much(bytes: usize) -> bool {
    bytes > FEW_BYTES && WAITING.load(Relaxed) + bytes > MAX_WAITING
}

/// What reaches a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A notification, or a request of the server's: one JSON text without a line break.
    Message(Bytes),
    /// The answer to a request.
    Answer { message: Bytes, error_code: Option<i64> },
}

/// A bounded queue with one reader that waits. Another may take over.
#[derive(Debug, Default)]
pub struct Mailbox {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<Delivery>,
    bytes: usize,
    dropped: u64,
    /// Answers that are still to come; when the last one has been taken, the mailbox ends by itself.
    expected: Option<usize>,
    /// Whether its reader has no use for anything but answers.
    answers_only: bool,
    closed: bool,
    reader: Option<Waker>,
}

impl Mailbox {
    /// A mailbox that ends after `answers` answers.
    pub fn for_answers(answers: usize) -> Self {
        Mailbox { inner: Mutex::new(Inner { expected: Some(answers), ..Inner::default() }) }
    }

    /// The same for a reader that takes nothing else.
    pub fn for_answers_only(answers: usize) -> Self {
        Mailbox { inner: Mutex::new(Inner { expected: Some(answers), answers_only: true, ..Inner::default() }) }
    }

    /// A mailbox that goes on until it is closed.
    pub fn endless() -> Self {
        Mailbox::default()
    }

    /// Whether somebody reads messages here, as far as is known.
    pub fn takes_messages(&self) -> bool {
        self.lock().takes_messages()
    }

    /// Adds a message; `false` means that there was no room, or nobody reads it, and it is lost.
    pub fn push(&self, message: Bytes) -> bool {
        let mut inner = self.lock();
        let bytes = inner.bytes + message.len();
        let full = bytes > MAX_BYTES || inner.queue.len() >= MAX_MESSAGES || is_too_much(bytes);
        if full || !inner.takes_messages() {
            inner.dropped += 1;
            return false;
        }
        inner.put(Delivery::Message(message));
        true
    }

    /// Adds an answer. There is always room for it: their number is bounded by that of the open requests. One that is
    /// large is replaced by an error where too much waits for all clients together.
    pub fn answer(&self, message: Bytes, error_code: Option<i64>) {
        let (message, error_code) = match is_too_much(message.len()) {
            true => (too_much(&message), Some(codes::OVERLOADED)),
            false => (message, error_code),
        };
        let mut inner = self.lock();
        if !inner.closed {
            inner.put(Delivery::Answer { message, error_code });
        }
    }

    /// One of the answers will never come.
    pub fn expect_one_less(&self) {
        let mut inner = self.lock();
        inner.expected = inner.expected.map(|expected| expected.saturating_sub(1));
        inner.wake();
    }

    /// Nobody will read any more: keeps nothing, and takes nothing.
    pub fn abandon(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.queue = VecDeque::new();
        WAITING.fetch_sub(std::mem::take(&mut inner.bytes), Relaxed);
    }

    /// No more will come. What has been put in before can still be taken out.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.wake();
    }

    /// How many messages were lost for want of room.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Takes the next delivery; `None` when no more will come. Cancel safe.
    pub async fn next(&self) -> Option<Delivery> {
        poll_fn(|context| {
            let mut inner = self.lock();
            if let Some(delivery) = inner.take() {
                return Poll::Ready(Some(delivery));
            }
            if inner.closed || inner.expected == Some(0) {
                return Poll::Ready(None);
            }
            match &inner.reader {
                Some(waker) if waker.will_wake(context.waker()) => {}
                // While one reader takes over from another both may wait for a moment: none may be forgotten.
                _ => {
                    if let Some(other) = inner.reader.replace(context.waker().clone()) {
                        other.wake();
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Takes the next delivery if there is one already.
    pub fn try_next(&self) -> Option<Delivery> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn takes_messages(&self) -> bool {
        !self.closed && !self.answers_only
    }

    fn put(&mut self, delivery: Delivery) {
        self.bytes += delivery.len();
        WAITING.fetch_add(delivery.len(), Relaxed);
        self.queue.push_back(delivery);
        self.wake();
    }

    fn take(&mut self) -> Option<Delivery> {
        let delivery = self.queue.pop_front()?;
        self.bytes -= delivery.len();
        WAITING.fetch_sub(delivery.len(), Relaxed);
        if let (Delivery::Answer { .. }, Some(expected)) = (&delivery, &mut self.expected) {
            *expected = expected.saturating_sub(1);
        }
        Some(delivery)
    }

    fn wake(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        WAITING.fetch_sub(self.lock().bytes, Relaxed);
    }
}

/// What stands for an answer that there is no room for.
fn too_much(answer: &[u8]) -> Bytes {
    let id = Message::parse(answer).ok().and_then(|answer| answer.id).map_or("null", |RawId(raw)| raw);
    let text = "more waits for the clients of this gateway than there is room for: read what is there, and ask again";
    error_response(id, codes::OVERLOADED, text, None).into()
}

impl Delivery {
    fn len(&self) -> usize {
        match self {
            Delivery::Message(message) | Delivery::Answer { message, .. } => message.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(s: &'static str) -> Bytes {
        Bytes::from_static(s.as_bytes())
    }

    #[tokio::test]
    async fn ends_after_the_expected_answers() {
        let mailbox = Mailbox::for_answers(2);
        mailbox.answer(text("1"), None);
        assert!(mailbox.push(text("note")));
        mailbox.answer(text("2"), Some(-1));
        assert_eq!(mailbox.next().await, Some(Delivery::Answer { message: text("1"), error_code: None }));
        assert_eq!(mailbox.next().await, Some(Delivery::Message(text("note"))));
        assert_eq!(mailbox.next().await, Some(Delivery::Answer { message: text("2"), error_code: Some(-1) }));
        assert_eq!(mailbox.next().await, None);
    }

    #[tokio::test]
    async fn a_full_mailbox_loses_messages_but_no_answer() {
        let mailbox = Mailbox::for_answers(1);
        let kept = (0..MAX_MESSAGES + 10).filter(|_| mailbox.push(text("m"))).count();
        assert_eq!((kept, mailbox.dropped()), (MAX_MESSAGES, 10));
        mailbox.answer(text("answer"), None);
        let mut seen = 0;
        while let Some(delivery) = mailbox.next().await {
            seen += 1;
            if let Delivery::Answer { message, .. } = delivery {
                assert_eq!(message, text("answer"));
            }
        }
        assert_eq!(seen, MAX_MESSAGES + 1);
    }

    #[tokio::test]
    async fn there_is_room_for_so_much_together() {
        // Other tests may have something waiting meanwhile: little.
        let large = Unread::new(MAX_WAITING);
        let mailbox = Mailbox::for_answers(3);
        let answer = |bytes| Bytes::from(format!(r#"{{"id":"a","result":"{}"}}"#, "x".repeat(bytes)));
        assert!(mailbox.push(text("m")) && !mailbox.push(answer(FEW_BYTES)));
        mailbox.answer(answer(10), None);
        mailbox.answer(answer(FEW_BYTES), None);
        drop(large);
        mailbox.answer(answer(FEW_BYTES), None);
        let mut seen = Vec::new();
        while let Some(delivery) = mailbox.next().await {
            if let Delivery::Answer { message, error_code } = delivery {
                seen.push((
                    error_code,
                    message.len() > FEW_BYTES,
                    message.starts_with(br#"{"jsonrpc":"2.0","id":"a""#),
                ));
            }
        }
        assert_eq!(seen, [(None, false, false), (Some(codes::OVERLOADED), false, true), (None, true, false)]);
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_is_not_waited_for() {
        let mailbox = Mailbox::for_answers(2);
        mailbox.expect_one_less();
        mailbox.answer(text("the other"), None);
        assert!(mailbox.next().await.is_some());
        assert_eq!(mailbox.next().await, None);
    }

    #[tokio::test]
    async fn nothing_is_kept_for_whoever_has_gone() {
        let mailbox = Mailbox::for_answers(1);
        assert!(mailbox.push(text("m")));
        mailbox.abandon();
        mailbox.answer(text("answer"), None);
        assert!(!mailbox.push(text("m")) && !mailbox.takes_messages());
        assert_eq!(mailbox.next().await, None);
        assert!(!Mailbox::for_answers_only(1).push(text("m")));
    }

    #[tokio::test]
    async fn a_closed_mailbox_is_read_to_its_end() {
        let mailbox = Mailbox::endless();
        assert!(mailbox.push(text("last")));
        mailbox.close();
        assert!(!mailbox.push(text("late")));
        assert_eq!(mailbox.next().await, Some(Delivery::Message(text("last"))));
        assert_eq!(mailbox.next().await, None);
    }
}
