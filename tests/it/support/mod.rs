//! What the end-to-end tests share.

mod agent;
mod eventually;
mod home;
mod mcp;
mod outside;
pub mod processes;

pub use agent::{Agent, demo_app, fake_app};
pub use eventually::{PATIENCE, eventually};
pub use home::Home;
pub use mcp::{Era, RealClient, arguments, text};
pub use outside::{missing, outside};
