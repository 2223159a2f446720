//! From a message to the request that brings it to its target. Pure.

use super::{
    digest,
    forge::{self, Agent},
    hook,
    outcome::Outcome,
    request::Request,
};
use crate::{config::Target, manifest::decode::is_secure_url};
use jiff::Timestamp;

/// What waits to be sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// To a forge: the outcome of a commit of a source.
    Commit { source: String, outcome: Outcome },
    /// To people.
    Text(String),
    /// To a webhook; the id is the same at each attempt.
    Signed { id: String, body: String },
}

/// The request.
///
/// # Errors
/// What is wrong with the credential, for people, without showing it.
pub fn request(
    target: &Target,
    agent: &Agent,
    message: &Message,
    credential: &str,
    now: Timestamp,
) -> Result<Request, String> {
    match (target, message) {
        (Target::Slack(_), Message::Text(text)) => {
            if !is_secure_url(credential) {
                return Err("what `url_file` has is no https URL".to_owned());
            }
            Ok(Request { url: credential.to_owned(), headers: Vec::new(), body: digest::body(text) })
        }
        (Target::Webhook(webhook), Message::Signed { id, body }) => {
            hook::request(&webhook.url, id, body, credential, now)
        }
        (_, Message::Commit { outcome, .. }) => {
            forge::status(target, agent, outcome, credential).ok_or_else(|| "it is no forge".to_owned())
        }
        _ => Err("it takes no such message".to_owned()),
    }
}
