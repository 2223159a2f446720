//! What the end-to-end tests share.

mod agent;
mod ended;
mod eventually;
mod fixture;
mod home;
mod mcp;
mod outside;
mod plain;
mod policy;
pub mod processes;
mod repository;

pub use agent::{Agent, demo_app, fake_app};
pub use ended::Ended;
pub use eventually::{PATIENCE, eventually};
pub use fixture::write_fixture_app;
pub use home::Home;
pub use mcp::{Era, RealClient, arguments, text};
pub use outside::{missing, outside};
pub use plain::{Got, PlainClient};
pub use policy::{Files, app, policy, role, root, user};
pub use repository::{Draft, Key, Repo};
