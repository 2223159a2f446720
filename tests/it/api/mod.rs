//! The API: what is described is what there is, and what is answered is what is described.

mod answers;
mod description;
mod refusals;
mod routes;
mod schemas;
mod stage;
mod watch;
