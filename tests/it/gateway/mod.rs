//! The gateway, over real HTTP, with real processes behind it.

mod bounds;
mod isolation;
mod legacy;
mod modern;
mod refusals;
mod shared;
pub mod stage;
mod subscriptions;
