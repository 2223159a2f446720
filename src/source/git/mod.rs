//! The git source: follows a reference of a repository, and lets take effect what is authorized.
//!
//! ```text
//! reference ──look──▶ mirror ──fetch──▶ objects ──judge──▶ state ──write──▶ trust.json ──▶ snapshot, published
//! ```
//!
//! What the repository says is judged before anything of it takes effect, and what was judged is written down before
//! that: an agent that is killed goes on from there. Nothing in a repository changes how it is judged.

mod actor;
mod attribution;
mod court;
mod file;
mod overrides;
mod pace;
pub mod past;
mod record;
mod refused;
mod settings;
mod showing;
mod trouble;
mod trust;
mod view;
mod walk;
mod watch;
mod worker;

pub use actor::spawn;
pub use file::StateError;
pub use overrides::{DeniedKey, Orders, Override};
pub use refused::RefusedChange;
pub use settings::{GitSettings, Mode, Root};
pub use trust::{Began, Trust};
pub use view::{GitView, JudgedCommit};
pub use worker::MIRROR;
