//! From snapshots to actions. Pure: the agent runs what comes out, the command line prints it.
//!
//! ```text
//! snapshots, selectors, now ──desired()──▶ Desired ─┐
//!                           what runs now ──────────┴─plan()──▶ Plan
//! ```
//!
//! Equality of apps is the model's own, every field included, never a list of fields written here. Apps of files that
//! did not change are shared between snapshots, so that comparing them costs a comparison of pointers.

mod desired;
mod frozen;
mod plan;
pub mod preview;
mod prune;

#[cfg(test)]
mod fixture;

pub use desired::{Desired, DesiredApp, Idle, Origin, Selection, SourceInput, Why, desired};
pub use frozen::frozen;
pub use plan::{Action, Held, Plan, Running, Verb, plan};
pub use prune::{PruneGuard, PruneSettings};
