//! What a large fleet costs: many shared servers started at once, and whether the agent answers meanwhile.
//!
//! `cargo bench --bench fleet [-- APPS]`. Starts the real agent on a folder of so many apps (500), each a minimal echo
//! server (this very program), and asks for the status, one request after another, until all of them are ready.

#[path = "../gateway/echo.rs"]
mod echo;
mod proc;
#[path = "../support/agent.rs"]
mod support;

use std::{
    error::Error,
    fs,
    time::{Duration, Instant},
};
use support::{Agent, percentile};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The argument that makes this program the echo server.
const ECHO: &str = "--echo-server";

fn main() -> Result<()> {
    if std::env::args().any(|arg| arg == ECHO) {
        return Ok(echo::serve()?);
    }
    let apps = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(500);
    let server = std::env::current_exe()?;
    let folder = tempfile::tempdir()?;
    for number in 0..apps {
        let app = format!(
            "kind: app\nversion: v3\nmetadata: {{name: echo-{number}}}\nspec:\n  mcp: {{command: {server:?}, args: [{ECHO}]}}\n"
        );
        fs::write(folder.path().join(format!("echo-{number}.yaml")), app)?;
    }

    let begin = Instant::now();
    let agent = Agent::start(folder.path())?;
    let pid = agent.child.id();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut answers, mut most_starting, mut most_threads) = (Vec::new(), 0, 0);
    let took = loop {
        let asked = Instant::now();
        let status = runtime.block_on(agent.status())?;
        answers.push(asked.elapsed());
        let count = |state: &str| status.matches(&format!("\"state\":\"{state}\"")).count();
        // Those that have a process and have not answered, apart from those that wait for their turn.
        most_starting = most_starting.max(proc::children(pid)?.len().saturating_sub(count("Ready")));
        most_threads = most_threads.max(proc::number(pid, "Threads:")?);
        // The agent has a state as well.
        if count("Ready") > apps {
            break begin.elapsed();
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    answers.sort_unstable();
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    println!("{apps} apps ready after            {:.1} s", took.as_secs_f64());
    println!("a start                        {:.1} ms", ms(took) / apps as f64);
    println!("answers to /v1/status          {}", answers.len());
    println!("  p50                          {:.1} ms", ms(percentile(&answers, 0.5)));
    println!("  p99                          {:.1} ms", ms(percentile(&answers, 0.99)));
    println!("  longest                      {:.1} ms", ms(percentile(&answers, 1.0)));
    println!("processes starting at a time   {most_starting} at most");
    println!("threads of the agent           {most_threads} at most, {} now", proc::number(pid, "Threads:")?);
    println!("CPU time of the agent          {:.1} s", proc::cpu(pid)?.as_secs_f64());
    println!("RSS of the agent               {:.1} MiB", proc::number(pid, "VmRSS:")? as f64 / 1024.0);
    let keepers = proc::children(pid)?;
    let pss: usize = keepers.iter().filter_map(|pid| proc::pss_kib(*pid)).sum();
    println!("PSS of a keeper                {:.0} KiB ({} of them)", pss as f64 / keepers.len() as f64, keepers.len());
    Ok(())
}
