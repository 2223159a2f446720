//! What the gateway costs: the latency that it adds to a call over direct stdio, calls a second at 32 clients, and its
//! own CPU time a call; then how much traces take of that.
//!
//! `cargo bench --bench gateway [-- SECONDS]`. Starts the real agent with a minimal echo server (this very program, see
//! `echo.rs`) and drives it over loopback from one thread, so that generator, agent and server share the machine. Every
//! answer is checked.

mod echo;
mod traced;

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The argument that makes this program the echo server.
const ECHO: &str = "--echo-server";

fn main() -> Result<()> {
    if std::env::args().any(|arg| arg == ECHO) {
        return Ok(echo::serve()?);
    }
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(5);
    let duration = Duration::from_secs(seconds);
    let server = std::env::current_exe()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;

    let direct = direct(&server, duration / 2)?;
    println!("direct stdio, 1 in flight    {direct}");
    let agent = Agent::start(&server)?;
    for (label, era) in [("modern", Era::Modern), ("legacy", Era::Legacy)] {
        for clients in [1, 8, 32] {
            let before = agent.cpu()?;
            let load = runtime.block_on(load(&agent.address, era, clients, duration))?;
            let cpu = agent.cpu()?.saturating_sub(before);
            let per_call = cpu.as_secs_f64() * 1e6 / load.calls() as f64;
            println!("{label}, {clients:>2} clients           {load}   agent CPU {per_call:.1} µs/call");
            if clients == 1 {
                let added = load.percentile(0.5).saturating_sub(direct.percentile(0.5));
                println!("{label}: added to direct stdio at p50: {:.0} µs", added.as_secs_f64() * 1e6);
            }
        }
    }
    println!("agent RSS {} KiB", agent.rss_kib()?);
    drop(agent);
    traced::compare(&server, duration)
}

/// Latencies of one run.
struct Load {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Load {
    fn new(mut latencies: Vec<Duration>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        Load { latencies, elapsed }
    }

    fn calls(&self) -> usize {
        self.latencies.len()
    }

    fn percentile(&self, p: f64) -> Duration {
        let index = ((self.latencies.len() as f64 * p) as usize).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = |p| self.percentile(p).as_secs_f64() * 1e6;
        let rate = self.calls() as f64 / self.elapsed.as_secs_f64();
        write!(f, "{rate:>7.0} calls/s   p50 {:>5.0} µs   p99 {:>6.0} µs", micros(0.5), micros(0.99))
    }
}

const TEXT: &str = "0123456789abcdef0123456789abcdef";

fn call(id: u64, era: Era) -> String {
    let meta = match era {
        Era::Modern => {
            r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#
        }
        Era::Legacy => "",
    };
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"message":"{TEXT}"}}{meta}}}}}"#
    )
}

/// The floor: the same calls over the server's own pipes, one at a time.
fn direct(server: &Path, duration: Duration) -> Result<Load> {
    let mut child = Command::new(server).arg(ECHO).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or("no stdin")?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    let (mut latencies, mut line) = (Vec::new(), String::new());
    let begin = Instant::now();
    while begin.elapsed() < duration {
        let request = call(latencies.len() as u64, Era::Modern) + "\n";
        let sent = Instant::now();
        input.write_all(request.as_bytes())?;
        line.clear();
        output.read_line(&mut line)?;
        latencies.push(sent.elapsed());
        if !line.contains(TEXT) {
            return Err(format!("wrong answer: {line}").into());
        }
    }
    drop(input);
    child.wait()?;
    Ok(Load::new(latencies, begin.elapsed()))
}

#[derive(Clone, Copy, PartialEq)]
enum Era {
    Legacy,
    Modern,
}

async fn load(address: &str, era: Era, clients: usize, duration: Duration) -> Result<Load> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Client::connect(address, era).await?);
    }
    let begin = Instant::now();
    let runs = connections.into_iter().map(|client| client.run(begin + duration));
    let results = futures_util::future::join_all(runs).await;
    let elapsed = begin.elapsed();
    let latencies: Vec<Vec<Duration>> = results.into_iter().collect::<Result<_>>()?;
    Ok(Load::new(latencies.concat(), elapsed))
}

struct Client {
    stream: TcpStream,
    era: Era,
    head: String,
    buffer: Vec<u8>,
    calls: u64,
}

impl Client {
    async fn connect(address: &str, era: Era) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST /mcp/echo HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n"
        );
        let mut client = Client { stream, era, head, buffer: Vec::with_capacity(4096), calls: 0 };
        match era {
            Era::Modern => {
                client.head += "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: echo\r\n"
            }
            Era::Legacy => {
                let initialize = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
                let (head, _) = client.exchange(initialize).await?;
                let session = head.lines().find_map(|line| line.strip_prefix("mcp-session-id: "));
                client.head += &format!("mcp-session-id: {}\r\n", session.ok_or("no session")?);
                client.exchange(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
            }
        }
        Ok(client)
    }

    async fn run(mut self, until: Instant) -> Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        while Instant::now() < until {
            self.calls += 1;
            let request = call(self.calls, self.era);
            let sent = Instant::now();
            let (_, body) = self.exchange(&request).await?;
            latencies.push(sent.elapsed());
            let id = format!("\"id\":{},", self.calls);
            if !body.contains(TEXT) || !body.contains(&id) {
                return Err(format!("wrong answer: {body}").into());
            }
        }
        Ok(latencies)
    }

    /// One request, and the head and body of its answer.
    async fn exchange(&mut self, body: &str) -> Result<(String, String)> {
        let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the connection was closed".into());
            }
            let text = std::str::from_utf8(&self.buffer)?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.ok_or_else(|| format!("no length: {head}"))?.parse()?;
            if body.len() >= length {
                return Ok((head.to_owned(), body.to_owned()));
            }
        }
    }
}

/// The real agent on a folder with one app; killed with everything of it on drop.
struct Agent {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Agent {
    fn start(server: &Path) -> Result<Self> {
        Agent::start_with(server, &[])
    }

    /// The same with these settings, each `PATH=VALUE`.
    fn start_with(server: &Path, settings: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let resources = folder.path().join("resources");
        fs::create_dir(&resources)?;
        let app = format!(
            "kind: app\nversion: v3\nmetadata: {{name: echo}}\nspec:\n  mcp: {{command: {server:?}, args: [{ECHO}], max_instances: 64, warm: 4}}\n"
        );
        fs::write(resources.join("echo.yaml"), app)?;
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective())?.ok_or("no user")?.name;
        let set = |setting: &str, value: &str| format!("{setting}={value}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcpfleet"))
            .arg("run")
            .arg(&resources)
            .args(["--set", "gateway.listen=127.0.0.1:0"])
            .args(["--set", &set("state_dir", &folder.path().join("state").to_string_lossy())])
            .args(["--set", &set("control_socket", &folder.path().join("control.sock").to_string_lossy())])
            .args(["--set", "app_service.allow_root=true", "--set", &set("app_service.default_host_user", &user)])
            .args(settings.iter().flat_map(|setting| ["--set", *setting]))
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut agent = Agent { child, address: String::new(), _folder: folder };
        for line in output.lines() {
            let line = line?;
            if let Some(rest) = line.split_once("http://").map(|(_, rest)| rest) {
                agent.address = rest.split('/').next().unwrap_or_default().to_owned();
                return Ok(agent);
            }
        }
        Err("the agent did not say where it listens".into())
    }

    /// CPU time of the agent itself, user and system.
    fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        // A tick is a hundredth of a second to user space on Linux, whatever the kernel's own clock.
        Ok(Duration::from_millis(ticks * 10))
    }

    fn rss_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
