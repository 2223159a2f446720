//! Webhooks: whoever knows a secret may tell the agent to look at a source now.
//!
//! What a caller sends is nothing but a reason to look: its content is proven to come from somebody who knows the
//! secret, and then dropped. So a recorded call that is sent again costs a look, of which there is one a second at most.

mod calls;
mod pace;
mod proof;
mod serve;

pub use calls::Calls;
pub use proof::Scheme;
pub use serve::{SecretError, check_secret, router};

use http::HeaderName;
use serde::{Serialize, Serializer};
use std::path::PathBuf;

/// One webhook, served at `/hooks/NAME`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Webhook {
    /// Unique when case is ignored.
    pub name: String,
    /// The name of the source to look at.
    pub source: String,
    pub scheme: Scheme,
    /// Where the proof is, if it is not where the usual forges put it.
    #[serde(serialize_with = "header")]
    pub header: Option<HeaderName>,
    /// Read at each call, so that it can be replaced while the agent runs.
    pub secret_file: PathBuf,
}

fn header<S: Serializer>(header: &Option<HeaderName>, serializer: S) -> Result<S::Ok, S::Error> {
    header.as_ref().map(HeaderName::as_str).serialize(serializer)
}
