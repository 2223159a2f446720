//! The real agent under a benchmark.

use std::{
    error::Error,
    ffi::OsStr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Killed with everything of it on drop.
pub struct Agent {
    pub child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    _folder: tempfile::TempDir,
}

impl Agent {
    /// Runs an agent on a folder of resources, and returns as soon as it listens.
    pub fn start(resources: &Path) -> Result<Self> {
        Agent::start_with(&[resources.as_os_str()])
    }

    /// The same with `run` and these arguments.
    pub fn start_with(arguments: &[&OsStr]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective())?.ok_or("no user")?.name;
        // Known before the agent says so, which it does only when the first servers run.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let set = |setting: &str, value: &str| format!("{setting}={value}");
        let child = Command::new(env!("CARGO_BIN_EXE_mcpfleet"))
            .arg("run")
            .args(arguments)
            .args(["--set", &set("gateway.listen", &address)])
            .args(["--set", &set("state_dir", &folder.path().join("state").to_string_lossy())])
            .args(["--set", &set("control_socket", &folder.path().join("control.sock").to_string_lossy())])
            .args(["--set", "app_service.allow_root=true", "--set", &set("app_service.default_host_user", &user)])
            .env("RUST_LOG", "error")
            .stdout(Stdio::null())
            .spawn()?;
        let agent = Agent { child, address, _folder: folder };
        while std::net::TcpStream::connect(&agent.address).is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(agent)
    }

    /// What `/v1/status` answers.
    pub async fn status(&self) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let head = format!("GET /v1/status HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        stream.write_all(head.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of sorted durations.
pub fn percentile(sorted: &[Duration], p: f64) -> Duration {
    let index = ((sorted.len() as f64 * p) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}
