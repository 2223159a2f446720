//! The gateway, over real HTTP, with real processes behind it.

mod all;
mod bounds;
mod bridge;
mod isolation;
mod legacy;
mod limits;
mod misbehaviour;
mod modern;
mod refusals;
mod shared;
pub mod stage;
mod subscriptions;
mod tls;
mod transparency;
