//! What mcpfleet costs beside other gateways from stdio to HTTP, on the same minimal server, in one run.
//!
//! `cargo bench --bench peers [-- SECONDS [ROUNDS]] [NAME]`: for each gateway in turn calls a second in a closed loop with 1, 8, 32
//! and 256 clients, each in a session of its own, the gateway's own CPU time a call, latencies in an open loop at half of
//! what it did with 32 clients, the time to open a session, and memory. Every answer is checked. Of several rounds the
//! median is shown. The others are found through the environment (see `peer.rs`); those that are missing are named.

#[expect(dead_code, reason = "other benchmarks ask the agent for its status")]
#[path = "../support/agent.rs"]
mod agent;
mod client;
#[path = "../gateway/echo.rs"]
mod echo;
mod load;
mod peer;
#[path = "../fleet/proc.rs"]
mod proc;

use load::Load;
use peer::Peer;
use std::{error::Error, time::Duration};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The argument that makes this program the echo server.
const ECHO: &str = "--echo-server";

const CLIENTS: [usize; 4] = [1, 8, 32, 256];

/// How many sessions are opened, one after the other, to see how long it takes.
const SESSIONS: usize = 20;

fn main() -> Result<()> {
    if std::env::args().any(|arg| arg == ECHO) {
        return Ok(echo::serve()?);
    }
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let duration = Duration::from_secs(numbers.next().unwrap_or(3));
    let rounds = numbers.next().unwrap_or(1);

    let server = std::env::current_exe()?;
    let direct = load::direct(&server, duration)?;
    println!("{:28} {direct}", "the server over its pipes");
    // Only those with this in their name.
    let name = std::env::args().skip(1).find(|arg| !arg.starts_with('-') && arg.parse::<u64>().is_err());
    let peers = peer::all().into_iter().filter(|peer| name.as_ref().is_none_or(|name| peer.name.contains(name)));
    let peers: Vec<Peer> = peers.collect();
    let mut reports: Vec<Vec<Report>> = peers.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for (peer, reports) in peers.iter().zip(&mut reports) {
            match measure(peer, duration) {
                Ok(Some(report)) => reports.push(report),
                Ok(None) => {}
                Err(error) => println!("{}: round {round}: {error}", peer.name),
            }
        }
    }
    for (peer, reports) in peers.iter().zip(reports).filter(|(_, reports)| !reports.is_empty()) {
        print(peer, reports, &direct);
    }
    Ok(())
}

/// What has been measured of one gateway.
struct Report {
    /// For each number of clients, and the gateway's CPU time a call.
    closed: Vec<(Load, Duration)>,
    /// At half of what it did with 32 clients.
    open: Load,
    /// Until a session is open; none where there are no sessions.
    session: Duration,
    /// KiB, of the gateway itself, with 32 clients and with 256.
    rss: [usize; 2],
    /// With all its children, and with 32 clients.
    tree: usize,
}

fn measure(peer: &Peer, duration: Duration) -> Result<Option<Report>> {
    let Some(running) = peer.start()? else { return Ok(None) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let session = runtime.block_on(load::sessions(&running.target, SESSIONS))?;
    let (mut closed, mut rss, mut tree) = (Vec::new(), [0; 2], 0);
    let mut rate = 0.0;
    for clients in CLIENTS {
        let connected = runtime.block_on(load::connect(&running.target, clients))?;
        let before = proc::cpu(running.pid())?;
        let (load, connected) = runtime.block_on(load::closed(connected, duration))?;
        let cpu = proc::cpu(running.pid())?.saturating_sub(before);
        let memory = proc::number(running.pid(), "VmRSS:")?;
        match clients {
            32 => {
                rate = load.rate();
                rss[0] = memory;
                tree = running.tree().into_iter().filter_map(proc::pss_kib).sum();
            }
            256 => rss[1] = memory,
            _ => {}
        }
        runtime.block_on(load::disconnect(connected));
        let calls = u32::try_from(load.calls().max(1))?;
        closed.push((load, cpu / calls));
    }
    let open = runtime.block_on(load::open(&running.target, rate / 2.0, duration))?;
    Ok(Some(Report { closed, open, session, rss, tree }))
}

fn print(peer: &Peer, mut reports: Vec<Report>, direct: &Load) {
    for (n, clients) in CLIENTS.into_iter().enumerate() {
        reports.sort_by(|a, b| a.closed[n].0.rate().total_cmp(&b.closed[n].0.rate()));
        let (load, cpu) = &reports[reports.len() / 2].closed[n];
        let cpu = cpu.as_secs_f64() * 1e6;
        print!("{:28} {load}   {clients:>3} clients, CPU {cpu:>5.1} µs/call", peer.name);
        match clients {
            1 => println!(
                ", {:.0} µs more than pipes",
                load.percentile(0.5).saturating_sub(direct.percentile(0.5)).as_secs_f64() * 1e6
            ),
            _ => println!(),
        }
    }
    reports.sort_by_key(|report| report.open.percentile(0.99));
    let report = &reports[reports.len() / 2];
    println!("{:28} {}   open loop", peer.name, report.open);
    let mib = |kib: usize| kib as f64 / 1024.0;
    if !report.session.is_zero() {
        println!("{:28} session in {:.2} ms", peer.name, report.session.as_secs_f64() * 1e3);
    }
    println!(
        "{:28} RSS {:.1} MiB with 32 clients, {:.1} with 256; {:.1} MiB (PSS) with its children and 32",
        peer.name,
        mib(report.rss[0]),
        mib(report.rss[1]),
        mib(report.tree),
    );
}
