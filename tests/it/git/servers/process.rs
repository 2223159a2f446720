//! Servers that are programs of their own.

use crate::support::PATIENCE;
use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

/// A program that ends with the test.
pub struct Running(Child);

impl Running {
    /// Starts a program and waits until it accepts connections on a port of loopback.
    pub fn start(command: &mut Command, port: u16) -> Running {
        Running::start_at(command, "127.0.0.1", port)
    }

    /// The same at another address.
    pub fn start_at(command: &mut Command, address: &str, port: u16) -> Running {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("a program that can be started");
        let mut running = Running(child);
        let started = Instant::now();
        while TcpStream::connect((address, port)).is_err() {
            assert_eq!(running.0.try_wait().expect("a child"), None, "{command:?} has ended");
            assert!(started.elapsed() < PATIENCE, "{command:?} does not listen");
            std::thread::yield_now();
        }
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// A program that comes with git.
pub fn git_program(name: &str) -> PathBuf {
    let output = Command::new("git").arg("--exec-path").output().expect("git");
    Path::new(String::from_utf8_lossy(&output.stdout).trim()).join(name)
}

/// `git daemon` for the repositories below a folder.
pub struct GitDaemon {
    port: u16,
    _running: Running,
}

impl GitDaemon {
    pub fn start(root: &Path) -> GitDaemon {
        GitDaemon::serve("127.0.0.1", free_port(), root)
    }

    /// At the usual port of an address.
    pub fn at(address: &str, root: &Path) -> GitDaemon {
        GitDaemon::serve(address, 9418, root)
    }

    fn serve(address: &str, port: u16, root: &Path) -> GitDaemon {
        let mut command = Command::new(git_program("git-daemon"));
        command.args(["--export-all", "--reuseaddr", "--informative-errors"]).arg(format!("--listen={address}"));
        command.arg(format!("--port={port}")).arg(format!("--base-path={}", root.display())).arg(root);
        command.env("HOME", root).stderr(Stdio::null());
        GitDaemon { port, _running: Running::start_at(&mut command, address, port) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("git://127.0.0.1:{}/{path}", self.port)
    }
}
