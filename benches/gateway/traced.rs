//! What traces cost: the same load on an agent without a collector and on agents with one, in turn, so that whatever else
//! the machine does meets all of them.

use super::{Agent, Era, Result, load};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
    time::Duration,
};

const ROUNDS: usize = 3;
const CLIENTS: usize = 8;

/// Agents with these settings, the first one's figures being those that the others are compared with.
const KINDS: [(&str, &[&str]); 3] =
    [("no traces", &[]), ("one of a hundred", &["telemetry.otlp.sample=0.01"]), ("all calls", &[])];

pub fn compare(server: &Path, duration: Duration) -> Result<()> {
    let collector = format!("telemetry.otlp.endpoint=http://{}", collector()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut agents = Vec::new();
    for (index, (_, settings)) in KINDS.iter().enumerate() {
        let collected = (index > 0).then_some(collector.as_str());
        agents.push(Agent::start_with(
            server,
            &collected.into_iter().chain(settings.iter().copied()).collect::<Vec<_>>(),
        )?);
    }
    for (label, era) in [("modern", Era::Modern), ("legacy", Era::Legacy)] {
        let mut rates = [const { Vec::new() }; KINDS.len()];
        let mut costs = [const { Vec::new() }; KINDS.len()];
        for _ in 0..ROUNDS {
            for ((agent, rates), costs) in agents.iter().zip(&mut rates).zip(&mut costs) {
                let before = agent.cpu()?;
                let load = runtime.block_on(load(&agent.address, era, CLIENTS, duration))?;
                costs.push(agent.cpu()?.saturating_sub(before).as_secs_f64() * 1e6 / load.calls() as f64);
                rates.push(load.calls() as f64 / load.elapsed.as_secs_f64());
            }
        }
        let plain = median(&mut rates[0]);
        for (index, (kind, _)) in KINDS.iter().enumerate() {
            let (rate, cost) = (median(&mut rates[index]), median(&mut costs[index]));
            let ratio = rate / plain;
            println!(
                "{label}, {CLIENTS} clients, {kind:16}   {rate:>7.0} calls/s ({ratio:.2})   agent CPU {cost:.1} µs/call"
            );
        }
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Takes whatever it is sent, and says where it is.
fn collector() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || take(stream));
        }
    });
    Ok(address)
}

fn take(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or_default();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}
