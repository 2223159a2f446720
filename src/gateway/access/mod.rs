//! Who may use what. Pure.
//!
//! A request is made by a [`Principal`]; the [`Policy`] in force says which apps exist for it, and with what [`Permit`].
//!
//! The users and roles of a source rule the apps of that source and no others: whoever can write to one repository cannot
//! give away what is in another. Apps of the agent's own configuration, and the agent itself, are ruled by the first
//! source. A client is recognized by what it shows (a token, a subject, a host user), in each source by itself: two
//! sources that know the same token may give it different rights, each over its own apps.

mod listing;
mod permit;
mod policy;
mod principal;
mod rulebook;
#[cfg(test)]
mod tests;

pub use listing::permitted_tools;
pub use permit::Permit;
pub use policy::{Known, Policy};
pub use principal::{Credential, Membership, Principal, User};
pub use rulebook::Rulebook;
