//! Loads, and what came of them.

use super::{
    ECHO, Result,
    client::{Client, TEXT, Target, call},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tokio::{sync::Notify, task::yield_now};

/// How many connections share an open loop.
const OPEN: usize = 64;

/// Latencies of one run.
pub struct Load {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Load {
    fn new(mut latencies: Vec<Duration>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        Load { latencies, elapsed }
    }

    pub fn calls(&self) -> usize {
        self.latencies.len()
    }

    /// Calls a second.
    pub fn rate(&self) -> f64 {
        self.calls() as f64 / self.elapsed.as_secs_f64()
    }

    pub fn percentile(&self, p: f64) -> Duration {
        super::agent::percentile(&self.latencies, p)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |p| self.percentile(p).as_secs_f64() * 1e6;
        write!(f, "{:>7.0} calls/s   p50 {:>6.0} µs   p99 {:>7.0} µs", self.rate(), micros(0.5), micros(0.99))
    }
}

/// The floor: the same calls over the server's own pipes, one at a time.
pub fn direct(server: &Path, duration: Duration) -> Result<Load> {
    let mut child = Command::new(server).arg(ECHO).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or("no stdin")?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    let (mut latencies, mut line) = (Vec::new(), String::new());
    let begin = Instant::now();
    while begin.elapsed() < duration {
        let request = call(latencies.len() as u64, "echo", false) + "\n";
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

/// How long it takes to open a session, at the median; nothing where there are none.
pub async fn sessions(target: &Target, count: usize) -> Result<Duration> {
    if target.stateless {
        return Ok(Duration::ZERO);
    }
    let mut took = Vec::new();
    for _ in 0..count {
        let begin = Instant::now();
        let client = Client::connect(target).await?;
        took.push(begin.elapsed());
        client.end().await?;
    }
    Ok(Load::new(took, Duration::ZERO).percentile(0.5))
}

/// Connects so many clients, each in a session of its own, and lets each call once.
pub async fn connect(target: &Target, clients: usize) -> Result<Vec<Client>> {
    let mut connected = Vec::new();
    for _ in 0..clients {
        let mut client = Client::connect(target).await?;
        client.call().await?;
        connected.push(client);
    }
    Ok(connected)
}

pub async fn disconnect(clients: Vec<Client>) {
    for client in clients {
        // What a gateway does with it is not what is measured.
        let _ = client.end().await;
    }
}

/// Each client calls again as soon as it has its answer.
pub async fn closed(clients: Vec<Client>, duration: Duration) -> Result<(Load, Vec<Client>)> {
    let begin = Instant::now();
    let runs = clients.into_iter().map(async |mut client: Client| {
        let mut latencies = Vec::new();
        while begin.elapsed() < duration {
            let sent = Instant::now();
            latencies.push(client.call().await?.duration_since(sent));
        }
        Ok((client, latencies))
    });
    let results = futures_util::future::join_all(runs).await;
    let elapsed = begin.elapsed();
    let (clients, latencies): (Vec<_>, Vec<_>) = results.into_iter().collect::<Result<Vec<_>>>()?.into_iter().unzip();
    Ok((Load::new(latencies.concat(), elapsed), clients))
}

/// Calls come at a fixed rate, whether the earlier ones have been answered or not; a latency counts from when the call
/// was due.
pub async fn open(target: &Target, rate: f64, duration: Duration) -> Result<Load> {
    let clients = connect(target, OPEN).await?;
    // Real-time priority is withdrawn for a moment from whoever has used all of the second before.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let (due, news, over) = (RefCell::new(VecDeque::new()), Notify::new(), Cell::new(false));
    let pace = async {
        let (begin, mut sent) = (Instant::now(), 0.0);
        while begin.elapsed() < duration {
            while sent / rate <= begin.elapsed().as_secs_f64() {
                due.borrow_mut().push_back(begin + Duration::from_secs_f64(sent / rate));
                news.notify_one();
                sent += 1.0;
            }
            // Timers of the runtime are too coarse, and it has nothing else to do but to look for answers after this.
            std::thread::sleep(Duration::from_micros(20));
            yield_now().await;
        }
        over.set(true);
        news.notify_waiters();
    };
    let runs = clients.into_iter().map(|mut client| {
        let (due, news, over) = (&due, &news, &over);
        async move {
            let mut latencies = Vec::new();
            loop {
                let next = due.borrow_mut().pop_front();
                match next {
                    Some(due) => latencies.push(client.call().await?.saturating_duration_since(due)),
                    None if over.get() => break,
                    None => news.notified().await,
                }
            }
            let _ = client.end().await;
            Ok(latencies)
        }
    });
    let (latencies, ()) = tokio::join!(futures_util::future::join_all(runs), pace);
    let latencies: Vec<Vec<Duration>> = latencies.into_iter().collect::<Result<_>>()?;
    Ok(Load::new(latencies.concat(), duration))
}
