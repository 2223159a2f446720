//! A git source with 10,000 resources: one commit from fetched to planned, a push until it is planned, and a poll that
//! finds nothing new. The repository is on this machine, its commits are signed.

#[path = "../tests/it/support/home.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod home;
#[path = "../tests/it/support/repository.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod repository;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use globset::{Glob, GlobSetBuilder};
use home::Home;
use jiff::Timestamp;
use mcpfleet::{
    authorize::{Cache, Identity, Judge, ObjectId, Rules},
    git::{Follow, Mirror, Remote},
    manifest::{Maker, Next, Revision, Series},
    reconcile::{Desired, Plan, PruneGuard, Running, Selection, SourceInput, desired, plan},
    resource::Selector,
    source::{GitSettings, Ignore, Mode, Root, Source, spawn},
};
use nix::sys::resource::{UsageWho, getrusage};
use repository::{Key, Repo};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const FILES: usize = 10_000;
const PUSHES: usize = 100;
const POLLS: usize = 10;

/// A resource of the usual size, about 300 bytes.
fn app(index: usize, version: usize) -> String {
    format!(
        "kind: app\nversion: v3\nmetadata:\n  name: server-{index:05}\n  description: Looks things up in system {index}\n  \
         labels:\n    env: prod\n    team: team-{}\nspec:\n  mcp:\n    command: /usr/bin/lookup-server\n    args: \
         [\"--system\", \"{index}\", \"--version\", \"{version}\"]\n    run_as_host_user: mcp\n    env:\n      LOG_LEVEL: \
         info\n",
        index % 100,
    )
}

fn path(index: usize) -> String {
    format!("team-{:02}/server-{index:05}.yaml", index % 100)
}

/// A repository with all the apps and somebody who may change them.
struct Stage {
    home: Home,
    repo: Repo,
    key: Key,
    root: ObjectId,
    head: Cell<ObjectId>,
    versions: Cell<usize>,
}

impl Stage {
    fn new() -> Stage {
        let home = Home::new();
        let repo = Repo::at(&home.path().join("fleet.git"));
        let key = Key::new("alice");
        let mut files: Vec<(String, String)> = (0..FILES).map(|index| (path(index), app(index, 0))).collect();
        let all = "{resources: [app, role, user], verbs: [\"*\"]}";
        let role = format!("kind: role\nversion: v8\nmetadata: {{name: admin}}\nspec: {{allow: {{rules: [{all}]}}}}\n");
        let user = format!(
            "kind: user\nversion: v2\nmetadata: {{name: alice}}\nspec:\n  roles: [admin]\n  git: {{signing_keys: [\"{}\"]}}\n",
            key.public()
        );
        files.extend([("roles/admin.yaml".to_owned(), role), ("users/alice.yaml".to_owned(), user)]);
        let changes: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        let root = repo.commit(&[], Some(&key), &changes, "Start");
        repo.push(root);
        Stage { home, repo, key, root, head: Cell::new(root), versions: Cell::new(0) }
    }

    /// A commit that changes one app.
    fn commit(&self) -> ObjectId {
        let version = self.versions.replace(self.versions.get() + 1) + 1;
        let index = version * 37 % FILES;
        let text = app(index, version);
        let commit = self.repo.commit(&[self.head.get()], Some(&self.key), &[(&path(index), Some(&text))], "Change");
        self.head.set(commit);
        commit
    }

    fn remote(&self) -> Remote {
        Remote {
            url: self.repo.url(),
            timeout: Duration::from_secs(60),
            username_file: None,
            password_file: None,
            ssh_key_file: None,
            ssh_passphrase_file: None,
            known_hosts_file: None,
            ca_file: None,
            proxy: None,
            max_bytes: 1 << 30,
        }
    }

    fn settings(&self) -> GitSettings {
        GitSettings {
            name: "fleet".to_owned(),
            remote: self.remote(),
            follow: Follow::Default,
            interval: Duration::from_secs(3600),
            state_dir: self.home.path().join("state"),
            subpath: None,
            ignore: Ignore::none(),
            mode: Mode::Enforce,
            rules: rules(),
            root: Root::Commit { commit: self.root, signer: None },
        }
    }
}

fn rules() -> Rules {
    let managed = GlobSetBuilder::new().add(Glob::new("**/*.yaml").expect("a glob")).build().expect("globs");
    Rules {
        identity: Identity::Signature,
        managed,
        fixed_policy: None,
        forge_keys: vec![],
        root_keys: vec![],
        denied_keys: vec![],
        merge_approves: false,
        max_commits: 100_000,
    }
}

fn selection() -> Selection {
    let selector = Selector::new(BTreeMap::from([("env".to_owned(), vec!["prod".to_owned()])]));
    Selection { enabled: true, selectors: vec![selector.expect("a valid selector")], static_apps: Vec::new() }
}

/// What the agent decides when a source has something new.
fn decide(source: &SourceInput, running: &BTreeMap<String, Running>) -> (Desired, Plan) {
    let desired = desired(std::slice::from_ref(source), &selection(), Timestamp::UNIX_EPOCH);
    let plan = plan(running, &desired, &PruneGuard::default(), false);
    (desired, plan)
}

fn running(source: &SourceInput) -> BTreeMap<String, Running> {
    let desired = desired(std::slice::from_ref(source), &selection(), Timestamp::UNIX_EPOCH);
    desired.apps.iter().map(|(name, app)| (name.clone(), Running::from(app))).collect()
}

fn fetched_to_planned(criterion: &mut Criterion, stage: &Stage) {
    let mirror = Mirror::open(&stage.home.path().join("mirror.git"), stage.remote()).expect("a mirror");
    let mirror = RefCell::new(mirror);
    mirror.borrow_mut().fetch(&Follow::Default, stage.root).expect("fetched");
    let (rules, mut cache, mut series) = (rules(), Cache::default(), Series::default());
    let maker = |commit: ObjectId| Maker { revision: Revision::from(commit.to_string()), author: None };
    let root = maker(stage.root);
    let mut state = Judge::new(mirror.borrow().repository(), &rules, &mut cache).root(stage.root).expect("a root");
    let mut in_force = state.clone();
    state.check_root(&rules).expect("an administrator");
    let snapshot = series.next(Next::Tree(state.tree()), root.revision.clone(), |_| &root);
    let before = SourceInput { name: "fleet".into(), snapshot };
    let running = running(&before);
    assert_eq!(running.len(), FILES);

    let mut group = criterion.benchmark_group("one commit, 10,000 resources");
    group.sample_size(30);
    for (what, steps) in [("judged", 1), ("judged, a snapshot", 2), ("judged, a snapshot, planned", 3)] {
        let fetch = || {
            let commit = stage.commit();
            stage.repo.push(commit);
            mirror.borrow_mut().fetch(&Follow::Default, commit).expect("fetched");
            commit
        };
        // What is given back is dropped after the clock has stopped, as the agent drops it after it has acted.
        let step = |commit: ObjectId| {
            let mirror = mirror.borrow();
            let judgement =
                Judge::new(mirror.repository(), &rules, &mut cache).advance(&state, commit).expect("judged");
            let before = std::mem::replace(&mut state, judgement.state);
            assert!(state.held().is_empty());
            if steps == 1 {
                return (before, None, None);
            }
            let next = match state.differences(&in_force) {
                Some(paths) => Next::Files(paths.into_iter().map(|path| (path.clone(), state.file(&path))).collect()),
                None => Next::Tree(state.tree()),
            };
            in_force = state.clone();
            let made = maker(commit);
            let maker = |path: &str| state.made_by(path).map_or(&root, |_| &made);
            let snapshot = series.next(next, made.revision.clone(), maker);
            if steps == 2 {
                return (before, Some(snapshot), None);
            }
            let source = SourceInput { name: "fleet".into(), snapshot };
            let (desired, plan) = decide(&source, &running);
            assert!(!plan.actions.is_empty());
            (before, Some(source.snapshot), Some((desired, plan)))
        };
        let mut step = step;
        group.bench_function(what, |bencher| bencher.iter_batched(fetch, &mut step, BatchSize::PerIteration));
    }
    group.finish();
    let mut look = || black_box(mirror.borrow_mut().look(&Follow::Default).expect("a head"));
    criterion.bench_function("listing of references", |bencher| bencher.iter(&mut look));
}

/// The whole source, from a push to the plan.
fn push_to_plan(stage: &Stage) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let stop = CancellationToken::new();
    let (source, _task) = runtime.block_on(async { spawn(stage.settings(), stop.clone()) });
    let planned = |commit: ObjectId, source: &Source| {
        let mut view = source.view.clone();
        runtime.block_on(async move {
            let wanted = Some(commit);
            let view = view.wait_for(|view| view.git.as_ref().is_some_and(|git| git.accepted == wanted)).await;
            let view = view.expect("the source runs");
            assert_eq!(view.error, None);
            SourceInput { name: "fleet".into(), snapshot: Arc::clone(view.snapshot.as_ref().expect("a snapshot")) }
        })
    };
    let started = Instant::now();
    let input = planned(stage.head.get(), &source);
    println!("start with {} commits to judge: {:?}", stage.versions.get(), started.elapsed());
    let running = running(&input);
    drop(input);

    let mut times = Vec::with_capacity(PUSHES);
    for _ in 0..PUSHES {
        let commit = stage.commit();
        // Not in step with anything.
        std::thread::sleep(Duration::from_millis(40 + (times.len() as u64 * 7) % 23));
        let started = Instant::now();
        stage.repo.push(commit);
        let decided = decide(&planned(commit, &source), &running);
        times.push(started.elapsed());
        assert!(!decided.1.actions.is_empty());
    }
    let slow = |time: &&(usize, Duration)| time.1 > Duration::from_millis(150);
    let numbered: Vec<_> = times.iter().copied().enumerate().collect();
    println!("slower than 150 ms: {:?}", numbered.iter().filter(slow).collect::<Vec<_>>());
    times.sort_unstable();
    let at = |part: usize| times[(PUSHES - 1) * part / 100];
    println!("push until planned, {PUSHES} pushes: p50 {:?}, p95 {:?}, worst {:?}", at(50), at(95), at(100));

    let cpu = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a usage");
        let time = |time: nix::sys::time::TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000);
        time(usage.user_time()) + time(usage.system_time())
    };
    let look = || {
        let reads = source.view.borrow().reads;
        source.trigger.fire();
        let mut view = source.view.clone();
        runtime.block_on(async move { view.wait_for(|view| view.reads > reads).await.map(drop) }).expect("a look");
    };
    // What the pushes have left to be done is over then.
    look();
    let before = cpu();
    (0..POLLS).for_each(|_| look());
    println!("a poll that finds nothing new: {:?} of CPU", (cpu() - before) / u32::try_from(POLLS).expect("few"));
    stop.cancel();
}

fn all(criterion: &mut Criterion) {
    let stage = Stage::new();
    fetched_to_planned(criterion, &stage);
    push_to_plan(&stage);
}

criterion_group!(benches, all);
criterion_main!(benches);
