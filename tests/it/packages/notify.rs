//! What the agent tells a service manager, heard where systemd would listen.

use crate::support::{Home, PATIENCE, eventually};
use nix::sys::signal::{Signal, kill};
use std::{
    os::unix::net::UnixDatagram,
    process::Stdio,
    sync::{Arc, Mutex},
};
use tokio::process::Child;

/// An agent, and what it has said so far, a line each.
struct Told {
    child: Child,
    heard: Arc<Mutex<Vec<String>>>,
    log: std::path::PathBuf,
}

impl Told {
    /// `watchdog`: in microseconds, for this process or for another one.
    fn start(home: &Home, watchdog: Option<(&str, bool)>) -> Told {
        std::fs::create_dir_all(home.path().join("fleet")).expect("a folder");
        let socket = home.path().join("notify");
        let listener = UnixDatagram::bind(&socket).expect("a socket");
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = heard.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = listener.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                log.lock().expect("no panic").extend(text.lines().map(str::to_owned));
            }
        });
        let control = format!("control_socket={}", home.path().join("control.sock").display());
        // A number of its own is known to it only once it runs: a shell that becomes it has the same.
        let mut command = tokio::process::Command::new("sh");
        let watch = match watchdog {
            None => String::new(),
            Some((within, own)) => {
                format!("export WATCHDOG_USEC={within} WATCHDOG_PID={};", if own { "$$" } else { "1" })
            }
        };
        command.args(["-c", &format!("{watch} exec \"$@\""), "sh", env!("CARGO_BIN_EXE_mcpfleet"), "run", "fleet"]);
        // As root it would be the machine's own, and the other tests'.
        let state = format!("state_dir={}", home.path().join("state").display());
        command.args(["--set", "gateway.listen=127.0.0.1:0", "--set", &control, "--set", &state]);
        command.env_clear().envs(home.environment()).env("NOTIFY_SOCKET", &socket).current_dir(home.path());
        let path = home.path().join("agent.log");
        let output = std::fs::File::create(&path).expect("a file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).kill_on_drop(true);
        Told { child: command.spawn().expect("it starts"), heard, log: path }
    }

    fn count(&self, line: &str) -> usize {
        self.heard.lock().expect("no panic").iter().filter(|heard| heard.starts_with(line)).count()
    }

    async fn hears(&self, line: &str, times: usize) {
        let seen = eventually(line, async || (self.count(line) >= times).then_some(()));
        let waited = tokio::time::timeout(PATIENCE - std::time::Duration::from_secs(5), seen).await;
        let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
        assert!(waited.is_ok(), "{times} times {line}: {:#?}\n{}", self.heard.lock().expect("no panic"), log());
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().expect("it runs")).expect("a number");
        kill(nix::unistd::Pid::from_raw(pid), signal).expect("it is there");
    }
}

#[tokio::test]
async fn it_says_when_it_is_ready_looks_again_and_stops() {
    let home = Home::new();
    let mut told = Told::start(&home, None);
    told.hears("READY=1", 1).await;
    told.hears("STATUS=Ready: what is wanted runs", 1).await;
    told.signal(Signal::SIGHUP);
    told.hears("RELOADING=1", 1).await;
    told.hears("MONOTONIC_USEC=", 1).await;
    told.hears("READY=1", 2).await;
    told.signal(Signal::SIGTERM);
    told.hears("STOPPING=1", 1).await;
    assert!(told.child.wait().await.expect("it ends").success());
    assert_eq!(told.count("WATCHDOG=1"), 0);
}

#[tokio::test]
async fn it_says_that_it_lives_to_whoever_wants_to_know() {
    let home = Home::new();
    let told = Told::start(&home, Some(("900000", true)));
    told.hears("WATCHDOG=1", 3).await;
    // A process that stands still is silent.
    told.signal(Signal::SIGSTOP);
    let state = format!("/proc/{}/stat", told.child.id().expect("it runs"));
    eventually("a process that is stopped", async || {
        std::fs::read_to_string(&state).expect("a process").contains(") T ").then_some(())
    })
    .await;
    let heard = told.count("WATCHDOG=1");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    // One may have been on its way.
    assert!(told.count("WATCHDOG=1") <= heard + 1);
    told.signal(Signal::SIGCONT);
    told.hears("WATCHDOG=1", heard + 3).await;
}

#[tokio::test]
async fn a_watchdog_of_another_process_is_none_of_its_business() {
    let home = Home::new();
    let told = Told::start(&home, Some(("100000", false)));
    told.hears("STATUS=Ready", 1).await;
    assert_eq!(told.count("WATCHDOG=1"), 0);
}
