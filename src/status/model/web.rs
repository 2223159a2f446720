//! The JSON of `/v1/me` and `/v1/web`: who one is, and how one becomes somebody in a browser.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Whoever asks, as the agent knows them. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Me {
    /// `operator`, `anonymous`, or `user/NAME`.
    pub principal: String,
    /// By what one was let in: `socket`, `session`, `token`, or `open` where everybody may come in.
    pub by: String,
    pub may: Rights,
    /// When that ends, if it does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
}

/// What somebody may do with the agent as a whole; what is about one app may be allowed for that app alone. With a session,
/// all of it but reading needs its proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Rights {
    /// See everything: the agent, its sources and all apps.
    pub read: bool,
    /// Restart any app.
    pub restart: bool,
    /// Have nothing new applied.
    pub suspend: bool,
    /// Take that back.
    pub resume: bool,
    /// Have the sources looked at.
    pub reconcile: bool,
    /// Let removals pass that the prune guard holds.
    pub prune: bool,
    /// See who did what.
    pub audit: bool,
}

/// A link that opens the web page for whoever has it, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Link {
    pub url: String,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
}

/// By what one signs in; one of these.
#[derive(Clone, Default, Deserialize, utoipa::ToSchema)]
pub struct SignIn {
    /// What stands behind the `#` of a link.
    #[serde(default)]
    pub code: Option<String>,
    /// A token, as it would be in the header `Authorization`.
    #[serde(default)]
    pub token: Option<String>,
}

/// A session that has been opened; its cookie is in the head of the answer.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Session {
    /// As in `/v1/me`.
    pub principal: String,
    /// For the header `X-Mcpfleet-Proof` of whatever changes something. It is told once.
    pub proof: String,
    /// When it ends at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
}
