//! End-to-end tests: the real binary, real processes, real clients.

mod client;
mod config;
mod connect;
mod demo;
mod gateway;
mod golden;
mod host_user;
mod layout;
mod leftovers;
mod process;
mod source;
mod support;
mod validate;
