//! Updates while clients work: nobody notices.

mod broken;
mod fleet;
mod sessions;
mod shared;
