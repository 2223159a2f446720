//! What a server of the legacy era wants to see with each request.

use crate::protocol::{headers, text_member};
use http::{HeaderMap, HeaderValue};

/// The longest id of a session, in bytes.
const MAX_ID: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Session {
    id: Option<HeaderValue>,
    /// The protocol version that was agreed on.
    version: Option<HeaderValue>,
}

impl Session {
    /// Begins with what the answer to `initialize` says.
    pub fn begin(&mut self, headers: &HeaderMap) {
        let id = headers.get(headers::SESSION_ID).filter(|id| id.len() <= MAX_ID);
        self.id = id.cloned().map(|mut id| {
            id.set_sensitive(true);
            id
        });
    }

    /// `version` is raw JSON.
    pub fn agree(&mut self, version: Option<&str>) {
        let version = version.and_then(text_member);
        self.version = version.and_then(|version| HeaderValue::from_str(&version).ok());
    }

    /// Whether the server has given it a name, by which it may forget it.
    pub fn is_open(&self) -> bool {
        self.id.is_some()
    }

    pub fn add_to(&self, headers: &mut HeaderMap) {
        if let Some(id) = &self.id {
            headers.insert(headers::SESSION_ID, id.clone());
        }
        if let Some(version) = &self.version {
            headers.insert(headers::PROTOCOL_VERSION, version.clone());
        }
    }
}
