//! What is sent, and what came of it. Pure.

use std::time::Duration;

/// A message, ready to be sent by `POST`.
#[derive(Clone, PartialEq)]
pub struct Request {
    pub url: String,
    /// Besides those that every message has. Not to be shown: the token is one of them.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    pub status: u16,
    /// As the headers of the same names have it.
    pub retry_after: Option<String>,
    pub rate_limit_remaining: Option<String>,
    pub rate_limit_reset: Option<String>,
    /// Its beginning.
    pub body: String,
}

/// What came of sending a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Taken,
    /// Not this time; perhaps later, and not before this has passed.
    Later {
        problem: String,
        after: Option<Duration>,
    },
    /// Never.
    Refused {
        problem: String,
    },
}
