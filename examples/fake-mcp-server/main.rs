//! A small MCP server over stdin and stdout for tests, of either protocol era, that can misbehave on demand.
//!
//! `fake-mcp-server [FLAG…]`; see `modes.rs` for the flags and `tools.rs` for the tools. Requests are handled as they
//! come, slow tools on a thread each, so that calls overlap and can be cancelled.

mod mirror;
mod modes;
mod reach;
mod server;
mod tools;

use modes::Modes;
use std::{io, process::ExitCode, sync::Arc, thread};

fn main() -> ExitCode {
    let modes = match Modes::from_arguments(std::env::args().skip(1)) {
        Ok(modes) => modes,
        Err(message) => {
            eprintln!("fake-mcp-server: {message}");
            return ExitCode::from(2);
        }
    };
    if modes.park {
        park();
    }
    if let Some(code) = modes.exit {
        return ExitCode::from(code);
    }
    if let Err(error) = modes.misbehave() {
        eprintln!("fake-mcp-server: {error}");
        return ExitCode::from(3);
    }
    let ignore_eof = modes.ignore_eof;
    let mut mirror = modes.mirror.then(mirror::Mirror::default);
    let server = Arc::new(server::Server::new(modes));
    for line in io::stdin().lines() {
        match line {
            Ok(line) if mirror.as_mut().is_some_and(|mirror| mirror.handle(&line)) => {}
            Ok(line) => server::handle(&server, &line),
            Err(_) => break,
        }
    }
    if ignore_eof {
        park();
    }
    ExitCode::SUCCESS
}

fn park() -> ! {
    loop {
        thread::park();
    }
}
