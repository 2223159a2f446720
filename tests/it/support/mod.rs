//! What the end-to-end tests share.

mod eventually;
mod home;
mod mcp;
pub mod processes;

pub use eventually::{PATIENCE, eventually};
pub use home::Home;
pub use mcp::{Era, RealClient, arguments, text};
