//! What is allowed in a file and yet a risk.

pub mod secret;
