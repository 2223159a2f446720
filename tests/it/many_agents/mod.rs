//! Many agents on one repository, each on a host of its own, and what Prometheus tells of them.

mod fleet;
mod network;

use crate::support::{missing, outside, processes::is_root};
use fleet::{Fleet, SITES};
use std::{collections::BTreeMap, path::PathBuf, process::Command, time::Instant};

/// Agents. They follow the same repository and choose apps by the site that they are at.
const AGENTS: usize = 20;
/// One that is cut off from everything, and one that has no way to the repository.
const CUT_OFF: usize = 7;
const STRANDED: usize = 12;

/// Where Prometheus is, if this can be tested here.
fn prometheus(test: &str) -> Option<PathBuf> {
    let program = outside(test, "MCPFLEET_TEST_PROMETHEUS")?;
    if !is_root(test) {
        return None;
    }
    let name = format!("mcpfleet-{}-try", std::process::id());
    let works = |arguments: &[&str]| Command::new("ip").args(arguments).output().is_ok_and(|ran| ran.status.success());
    if !works(&["netns", "add", &name]) {
        missing(test, "network namespaces cannot be made here (`ip netns add`)");
        return None;
    }
    let linked = works(&["-n", &name, "link", "add", "name", "x0", "type", "bridge"]);
    works(&["netns", "del", &name]);
    if !linked {
        missing(test, "there are no network bridges here");
        return None;
    }
    Some(program)
}

/// The queries of docs/fleet.md by the words of the heading that they stand under.
fn documented(heading: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fleet.md");
    let text = std::fs::read_to_string(page).expect("a readable page");
    let (_, section) =
        text.split_once(&format!("\n### {heading}\n")).unwrap_or_else(|| panic!("no heading {heading:?}"));
    let (_, block) = section.split_once("```promql\n").expect("a query");
    block.split_once("```").expect("an end of the query").0.trim().to_owned()
}

#[test]
fn twenty_agents_follow_one_repository_and_the_one_that_was_cut_off_catches_up() {
    let test = "twenty_agents_follow_one_repository_and_the_one_that_was_cut_off_catches_up";
    let Some(program) = prometheus(test) else { return };
    let network = network::Network::new(AGENTS);
    // This thread alone: what it starts is at the bridge, and agents go on to their own host.
    network.enter_hub();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(shown(&network, program));
}

async fn shown(network: &network::Network, program: PathBuf) {
    let began = Instant::now();
    let told = |what: &str| println!("{:5.1} s  {what}", began.elapsed().as_secs_f64());
    let mut fleet = Fleet::start(network, program, AGENTS).await;
    let first = fleet.head();
    let name = |agent: usize| format!("agent-{agent}");
    let revisions = documented("Which agent has which revision in force");
    let runs = documented("Which agent runs what");
    let behind = documented("Which agents are behind");
    let silent = documented("Which agents do not answer, or cannot look");

    // Each agent is on the first revision, and runs what is at its site.
    fleet.all_at(&revisions, &first, &(0..AGENTS).map(name).collect::<Vec<_>>()).await;
    let rows =
        fleet.until("all servers of all sites", &runs, |rows| (rows.len() == 2 * AGENTS).then(|| rows.clone())).await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (labels, _) in &rows {
        *counts.entry(labels["app"].clone()).or_default() += 1;
        let site = labels["agent"].trim_start_matches("agent-").parse::<usize>().expect("a number") % SITES.len();
        assert!(labels["app"] == "everywhere" || labels["app"] == format!("at-{}", SITES[site]), "{labels:?}");
        assert_eq!(labels["revision"], first);
    }
    let each = AGENTS / SITES.len();
    let expected = SITES.iter().map(|site| (format!("at-{site}"), each)).chain([("everywhere".to_owned(), AGENTS)]);
    assert_eq!(counts, expected.collect());
    told(&format!("{AGENTS} agents run what is at their sites, at revision {}", &first[..12]));

    // A push reaches all of them, and changes only what it is about.
    let second = fleet.push_everywhere("second");
    fleet.all_at(&revisions, &second, &(0..AGENTS).map(name).collect::<Vec<_>>()).await;
    fleet
        .until("the new version everywhere, and the others as they were", &runs, |rows| {
            let right = rows.iter().all(|(labels, _)| {
                labels["revision"] == if labels["app"] == "everywhere" { &*second } else { &*first }
            });
            (right && rows.len() == 2 * AGENTS).then_some(())
        })
        .await;
    // What is recorded is recorded each second.
    fleet.until("nobody behind", &behind, |rows| rows.is_empty().then_some(())).await;
    told(&format!("a push is in force on all of them: {}", &second[..12]));

    // Two lose their way; two pushes more come, of which one is for a single site.
    network.link(CUT_OFF, false);
    network.way_to_git(STRANDED, false);
    fleet.push_everywhere("third");
    let fourth = fleet.push_at(SITES[STRANDED % SITES.len()], "fourth");
    let others: Vec<_> = (0..AGENTS).filter(|agent| ![CUT_OFF, STRANDED].contains(agent)).map(name).collect();
    fleet.all_at(&revisions, &fourth, &others).await;
    // Commits of the repository of these tests are a minute apart.
    let mut expected = [(name(CUT_OFF), 120.0), (name(STRANDED), 120.0)];
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    fleet
        .until("the two that are behind", &behind, |rows| {
            let mut agents: Vec<_> = rows.iter().map(|(labels, seconds)| (labels["agent"].clone(), *seconds)).collect();
            agents.sort_by(|a, b| a.0.cmp(&b.0));
            (agents == expected).then_some(())
        })
        .await;
    let rows = fleet
        .until("the one that does not answer, and the one that cannot look", &silent, |rows| {
            (rows.len() == 2).then(|| rows.clone())
        })
        .await;
    told(&format!("two pushes more are in force on {}: {}", others.len(), &fourth[..12]));
    rows.iter()
        .for_each(|(labels, _)| told(&format!("behind, and does not answer or cannot look: {}", labels["agent"])));

    // Both serve what they had.
    for agent in [CUT_OFF, STRANDED] {
        assert_eq!(fleet.version_served(agent).await, "second", "agent {agent} serves what it had");
        assert_eq!(fleet.accepted(agent).await, second);
    }
    let still = fleet.query(&runs).await;
    let of = |agent: usize| still.iter().filter(move |(labels, _)| labels["agent"] == name(agent));
    assert_eq!(of(STRANDED).count(), 2, "it answers, and runs what it ran");
    assert!(of(STRANDED).all(|(labels, _)| labels["revision"] != fourth), "{still:?}");
    told("both go on serving what they had");

    // They come back, and catch up by themselves.
    network.link(CUT_OFF, true);
    network.way_to_git(STRANDED, true);
    fleet.all_at(&revisions, &fourth, &(0..AGENTS).map(name).collect::<Vec<_>>()).await;
    fleet.until("nobody behind", &behind, |rows| rows.is_empty().then_some(())).await;
    for agent in [CUT_OFF, STRANDED] {
        assert_eq!(fleet.version_served(agent).await, "third");
    }
    told("both are back, and nobody is behind");

    // An agent is nothing but what it is told: without its state it comes to the same.
    let lost = fleet.lose_state(0).await;
    told(&format!("agent-0 has lost its state: {}", lost.join(", ")));
    fleet.restart(0).await;
    fleet.all_at(&revisions, &fourth, &(0..AGENTS).map(name).collect::<Vec<_>>()).await;
    assert_eq!(fleet.version_served(0).await, "third");
    assert_eq!(fleet.accepted(0).await, fourth);
    told("without it it has come to the same");
    fleet.stop().await;
    told("all have stopped");
}
