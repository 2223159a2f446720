//! What a scrape of a large fleet costs, beside an answer to `/v1/status` in the same run.
//!
//! `cargo bench --bench metrics [-- APPS]`. Starts the real agent on a folder of so many apps (1,000), whose programs are not
//! there, so that each is listed and none takes time, and asks for one after the other in turn.

#[path = "../fleet/proc.rs"]
#[allow(dead_code, reason = "others look at more")]
mod proc;
#[path = "../support/agent.rs"]
#[allow(dead_code, reason = "others do more with it")]
mod support;

use std::{
    error::Error,
    fs,
    time::{Duration, Instant},
};
use support::{Agent, percentile};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How often each is asked for.
const ROUNDS: usize = 100;

/// What is asked for, and what for.
const QUESTIONS: [(&str, &str, &str); 4] = [
    ("/v1/status", "/v1/status", ""),
    ("/metrics, OpenMetrics", "/metrics", "accept: application/openmetrics-text\r\n"),
    ("/metrics, Prometheus", "/metrics", "accept: text/plain\r\n"),
    ("/metrics, compressed", "/metrics", "accept: application/openmetrics-text\r\naccept-encoding: gzip\r\n"),
];

#[derive(Default)]
struct Figures {
    took: Vec<Duration>,
    cpu: Duration,
    bytes: usize,
}

fn main() -> Result<()> {
    let apps = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1_000);
    let folder = tempfile::tempdir()?;
    for number in 0..apps {
        let app = format!(
            "kind: app\nversion: v3\nmetadata: {{name: app-{number}, labels: {{team: a, env: prod}}}}\nspec:\n  mcp: {{command: \
             /nowhere/server, args: [\"{number}\"]}}\n"
        );
        fs::write(folder.path().join(format!("app-{number}.yaml")), app)?;
    }
    let agent = Agent::start(folder.path())?;
    let pid = agent.child.id();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    loop {
        let status = runtime.block_on(agent.status())?;
        let ended = ["Failed", "Backoff"].map(|state| status.matches(&format!("\"state\":\"{state}\"")).count());
        if ended.iter().sum::<usize>() >= apps {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut figures: [Figures; QUESTIONS.len()] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, path, headers), figures) in QUESTIONS.iter().zip(&mut figures) {
            let (cpu, asked) = (proc::cpu(pid)?, Instant::now());
            figures.bytes = runtime.block_on(ask(&agent.address, path, headers))?;
            figures.took.push(asked.elapsed());
            figures.cpu += proc::cpu(pid)?.saturating_sub(cpu);
        }
    }
    println!(
        "{apps} apps, {ROUNDS} times each\n\n| | p50 | p99 | CPU of the agent | bytes |\n| --- | --- | --- | --- | --- |"
    );
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    for ((name, ..), figures) in QUESTIONS.iter().zip(&mut figures) {
        figures.took.sort_unstable();
        let (p50, p99) = (percentile(&figures.took, 0.5), percentile(&figures.took, 0.99));
        let cpu = ms(figures.cpu) / ROUNDS as f64;
        println!("| {name} | {:.1} ms | {:.1} ms | {cpu:.1} ms | {} |", ms(p50), ms(p99), figures.bytes);
    }
    Ok(())
}

/// Asks for a path, and says how many bytes came.
async fn ask(address: &str, path: &str, headers: &str) -> Result<usize> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        return Err(format!("{path}: {}", String::from_utf8_lossy(answer.get(..200).unwrap_or(&answer))).into());
    }
    Ok(answer.len())
}
