//! An answer that is a stream of events.

use super::http::{Body, Failure};
use crate::{
    instance::link::MAX_MESSAGE,
    protocol::sse::{Event, Parser},
};
use std::{collections::VecDeque, time::Duration};

/// The shortest and the longest that a server may want to be left alone.
const MIN_RETRY: Duration = Duration::from_millis(100);
const MAX_RETRY: Duration = Duration::from_secs(3600);

pub struct Events {
    body: Body,
    parser: Parser,
    ready: VecDeque<Event>,
}

impl Events {
    pub fn new(body: Body) -> Self {
        Events { body, parser: Parser::new(MAX_MESSAGE), ready: VecDeque::new() }
    }

    /// The next event; `None` at the end. Cancel safe.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(chunk) = self.body.chunk().await? else { return Ok(None) };
            let mut events = Vec::new();
            let read = self.parser.push(&chunk, &mut events);
            self.ready.extend(events);
            let ready: usize = self.ready.iter().map(|event| event.data.len()).sum();
            self.body.keeps(self.parser.unfinished() + ready)?;
            read.map_err(|_| self.body.too_long())?;
        }
    }

    /// The id of the last event, from which another stream may go on.
    pub fn last_id(&self) -> Option<&str> {
        self.parser.last_id()
    }

    /// How long the server wants to be left alone before that.
    pub fn retry(&self) -> Option<Duration> {
        self.parser.retry().map(|retry| retry.clamp(MIN_RETRY, MAX_RETRY))
    }
}
