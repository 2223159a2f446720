//! The gateways, and how each is started with the echo server behind it.

use super::{
    ECHO, Result,
    agent::Agent,
    client::{Client, Target},
    proc,
};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub struct Peer {
    pub name: &'static str,
    kind: Kind,
}

enum Kind {
    Ours {
        stateless: bool,
    },
    /// Started by a command from the folder or file that an environment variable names.
    Other {
        variable: &'static str,
        what: &'static str,
        command: fn(&Place<'_>) -> Result<Command>,
        target: Target,
    },
}

/// What a command is made of.
struct Place<'a> {
    /// What the environment variable names.
    installed: &'a Path,
    port: u16,
    /// The echo server.
    server: &'a Path,
    /// Where the gateway is started.
    folder: &'a Path,
}

/// A gateway that runs; ended with all that it has started on drop.
pub struct Running {
    pub target: Target,
    process: Process,
}

enum Process {
    Ours(Agent, #[expect(dead_code, reason = "the folder is removed with it")] tempfile::TempDir),
    Other(Child, #[expect(dead_code, reason = "the folder is removed with it")] tempfile::TempDir),
}

/// All that are compared.
pub fn all() -> Vec<Peer> {
    let target = |path, tool| Target { address: String::new(), path, tool, stateless: false };
    let npm = "MCPFLEET_BENCH_NPM";
    let npm_what = "a folder with npm's supergateway@4.0.0 and mcp-proxy@6.7.19";
    let other =
        |name, variable, what, command, target| Peer { name, kind: Kind::Other { variable, what, command, target } };
    vec![
        Peer { name: "mcpfleet, sessions", kind: Kind::Ours { stateless: false } },
        Peer { name: "mcpfleet, stateless", kind: Kind::Ours { stateless: true } },
        other("supergateway 4.0.0", npm, npm_what, supergateway, target("/mcp", "echo")),
        other("npm mcp-proxy 6.7.19", npm, npm_what, npm_mcp_proxy, target("/mcp", "echo")),
        other(
            "PyPI mcp-proxy 0.13.0",
            "MCPFLEET_BENCH_PYPI_MCP_PROXY",
            "the program mcp-proxy of PyPI's mcp-proxy==0.13.0",
            pypi_mcp_proxy,
            target("/mcp", "echo"),
        ),
        other(
            "crate mcp-proxy 0.6.0",
            "MCPFLEET_BENCH_CRATE_MCP_PROXY",
            "the program mcp-proxy of `cargo install mcp-proxy --version 0.6.0`",
            crate_mcp_proxy,
            target("/", "echo/echo"),
        ),
    ]
}

fn supergateway(place: &Place<'_>) -> Result<Command> {
    let Place { installed, port, server, .. } = place;
    let mut command = Command::new("node");
    command.arg(installed.join("node_modules/supergateway/dist/index.js"));
    command.arg("--stdio").arg(format!("{} {ECHO}", server.display()));
    command.args(["--outputTransport", "streamableHttp", "--stateful", "--logLevel", "none", "--port"]);
    command.arg(port.to_string());
    Ok(command)
}

fn npm_mcp_proxy(place: &Place<'_>) -> Result<Command> {
    let Place { installed, port, server, .. } = place;
    let mut command = Command::new("node");
    command.arg(installed.join("node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs"));
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--server", "stream", "--"]);
    command.arg(server).arg(ECHO);
    Ok(command)
}

fn pypi_mcp_proxy(place: &Place<'_>) -> Result<Command> {
    let Place { installed, port, server, .. } = place;
    let mut command = Command::new(installed);
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--log-level", "ERROR", "--"]);
    command.arg(server).arg(ECHO);
    Ok(command)
}

fn crate_mcp_proxy(place: &Place<'_>) -> Result<Command> {
    let Place { installed, port, server, .. } = place;
    let mut command = Command::new(installed);
    let config = format!(
        "[proxy]\nname = \"bench\"\nseparator = \"/\"\n[proxy.listen]\nhost = \"127.0.0.1\"\nport = {port}\n\
         [[backends]]\nname = \"echo\"\ntransport = \"stdio\"\ncommand = {server:?}\nargs = [\"{ECHO}\"]\n"
    );
    fs::write(place.folder.join("proxy.toml"), config)?;
    command.args(["--config", "proxy.toml"]).env("RUST_LOG", "error");
    Ok(command)
}

impl Peer {
    /// Starts it and waits until it serves; `None` if it is not here, which is said.
    pub fn start(&self) -> Result<Option<Running>> {
        let folder = tempfile::tempdir()?;
        let server = std::env::current_exe()?;
        let running = match &self.kind {
            Kind::Ours { stateless } => {
                let app = format!(
                    "kind: app\nversion: v3\nmetadata: {{name: echo}}\nspec:\n  mcp: {{command: {server:?}, args: [{ECHO}], max_instances: 300, warm: 4}}\n"
                );
                fs::write(folder.path().join("echo.yaml"), app)?;
                let agent = Agent::start(folder.path()).map_err(|error| error.to_string())?;
                let address = agent.address.clone();
                let target = Target { address, path: "/mcp/echo", tool: "echo", stateless: *stateless };
                Running { target, process: Process::Ours(agent, folder) }
            }
            Kind::Other { variable, what, command, target } => {
                let Some(installed) = std::env::var_os(variable) else {
                    println!("{}: not measured: {variable} must name {what}", self.name);
                    return Ok(None);
                };
                let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
                let place = Place { installed: Path::new(&installed), port, server: &server, folder: folder.path() };
                let mut command = command(&place)?;
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                let child = command.current_dir(folder.path()).process_group(0).spawn()?;
                let target = Target { address: format!("127.0.0.1:{port}"), ..target.clone() };
                Running { target, process: Process::Other(child, folder) }
            }
        };
        running.serves(self.name)?;
        Ok(Some(running))
    }
}

impl Running {
    pub fn pid(&self) -> u32 {
        match &self.process {
            Process::Ours(agent, _) => agent.child.id(),
            Process::Other(child, _) => child.id(),
        }
    }

    /// The gateway and all that have come from it.
    pub fn tree(&self) -> Vec<u32> {
        let mut all = vec![self.pid()];
        let mut next = 0;
        while let Some(pid) = all.get(next) {
            all.extend(proc::children(*pid).unwrap_or_default());
            next += 1;
        }
        all
    }

    /// Waits for a first answer.
    fn serves(&self, name: &str) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let begin = Instant::now();
        loop {
            let called = runtime.block_on(async {
                let mut client = Client::connect(&self.target).await?;
                client.call().await?;
                client.end().await
            });
            match called {
                Ok(()) => return Ok(()),
                Err(error) if begin.elapsed() > Duration::from_secs(30) => {
                    return Err(format!("{name} does not serve: {error}").into());
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Process::Other(child, _) = &mut self.process {
            if let Ok(group) = i32::try_from(child.id()) {
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            let _ = child.wait();
        }
    }
}
