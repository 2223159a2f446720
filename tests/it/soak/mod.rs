//! A long run of everything at once: pushes at random, servers that crash and are killed, clients that come and go. Again
//! and again it is calm, and then the agent must have what it had the first time: no process, file handle, thread or task
//! more, and no more memory; and what runs is what should.
//!
//! `MCPFLEET_TEST_SOAK=SECONDS cargo nextest run --test it soak`; otherwise it is a short one. `MCPFLEET_TEST_SOAK_SEED`
//! has a run again as far as chance goes.

mod chance;
mod clients;
mod fleet;
mod measure;

use crate::{
    lifecycle::world::{Agent, World},
    support::{Repo, eventually},
};
use chance::Chance;
use clients::{Tally, churn};
use fleet::Fleet;
use mcpfleet::status::model::{AppState, AppStatus, InstanceRole, InstanceStatus, Status};
use measure::Sample;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Without a word on how long.
const SHORT: u64 = 12;

/// How long something may take that should be there soon: less than the others' patience, so that what is wrong can be told.
const LONG: Duration = Duration::from_secs(80);

/// Clients at a time.
const CLIENTS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_leaves_nothing_behind() {
    let asked = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let seconds = asked("MCPFLEET_TEST_SOAK").unwrap_or(SHORT);
    let seed = asked("MCPFLEET_TEST_SOAK_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("{seconds} s, MCPFLEET_TEST_SOAK_SEED={seed}");
    let mut chance = Chance::of(seed);

    let world = World::new();
    let repo = Repo::at(&world.path("fleet.git"));
    let server = world.path("fake");
    let mut fleet = Fleet::new(&repo, &server);
    let root = fleet.root.to_string();
    let settings = ["gateway.listen=127.0.0.1:0", "prune.max_fraction=1.0", "prune.allow_empty=true"];
    let url = repo.url();
    let arguments: Vec<&str> =
        [&*url, "--root", &root].into_iter().chain(settings.iter().flat_map(|setting| ["--set", *setting])).collect();
    let mut agent = world.run_with(&arguments);
    let gateway = agent.until("a status", |status| Some(status.agent.gateway.clone())).await;

    let (tally, mut killed, mut samples) = (Tally::default(), 0, Vec::new());
    let began = Instant::now();
    let rounds = (seconds / 30).clamp(2, 12);
    for round in 0..=rounds {
        let until = Instant::now() + Duration::from_secs(seconds) / u32::try_from(rounds + 1).unwrap();
        let stop = CancellationToken::new();
        let mut clients = churn(&gateway, CLIENTS, &mut chance, &tally, &stop);
        while Instant::now() < until {
            fleet.push(&mut chance);
            for _ in 0..chance.below(4) {
                killed += usize::from(crash(&mut agent, &mut chance).await);
                tokio::time::sleep(chance.millis(20, 400)).await;
            }
        }
        stop.cancel();
        while let Some(ended) = clients.join_next().await {
            ended.expect("a client that ends well");
        }
        runs_what_it_should(&mut agent, &fleet).await;
        fleet.calm(1 + usize::try_from(round).unwrap());
        let mut sample = calm(&mut agent, &fleet, &gateway, began).await;
        if seconds > SHORT && [compared(rounds + 1), rounds].contains(&round) {
            sample.memory = rested(agent.id()).await;
        }
        samples.push(sample);
        println!("round {round}: {:?}\n{}", fleet.pushes, samples[samples.len() - 1]);
    }

    println!("pushes: {:?}; killed: {killed}; clients: {:?}", fleet.pushes, tally.all());
    println!("| at | processes | file handles | threads | tasks | memory |\n| --- | --- | --- | --- | --- | --- |");
    samples.iter().for_each(|sample| println!("{sample}"));
    assert!(killed > 0 && fleet.pushes.accepted > 0 && tally.of("answered") > 0, "nothing has happened");
    assert_eq!(tally.of("broken"), 0, "clients that were left without a word");
    no_growth(&samples);
    agent.stop().await;
}

/// Kills a process of a server's. Whether there was one.
async fn crash(agent: &mut Agent<'_>, chance: &mut Chance) -> bool {
    let Some(status) = agent.status().await else { return false };
    let pids: Vec<u32> =
        status.apps.iter().flat_map(|app| &app.instances).filter_map(|instance| instance.pid).collect();
    if pids.is_empty() {
        return false;
    }
    let pid = i32::try_from(*chance.of_these(&pids)).unwrap();
    kill(Pid::from_raw(pid), *chance.of_these(&[Signal::SIGKILL, Signal::SIGTERM, Signal::SIGSEGV])).is_ok()
}

/// Waits until the newest commit is in force, to the letter.
async fn runs_what_it_should(agent: &mut Agent<'_>, fleet: &Fleet<'_>) {
    let head = Some(fleet.head().to_string());
    let mut wrong = Vec::new();
    let look = async || {
        let status = agent.status().await?;
        wrong = match is_at(&status, &head) {
            true => fleet.differs(&status),
            false => vec![format!("it is not at {head:?}")],
        };
        if !wrong.is_empty() {
            wrong.push(format!("{:?}", status.sources));
        }
        wrong.is_empty().then_some(())
    };
    let seen = timeout(LONG, eventually("what should run", look)).await;
    assert!(seen.is_ok(), "{wrong:?}");
}

fn is_at(status: &Status, head: &Option<String>) -> bool {
    let accepted = status.sources.first().and_then(|source| source.git.as_ref()?.accepted.clone());
    accepted == *head
}

/// What the agent has when nothing happens any more.
async fn calm(agent: &mut Agent<'_>, fleet: &Fleet<'_>, gateway: &str, began: Instant) -> Sample {
    runs_what_it_should(agent, fleet).await;
    let mut busy = Vec::new();
    let look = async || {
        let status = agent.status().await?;
        busy = status.apps.iter().filter(|app| app.state.is_some() && !is_quiet(app)).cloned().collect();
        busy.is_empty().then_some(())
    };
    let seen = timeout(LONG, eventually("no session, and nothing on its way", look)).await;
    assert!(seen.is_ok(), "{busy:#?}");
    let pid = agent.id();
    // What ends takes a moment to be gone: until two looks, half a second apart, are the same.
    let mut before = None;
    eventually("an agent at rest", async || {
        let sample = Sample::take(pid, began.elapsed().as_secs(), tasks(gateway).await?)?;
        let now = (sample.processes, sample.handles, sample.threads, sample.tasks);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let same = before.replace(now) == Some(now);
        same.then_some(sample)
    })
    .await
}

/// How many tasks the agent's runtime has.
async fn tasks(gateway: &str) -> Option<usize> {
    let metrics = reqwest::get(format!("{gateway}/metrics")).await.ok()?.text().await.ok()?;
    metrics.lines().find_map(|line| line.strip_prefix("mcpfleet_runtime_tasks "))?.parse().ok()
}

fn is_quiet(app: &AppStatus) -> bool {
    let lasts = |instance: &InstanceStatus| !instance.draining && instance.role != InstanceRole::Session;
    app.state == Some(AppState::Ready) && app.sessions == 0 && app.instances.iter().all(lasts) && !app.updating
}

/// Which of so many looks the last is compared to: what is remembered within bounds is full by then, and what is made once is
/// there.
fn compared(looks: u64) -> u64 {
    (looks / 3).max(1)
}

/// The least memory while the agent gives back what is free, which it does every half minute.
async fn rested(agent: u32) -> usize {
    let (began, mut least) = (Instant::now(), usize::MAX);
    while began.elapsed() < Duration::from_secs(32) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        least = least.min(Sample::take(agent, 0, 0).expect("an agent").memory);
    }
    least
}

fn no_growth(samples: &[Sample]) {
    let first = usize::try_from(compared(samples.len() as u64)).unwrap();
    let (first, last) = (&samples[first], &samples[samples.len() - 1]);
    assert_eq!(last.processes, first.processes, "processes that nobody has ended");
    // A connection more or less is kept for who comes next, and a thread or two for what may block. What leaks does so again
    // and again.
    for (what, first, last) in [
        ("file handles", first.handles, last.handles),
        ("tasks", first.tasks, last.tasks),
        ("threads", first.threads, last.threads),
    ] {
        assert!(last <= first + 4, "{what} that nobody gives back: {first} and {last}");
    }
    let bound = first.memory + first.memory / 4 + 4096;
    assert!(last.memory <= bound, "memory that nobody gives back: {} and {} KiB", first.memory, last.memory);
}
