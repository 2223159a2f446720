//! End-to-end tests: the real binary, real processes, real clients.

mod demo;
mod process;
mod source;
mod support;
