//! End-to-end tests: the real binary, real processes, real clients.

mod author;
mod authorize_cli;
mod client;
mod config;
mod conformance;
mod connect;
mod demo;
mod docs;
mod gateway;
mod git;
mod git_source;
mod golden;
mod hook;
mod host_user;
mod interop;
mod judgement;
mod layout;
mod leftovers;
mod lifecycle;
mod process;
mod reference;
mod signature;
mod source;
mod support;
mod validate;
mod webhook;
