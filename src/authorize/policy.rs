//! Roles and users, as they decide what a commit may change.

/// The valid roles and users of an accepted state.
#[derive(Debug, Default)]
pub struct Policy;
