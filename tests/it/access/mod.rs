//! Who may do what, from resources to the wire: the real agent, real servers, clients with tokens.

mod calls;
pub mod fleet;
mod host_users;
pub mod issuer;
mod oidc;
mod orders;
mod property;
mod pushes;
mod revocation;
mod sessions;
mod sight;
mod smuggling;
mod tokens;
