//! The reading half of a link: what a server says, and whom it is for.

use super::{super::flood::Allowance, Link, MAX_MESSAGE, OpenCall, Sharing, Sink, State, edited, lock};
use crate::protocol::{Edit, Kind, Message, Params, RawId, codes, error_response, text_member};
use bytes::{Bytes, BytesMut};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt, net::unix::pipe, task::yield_now, time::sleep};

/// A server that has this many requests to its client open gets errors for more.
const MAX_ASKED: usize = 1024;

/// The most of a line without sense that is quoted, in bytes.
const QUOTED: usize = 200;

/// Whether somebody had use for a line. Those that nobody has are bounded ([`Allowance`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Some,
    None,
}

impl Use {
    fn of(delivered: bool) -> Use {
        if delivered { Use::Some } else { Use::None }
    }
}

impl Link {
    /// Reads lines until there are no more; says why.
    pub(super) async fn receive(&self, mut stdout: pipe::Receiver) -> String {
        let mut buffer = BytesMut::with_capacity(16 << 10);
        let mut searched = 0;
        let mut allowance = Allowance::new(Instant::now());
        loop {
            match stdout.read_buf(&mut buffer).await {
                Ok(0) => return "its standard output is closed".into(),
                Ok(_) => {}
                Err(e) => return format!("its standard output cannot be read: {e}"),
            }
            let (mut lines, mut bytes) = (0, 0);
            while let Some(end) = memchr::memchr(b'\n', buffer.get(searched..).unwrap_or_default()) {
                let line = buffer.split_to(searched + end + 1);
                searched = 0;
                if self.take(&line) == Use::None {
                    lines += 1;
                    bytes += line.len();
                }
            }
            searched = buffer.len();
            if searched > MAX_MESSAGE {
                self.lock().rambled = true;
                return format!("it sent a line of more than {} MiB", MAX_MESSAGE >> 20);
            }
            let now = Instant::now();
            allowance.spend(bytes, lines, now);
            match allowance.pause(now) {
                // However much there is: the other tasks of the thread have their turn.
                Duration::ZERO => yield_now().await,
                pause => sleep(pause).await,
            }
        }
    }

    fn take(&self, line: &[u8]) -> Use {
        if line.trim_ascii().is_empty() {
            return Use::None;
        }
        let message = match Message::parse(line) {
            Ok(message) => message,
            Err(error) => {
                self.garbage(line, &error);
                return Use::None;
            }
        };
        match message.kind {
            Kind::Response => self.take_response(&message),
            Kind::Notification => self.take_notification(&message),
            Kind::Request => self.take_request(&message),
        }
    }

    fn take_response(&self, message: &Message<'_>) -> Use {
        let Some(RawId(raw)) = message.id else { return Use::None };
        let call = message.id.and_then(|id| id.as_mapped()).and_then(|id| {
            let mut state = self.lock();
            state.open.remove(&id)
        });
        let Some(mut call) = call else {
            // Answered twice, or after a cancellation: nobody waits for it.
            tracing::debug!(app = &*self.app, instance = &*self.instance, id = raw, "answer to no open request");
            return Use::None;
        };
        let mut edits = vec![Edit { at: message.span(raw), with: &call.id }];
        if let Some(subscription) = message.result.filter(|_| call.listens).map(Params::parse) {
            edits.extend(subscription.meta_subscription_id.map(|raw| Edit { at: message.span(raw), with: &call.id }));
            edits.sort_by_key(|edit| edit.at.start);
        }
        // Before whoever waits goes on: then it has ended when what it belongs to does.
        call.traced.take().into_iter().for_each(|traced| traced.answered(message));
        call.mailbox.answer(edited(message, &edits), message.error_code());
        self.signal_idle();
        Use::Some
    }

    fn take_notification(&self, message: &Message<'_>) -> Use {
        let params = message.params();
        if message.method == "notifications/tools/list_changed" {
            self.tools.notify_one();
        }
        let mapped = |raw: Option<&str>| raw.and_then(|raw| RawId(raw).as_mapped());
        let state = self.lock();
        if message.method == "notifications/progress" {
            let call = mapped(params.progress_token).and_then(|id| state.open.get(&id));
            // Progress without a request that asked for it is for nobody.
            let Some((raw, call)) = params.progress_token.zip(call) else { return Use::None };
            let Some(token) = &call.progress_token else { return Use::None };
            Use::of(call.mailbox.push(edited(message, &[Edit { at: message.span(raw), with: token }])))
        } else if let Some(raw) = params.meta_subscription_id {
            let call = mapped(Some(raw)).and_then(|id| state.open.get(&id)).filter(|call| call.listens);
            let Some(call) = call else { return Use::None };
            Use::of(call.mailbox.push(edited(message, &[Edit { at: message.span(raw), with: &call.id }])))
        } else {
            let recipients = recipients(self.sharing, &state, &message.method, &params);
            drop(state);
            if recipients.is_empty() {
                return Use::None;
            }
            let bytes = edited(message, &[]);
            let taken = recipients.iter().filter(|recipient| recipient.push(bytes.clone())).count();
            Use::of(taken > 0)
        }
    }

    fn take_request(&self, message: &Message<'_>) -> Use {
        let Some(id @ RawId(raw)) = message.id else { return Use::None };
        let mut state = self.lock();
        let refusal = match self.sharing {
            Sharing::Shared if message.method == "ping" => {
                drop(state);
                let pong = format!(r#"{{"jsonrpc":"2.0","id":{raw},"result":{{}}}}"#);
                let _ = self.write(pong.into());
                return Use::None;
            }
            Sharing::Shared => "this server is shared by many clients; none of them can be asked",
            Sharing::Exclusive if state.asked.len() >= MAX_ASKED => "too many requests are open",
            Sharing::Exclusive => {
                let recipients = recipients(self.sharing, &state, &message.method, &message.params());
                let bytes = edited(message, &[]);
                state.asked.insert(id.value().into());
                if recipients.iter().any(|recipient| recipient.push(bytes.clone())) {
                    return Use::Some;
                }
                state.asked.remove(&*id.value());
                if message.method == "ping" {
                    // Nobody is there to ask, but the gateway is.
                    drop(state);
                    let _ = self.write(format!(r#"{{"jsonrpc":"2.0","id":{raw},"result":{{}}}}"#).into());
                    return Use::None;
                }
                "the client cannot be reached"
            }
        };
        drop(state);
        // The server learns that nobody will answer; if it cannot even read that, it is about to end anyway.
        let _ = self.write(error_response(raw, codes::METHOD_NOT_FOUND, refusal, None));
        Use::None
    }

    fn garbage(&self, line: &[u8], error: &impl ToString) {
        let count = {
            let mut state = self.lock();
            state.garbage += 1;
            state.garbage
        };
        // A server that prints to stdout by mistake does so often: say it once, loudly.
        let (app, instance) = (&*self.app, &*self.instance);
        if count > 1 && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let start = match line.get(..QUOTED) {
            Some(start) => self.redaction.cut_line(start),
            None => self.redaction.line(line),
        };
        let start = String::from_utf8_lossy(&start);
        let error = self.quoted(&error.to_string());
        if count == 1 {
            tracing::warn!(app, instance, error, line = ?start, "the server wrote something to stdout that is no message");
        } else {
            tracing::debug!(app, instance, error, line = ?start, "no message");
        }
    }
}

/// Who gets a message.
enum Recipient {
    Call(Arc<super::Mailbox>),
    Stream(Arc<Sink>),
}

impl Recipient {
    fn push(&self, bytes: Bytes) -> bool {
        match self {
            Recipient::Call(mailbox) => mailbox.push(bytes),
            Recipient::Stream(sink) => sink.mailbox.push(bytes),
        }
    }
}

/// Decides who gets a message that names no request.
///
/// With one client behind the link it is for that client: what a call most likely caused (logs, requests) goes to the
/// newest open one, what stands for itself to the client's stream. With many, only what is the same for all of them
/// (lists have changed) or what was asked for by name (a resource was updated) may go out; a log line goes to the one
/// client that can have caused it, if there is just one.
fn recipients(sharing: Sharing, state: &State, method: &str, params: &Params<'_>) -> Vec<Recipient> {
    let call = |call: &OpenCall| Recipient::Call(call.mailbox.clone());
    let announces = method.ends_with("/list_changed") || method == "notifications/resources/updated";
    match sharing {
        Sharing::Exclusive => {
            let sinks = state.sinks();
            if announces && sinks.iter().any(|sink| sink.attached.load(Relaxed)) {
                let read = sinks.into_iter().filter(|sink| sink.attached.load(Relaxed));
                return read.map(Recipient::Stream).collect();
            }
            let newest = state.open.values().rfind(|call| call.mailbox.takes_messages()).map(call);
            // Who only listens answers nothing, and is told of nothing else.
            let stream = || state.sinks().into_iter().rfind(|sink| !sink.lasting).map(Recipient::Stream);
            newest.or_else(stream).into_iter().collect()
        }
        Sharing::Shared if announces => {
            let uri = params.uri.and_then(text_member);
            let wanted = |sink: &Arc<Sink>| match &uri {
                Some(uri) => lock(&sink.subscriptions).contains(uri.as_ref()),
                None => true,
            };
            state.sinks().into_iter().filter(wanted).map(Recipient::Stream).collect()
        }
        Sharing::Shared if method == "notifications/message" => {
            let mut open = state.open.values().filter(|call| !call.listens && (call.wants_logs || call.owner != 0));
            match (open.next(), open.next()) {
                (Some(only), None) => vec![call(only)],
                _ => Vec::new(),
            }
        }
        Sharing::Shared => Vec::new(),
    }
}
