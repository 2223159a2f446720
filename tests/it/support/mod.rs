//! What the end-to-end tests share.

mod eventually;
mod home;
mod mcp;

pub use eventually::eventually;
pub use home::Home;
pub use mcp::{Era, RealClient, arguments, text};
