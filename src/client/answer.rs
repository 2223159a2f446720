//! What comes back for a POST to an app: one message as JSON, or several as a stream of events.

use super::http::{Body, HttpError, Response};
use crate::protocol::sse::{Event, Parser, SseError};
use std::{collections::VecDeque, time::Duration};

/// No message may be larger than this many bytes. Servers send images as base64, so it is far above what is common.
pub const MAX_MESSAGE: usize = 32 << 20;

/// Why an answer could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Sse(#[from] SseError),
}

/// The messages of an answer, one after the other.
#[derive(Debug)]
pub struct Messages(Form);

#[derive(Debug)]
enum Form {
    Whole(Option<Body>),
    Events { body: Body, parser: Parser, ready: VecDeque<Event> },
}

impl Messages {
    /// The messages in the body of `response`, whatever its status.
    pub fn of(response: Response) -> Messages {
        Messages(match response.media_type().as_deref() {
            Some("text/event-stream") => {
                Form::Events { body: response.body, parser: Parser::new(MAX_MESSAGE), ready: VecDeque::new() }
            }
            _ => Form::Whole(Some(response.body)),
        })
    }

    /// Whether messages come as events, so that more than one can be expected.
    pub fn is_stream(&self) -> bool {
        matches!(self.0, Form::Events { .. })
    }

    /// The next message, `None` at the end. For a stream of events the call may be dropped and made again.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, AnswerError> {
        match &mut self.0 {
            Form::Whole(body) => {
                let Some(body) = body.take() else { return Ok(None) };
                let message = body.read(MAX_MESSAGE).await?;
                Ok(Some(message).filter(|message| !message.is_empty()))
            }
            Form::Events { body, parser, ready } => loop {
                while let Some(event) = ready.pop_front() {
                    // Empty events only carry an id; other names than `message` belong to older transports.
                    if event.name == "message" && !event.data.is_empty() {
                        return Ok(Some(event.data));
                    }
                }
                let Some(chunk) = body.chunk().await? else { return Ok(None) };
                let mut events = Vec::new();
                let read = parser.push(&chunk, &mut events);
                ready.extend(events);
                read?;
            },
        }
    }

    /// The id of the last event, from which a new stream may go on.
    pub fn last_event_id(&self) -> Option<&str> {
        match &self.0 {
            Form::Whole(_) => None,
            Form::Events { parser, .. } => parser.last_id(),
        }
    }

    /// How long the server wants to be left alone before a new stream.
    pub fn retry(&self) -> Option<Duration> {
        match &self.0 {
            Form::Whole(_) => None,
            Form::Events { parser, .. } => parser.retry(),
        }
    }
}
