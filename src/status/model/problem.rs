//! What the API says where it does not do what it is asked for, and where there is nothing to say.

use serde::{Deserialize, Serialize};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    pub error: Reason,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reason {
    /// A word for the kind of reason, which stays: `unknown-app`.
    pub code: String,
    /// For people: what is wrong, and what to do about it.
    pub message: String,
}

/// It is done, or will be: there is nothing more to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Accepted {}
