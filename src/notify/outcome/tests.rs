use super::*;
use proptest::prelude::*;

fn app(name: &str, commit: &str, state: AppState) -> AppLook {
    AppLook {
        name: name.into(),
        source: "fleet".into(),
        commit: Some(commit.into()),
        state,
        reason: None,
        updating: false,
    }
}

/// A source at which a commit is accepted, and in force.
fn at(commit: &str) -> SourceLook {
    let commit = Some(commit.to_owned());
    SourceLook {
        name: "fleet".into(),
        seen: commit.clone(),
        accepted: commit.clone(),
        in_force: commit,
        ..SourceLook::default()
    }
}

fn judged(source: SourceLook, commits: &[&str]) -> SourceLook {
    SourceLook { judged: commits.iter().map(|commit| ((*commit).to_owned(), None)).collect(), ..source }
}

struct World(Outcomes);

impl World {
    fn new() -> World {
        World(Outcomes::new())
    }

    /// What is known after a look, newest first: `c1 success`.
    fn sees(&mut self, source: SourceLook, apps: &[AppLook]) -> Vec<String> {
        look(&mut self.0, &Look { sources: vec![source], apps: apps.to_vec() });
        self.0["fleet"].outcomes.iter().map(|outcome| format!("{} {}", outcome.commit, outcome.state)).collect()
    }

    fn said(&self, commit: &str) -> &str {
        let outcome = self.0["fleet"].outcomes.iter().find(|outcome| outcome.commit == commit);
        outcome.map(|outcome| outcome.description.as_str()).unwrap_or_default()
    }
}

#[test]
fn a_commit_is_pending_until_what_it_wants_runs() {
    let mut world = World::new();
    let before = SourceLook { in_force: None, ..at("c1") };
    assert_eq!(world.sees(before, &[]), ["c1 pending"]);
    assert_eq!(world.said("c1"), "accepted, and on its way");
    assert_eq!(world.sees(at("c1"), &[app("a", "c1", AppState::Starting)]), ["c1 pending"]);
    assert_eq!(world.sees(at("c1"), &[app("a", "c1", AppState::Ready)]), ["c1 success"]);
    assert_eq!(world.said("c1"), "applied: 1 app runs");
    // That it breaks down later is not the commit's fault.
    assert_eq!(world.sees(at("c1"), &[app("a", "c1", AppState::Backoff)]), ["c1 success"]);
    // The next one has nothing for this agent.
    let next = judged(at("c2"), &["c2", "c1"]);
    assert_eq!(world.sees(next, &[app("a", "c1", AppState::Backoff)]), ["c2 success", "c1 success"]);
    assert_eq!(world.said("c2"), "applied: nothing of it is for this agent");
    // And the third one takes it away.
    assert_eq!(world.sees(judged(at("c3"), &["c3", "c2"]), &[])[0], "c3 success");
    assert_eq!(world.said("c3"), "applied: 1 stopped");
}

#[test]
fn what_does_not_run_is_a_failure_that_heals() {
    let mut world = World::new();
    let broken = AppLook { reason: Some("exit status 7".into()), ..app("a", "c1", AppState::Backoff) };
    assert_eq!(world.sees(at("c1"), &[broken.clone(), app("b", "c1", AppState::Ready)]), ["c1 failure"]);
    assert_eq!(world.said("c1"), "a does not run: exit status 7");
    assert_eq!(world.sees(at("c1"), &[app("a", "c1", AppState::Starting)]), ["c1 failure"]);
    assert_eq!(world.sees(at("c1"), &[app("a", "c1", AppState::Ready)]), ["c1 success"]);
    let mut world = World::new();
    let all: Vec<_> = (0..5).map(|number| app(&format!("a{number}"), "c1", AppState::Failed)).collect();
    world.sees(at("c1"), &all);
    assert_eq!(world.said("c1"), "5 apps do not run: a0 does not run; a1 does not run; and 3 apps more");
    // What mends it is another commit: the one that broke it stays what it is.
    let mended = app("a", "c2", AppState::Ready);
    assert_eq!(world.sees(judged(at("c2"), &["c2"]), &[mended]), ["c2 success", "c1 failure"]);
}

#[test]
fn an_old_version_that_goes_on_is_no_success() {
    let mut world = World::new();
    world.sees(at("c1"), &[app("a", "c1", AppState::Ready)]);
    let updating = AppLook { updating: true, ..app("a", "c2", AppState::Ready) };
    assert_eq!(world.sees(judged(at("c2"), &["c2"]), &[updating])[0], "c2 pending");
    let kept = AppLook { updating: true, ..app("a", "c2", AppState::Degraded) };
    assert_eq!(world.sees(judged(at("c2"), &["c2"]), &[kept])[0], "c2 failure");
}

#[test]
fn of_a_push_each_commit_answers_for_itself_and_the_newest_for_all() {
    let mut world = World::new();
    world.sees(at("c0"), &[]);
    let apps = [app("a", "c1", AppState::Ready), app("b", "c2", AppState::Failed), app("c", "c3", AppState::Ready)];
    let seen = world.sees(judged(at("c3"), &["c3", "c2", "c1", "c0"]), &apps);
    assert_eq!(seen, ["c3 failure", "c2 failure", "c1 success", "c0 success"]);
    // Of many, the newest.
    let all: Vec<String> = (100..200).rev().map(|number| format!("d{number}")).collect();
    let names: Vec<&str> = all.iter().map(String::as_str).chain(["c3"]).collect();
    let seen = world.sees(judged(at("d199"), &names), &apps);
    assert_eq!((seen.len(), seen[0].as_str(), seen[20].as_str()), (25, "d199 success", "d179 success"));
}

#[test]
fn what_is_refused_is_a_failure_whatever_else_it_brings() {
    let mut world = World::new();
    world.sees(at("c1"), &[]);
    let refused = vec![("c2".to_owned(), "not-allowed, apps/b.yaml: no".to_owned())];
    let source = SourceLook { refused: refused.clone(), ..judged(at("c2"), &["c2", "c1"]) };
    let apps = [app("a", "c2", AppState::Ready)];
    assert_eq!(world.sees(source.clone(), &apps), ["c2 failure", "c1 success"]);
    assert_eq!(world.said("c2"), "refused: not-allowed, apps/b.yaml: no");
    // Even when it is restored, or nobody has it in a list any more.
    assert_eq!(world.sees(at("c2"), &apps), ["c2 failure", "c1 success"]);
    // One that was restored in the same push.
    let mut source = judged(at("c4"), &["c4", "c3", "c2"]);
    source.judged[1].1 = Some("no".into());
    assert_eq!(world.sees(source, &[])[..2], ["c4 success", "c3 failure"]);
    // What is refused takes effect all the same, for now.
    let mut world = World::new();
    let audit = SourceLook { refused, audit: true, ..at("c2") };
    assert_eq!(world.sees(audit, &[]), ["c2 success"]);
    // At most so many at once.
    let many = (0..100).map(|number| (format!("r{number}"), "no".to_owned())).collect();
    assert_eq!(World::new().sees(SourceLook { refused: many, ..at("c1") }, &[]).len(), 21);
}

#[test]
fn what_cannot_be_judged_is_an_error_until_it_can() {
    let mut world = World::new();
    world.sees(at("c1"), &[]);
    let stuck = SourceLook { seen: Some("c2".into()), problem: Some("history-rewritten".into()), ..at("c1") };
    assert_eq!(world.sees(stuck, &[]), ["c2 error", "c1 success"]);
    assert_eq!(world.said("c2"), "it cannot be judged: history-rewritten");
    let on = SourceLook { in_force: Some("c1".into()), ..judged(at("c2"), &["c2"]) };
    assert_eq!(world.sees(on, &[])[0], "c2 pending");
    assert_eq!(world.sees(judged(at("c2"), &["c2"]), &[])[0], "c2 success");
    // A remote that cannot be reached says nothing of what is accepted.
    let unreachable = SourceLook { problem: Some("no network".into()), ..at("c2") };
    assert_eq!(world.sees(unreachable, &[])[0], "c2 success");
}

#[test]
fn what_waits_says_so() {
    let mut world = World::new();
    world.sees(at("c1"), &[]);
    let suspended = SourceLook { suspended: true, ..judged(at("c2"), &["c2"]) };
    assert_eq!(world.sees(suspended, &[])[0], "c2 pending");
    assert_eq!(world.said("c2"), "accepted, and waits: the agent is suspended");
    assert_eq!(world.sees(judged(at("c2"), &["c2"]), &[])[0], "c2 success");
    let held = SourceLook { held: 5, ..judged(at("c3"), &["c3"]) };
    assert_eq!(world.sees(held, &[])[0], "c3 failure");
    assert_eq!(world.said("c3"), "5 removals are held, see `mcpfleet status`");
}

#[test]
fn mistakes_are_blamed_on_who_made_them() {
    let mut world = World::new();
    let with = |source: SourceLook, mistakes: &[&str]| SourceLook {
        mistakes: mistakes.iter().map(ToString::to_string).collect(),
        ..source
    };
    assert_eq!(world.sees(with(at("c1"), &["old.yaml: bad"]), &[]), ["c1 success"]);
    let second = with(judged(at("c2"), &["c2"]), &["new.yaml: bad", "old.yaml: bad"]);
    assert_eq!(world.sees(second, &[])[0], "c2 failure");
    assert_eq!(world.said("c2"), "new.yaml: bad");
    let third = with(judged(at("c3"), &["c3"]), &["new.yaml: bad", "old.yaml: bad"]);
    assert_eq!(world.sees(third, &[])[0], "c3 success");
}

#[test]
fn an_agent_that_starts_again_knows_what_it_said() {
    let mut world = World::new();
    world.sees(at("c1"), &[app("a", "c1", AppState::Ready)]);
    let stored = serde_json::to_string(&world.0).unwrap();
    let mut world = World(serde_json::from_str(&stored).unwrap());
    let starting = SourceLook { in_force: None, ..at("c1") };
    let mut again = |source, apps: &[AppLook]| look(&mut world.0, &Look { sources: vec![source], apps: apps.to_vec() });
    assert!(!again(starting, &[]));
    assert!(!again(at("c1"), &[app("a", "c1", AppState::Starting)]));
    assert!(!again(at("c1"), &[app("a", "c1", AppState::Ready)]));
    // One that was on its way when the agent ended is not left there.
    assert!(again(SourceLook { in_force: None, ..judged(at("c2"), &["c2"]) }, &[]));
    let mut world = World(serde_json::from_str(&serde_json::to_string(&world.0).unwrap()).unwrap());
    assert_eq!(world.sees(judged(at("c3"), &["c3"]), &[]), ["c3 success", "c2 success", "c1 success"]);
}

proptest! {
    /// Whatever servers do: a commit changes only so often, success is the end, and only so much is remembered.
    #[test]
    fn states_are_few(steps in proptest::collection::vec((0u8..6, 0u8..6, any::<bool>()), 1..300)) {
        let mut world = World::new();
        let mut number = 0u32;
        let mut before: BTreeMap<String, CommitState> = BTreeMap::new();
        for (step, state, held) in steps {
            if step == 0 {
                number += 1;
            }
            let states = [
                AppState::Pending, AppState::Starting, AppState::Ready, AppState::Backoff, AppState::Degraded,
                AppState::Failed,
            ];
            let commit = format!("c{number}");
            let state = states[usize::from(state)];
            let source = SourceLook { held: usize::from(held), ..judged(at(&commit), &[&commit]) };
            world.sees(source, &[app("a", &commit, state)]);
            let known = &world.0["fleet"].outcomes;
            prop_assert!(known.len() <= MAX_KEPT);
            for outcome in known {
                prop_assert!(outcome.changes <= MAX_CHANGES + 1);
                if before.get(&outcome.commit) == Some(&CommitState::Success) {
                    prop_assert_eq!(outcome.state, CommitState::Success);
                }
                before.insert(outcome.commit.clone(), outcome.state);
            }
        }
    }
}
