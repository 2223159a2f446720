//! Every way in which a server can fail, and everything that can happen to it: what is shown of the app, what clients
//! get, and that no process is left. What is to be expected is in `rows.rs`.

mod actions;
mod processes;
mod rows;
mod stage;
