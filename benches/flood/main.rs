//! What a server that floods does to the others.
//!
//! `cargo bench --bench flood [-- ROUNDS]`. Calls a minimal echo server through the real agent, one call after another
//! and from eight clients, while a flooder (this very program) writes as fast as it can: first nowhere near the agent,
//! to `cat >/dev/null`, which is the control, then as a server of the agent, to stderr, to stdout as garbage, and to
//! stdout as messages. These take turns, a second each, for so many rounds (7), and what is printed is the median of the
//! rounds: so what else the machine does hits all of them alike. What counts is the ratio to the control.

#[path = "../gateway/echo.rs"]
mod echo;
#[path = "../support/agent.rs"]
mod support;

use std::{
    error::Error,
    fs,
    io::{self, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::{Agent, percentile};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The arguments that make this program the echo server, or one that floods besides.
const ECHO: &str = "--echo-server";
const FLOODS: [&str; 3] = ["--flood-stderr", "--flood-stdout", "--flood-messages"];
/// Writes to stdout and does nothing else.
const FLOOD_ONLY: &str = "--flood-only";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let is = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if is(FLOOD_ONLY) {
        return Ok(flood(io::stdout(), LINE)?);
    }
    if is(ECHO) {
        if is(FLOODS[0]) {
            std::thread::spawn(|| flood(io::stderr(), LINE));
        } else if is(FLOODS[1]) {
            std::thread::spawn(|| flood(io::stdout(), LINE));
        } else if is(FLOODS[2]) {
            std::thread::spawn(|| flood(io::stdout(), MESSAGE));
        }
        return Ok(echo::serve()?);
    }
    let rounds = arguments.iter().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(7);
    let server = std::env::current_exe()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;

    let mut measured = [const { Vec::new() }; 5];
    for _ in 0..rounds {
        measured[0].push(Measured::of(&runtime, &server, None)?);
        let flooder = Outside::start(&server)?;
        measured[1].push(Measured::of(&runtime, &server, None)?);
        drop(flooder);
        for (flag, measured) in FLOODS.iter().zip(&mut measured[2..]) {
            measured.push(Measured::of(&runtime, &server, Some(flag))?);
        }
    }
    let medians = measured.map(|rounds| Measured::median(&rounds));
    println!("{:<34} {:>29}   {:>29}", "", "1 client: p50, p99 µs, ratio", "8 clients: p50, p99 µs, ratio");
    medians[0].print("nobody floods", None);
    medians[1].print("control: into `cat >/dev/null`", None);
    for (flag, measured) in FLOODS.iter().zip(&medians[2..]) {
        measured.print(&format!("a server with {flag}"), Some(&medians[1]));
    }
    Ok(())
}

/// How long calls are made in one turn.
const TURN: Duration = Duration::from_millis(500);

const LINE: &str = "a line of a flood that nobody asked for\n";
const MESSAGE: &str =
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"flood\"}}\n";

/// Whole lines in pieces that a pipe takes at once, so that answers find their way between them.
fn flood(mut to: impl Write, line: &str) -> io::Result<()> {
    let piece = line.repeat(4096 / line.len());
    loop {
        to.write_all(piece.as_bytes())?;
        to.flush()?;
    }
}

/// The same flooder, writing to a process that has nothing to do with the agent.
struct Outside(Child, Child);

impl Outside {
    fn start(program: &Path) -> Result<Self> {
        let mut flooder = Command::new(program).arg(FLOOD_ONLY).stdout(Stdio::piped()).spawn()?;
        let output = flooder.stdout.take().ok_or("no stdout")?;
        let reader = Command::new("cat").stdin(output).stdout(Stdio::null()).spawn()?;
        Ok(Outside(flooder, reader))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        for process in [&mut self.0, &mut self.1] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Median and 99th percentile in microseconds, with one client and with eight.
#[derive(Clone, Copy)]
struct Measured([[f64; 2]; 2]);

impl Measured {
    fn of(runtime: &tokio::runtime::Runtime, server: &Path, flag: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let flooder = flag.map(|flag| ("flooder", format!("{ECHO}, {flag}")));
        for (name, arguments) in [("echo", ECHO.to_owned())].into_iter().chain(flooder) {
            let app = format!(
                "kind: app\nversion: v3\nmetadata: {{name: {name}}}\nspec:\n  mcp: {{command: {server:?}, args: [{arguments}]}}\n"
            );
            fs::write(folder.path().join(format!("{name}.yaml")), app)?;
        }
        let agent = Agent::start(folder.path())?;
        let apps = 1 + usize::from(flag.is_some());
        while runtime.block_on(agent.status())?.matches("\"state\":\"Ready\"").count() <= apps {
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut both = [[0.0; 2]; 2];
        for (clients, measured) in [1, 8].into_iter().zip(&mut both) {
            let latencies = runtime.block_on(load(&agent.address, clients, TURN))?;
            *measured = [0.5, 0.99].map(|p| percentile(&latencies, p).as_secs_f64() * 1e6);
        }
        Ok(Measured(both))
    }

    fn median(rounds: &[Measured]) -> Measured {
        let median = |clients: usize, of: usize| {
            let mut values: Vec<f64> = rounds.iter().map(|Measured(both)| both[clients][of]).collect();
            values.sort_unstable_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        Measured([[median(0, 0), median(0, 1)], [median(1, 0), median(1, 1)]])
    }

    fn print(&self, what: &str, control: Option<&Measured>) {
        let columns: Vec<String> = (0..2)
            .map(|clients| {
                let [p50, p99] = self.0[clients];
                let ratio = control.map(|control| format!("{:.2}", p99 / control.0[clients][1]));
                format!("{p50:>9.0} {p99:>9.0} {:>9}", ratio.unwrap_or_default())
            })
            .collect();
        println!("{what:<34} {}", columns.join("   "));
    }
}

/// Calls without pause from so many clients; sorted latencies.
async fn load(address: &str, clients: usize, duration: Duration) -> Result<Vec<Duration>> {
    let until = Instant::now() + duration;
    let results = futures_util::future::join_all((0..clients).map(|_| client(address, until))).await;
    let mut latencies = results.into_iter().collect::<Result<Vec<_>>>()?.concat();
    latencies.sort_unstable();
    Ok(latencies)
}

async fn client(address: &str, until: Instant) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"message":"0123456789abcdef"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let request = format!(
        "POST /mcp/echo HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: echo\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (mut latencies, mut answer) = (Vec::new(), Vec::new());
    while Instant::now() < until {
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        answer.clear();
        // The answer is the text and two brackets, quotes and braces that end it.
        while !answer.ends_with(b"}]}}") {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err("the connection was closed".into());
            }
        }
        latencies.push(sent.elapsed());
        if !answer.windows(16).any(|text| text == b"0123456789abcdef") {
            return Err(format!("wrong answer: {}", String::from_utf8_lossy(&answer)).into());
        }
    }
    Ok(latencies)
}
