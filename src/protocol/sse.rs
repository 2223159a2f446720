//! Server-sent events, read piece by piece (HTML standard, section 9.2.6 "Interpreting an event stream").

use std::time::Duration;

/// One event with what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; `message` where there is none.
    pub name: String,
    /// The `data` fields, joined with line feeds. Bytes as they came: the standard's decoding is left to the reader.
    pub data: Vec<u8>,
}

/// Why a stream cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    #[error("an event is larger than {0} bytes")]
    TooLarge(usize),
}

/// Reads a stream that is handed over in pieces of any size.
#[derive(Debug)]
pub struct Parser {
    /// The most that a line, and the data of an event, may take.
    limit: usize,
    line: Vec<u8>,
    /// Nothing has been read yet: a byte order mark would come here.
    at_start: bool,
    /// The last byte was a carriage return: a line feed after it belongs to the same line end.
    after_return: bool,
    name: String,
    data: Vec<u8>,
    has_data: bool,
    id: Option<String>,
    last_id: Option<String>,
    retry: Option<Duration>,
}

/// The longest name or id of an event that is taken, in bytes.
const MAX_FIELD: usize = 1024;

impl Parser {
    /// A parser that refuses lines and events of more than `limit` bytes.
    pub fn new(limit: usize) -> Parser {
        Parser {
            limit,
            line: Vec::new(),
            at_start: true,
            after_return: false,
            name: String::new(),
            data: Vec::new(),
            has_data: false,
            id: None,
            last_id: None,
            retry: None,
        }
    }

    /// The id of the last event, from which a new connection may go on.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// How long the server wants to be left alone before a new connection.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// How many bytes are kept of an event that is not complete.
    pub fn unfinished(&self) -> usize {
        self.line.len() + self.data.len()
    }

    /// Takes the next piece of the stream and appends the events that it completes. An event that the end of the
    /// stream cuts off is never given out, as the standard wants it.
    pub fn push(&mut self, mut piece: &[u8], events: &mut Vec<Event>) -> Result<(), SseError> {
        while !piece.is_empty() {
            if std::mem::take(&mut self.after_return)
                && let Some(rest) = piece.strip_prefix(b"\n")
            {
                piece = rest;
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', piece) else {
                return self.extend_line(piece);
            };
            let (text, rest) = piece.split_at(end);
            self.extend_line(text)?;
            self.after_return = rest.first() == Some(&b'\r');
            piece = rest.get(1..).unwrap_or_default();
            let line = std::mem::take(&mut self.line);
            self.end_line(&line, events)?;
            // Its room is used again.
            self.line = line;
            self.line.clear();
        }
        Ok(())
    }

    fn extend_line(&mut self, text: &[u8]) -> Result<(), SseError> {
        if self.line.len() + text.len() > self.limit {
            return Err(SseError::TooLarge(self.limit));
        }
        self.line.extend_from_slice(text);
        Ok(())
    }

    fn end_line(&mut self, line: &[u8], events: &mut Vec<Event>) -> Result<(), SseError> {
        let line = match std::mem::take(&mut self.at_start) {
            true => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            false => line,
        };
        if line.is_empty() {
            self.dispatch(events);
            return Ok(());
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let (field, value) = line.split_at(colon);
                let value = value.get(1..).unwrap_or_default();
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &b""[..]),
        };
        match field {
            b"data" => {
                if self.data.len() + value.len() >= self.limit {
                    return Err(SseError::TooLarge(self.limit));
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            // No more is kept than anybody has use for.
            b"event" | b"id" if value.len() > MAX_FIELD => {}
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            b"id" if !value.contains(&0) => self.id = Some(String::from_utf8_lossy(value).into_owned()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.retry =
                    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).map(Duration::from_millis);
            }
            // A comment has an empty field name; unknown fields are ignored.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self, events: &mut Vec<Event>) {
        if let Some(id) = self.id.take() {
            self.last_id = Some(id);
        }
        let name = std::mem::take(&mut self.name);
        if std::mem::take(&mut self.has_data) {
            let name = if name.is_empty() { "message".to_owned() } else { name };
            events.push(Event { name, data: std::mem::take(&mut self.data) });
        }
    }
}

#[cfg(test)]
mod tests;
