//! Verdicts on 1,000 signed commits, and on merges of two lines of them, beside `git verify-commit`, which only looks at
//! signatures.

#[path = "../tests/it/support/home.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod home;
#[path = "../tests/it/support/policy.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod policy;
#[path = "../tests/it/support/repository.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod repository;

use criterion::{Criterion, criterion_group, criterion_main};
use globset::{Glob, GlobSetBuilder};
use home::Home;
use mcpfleet::{
    authorize::{Cache, CommitAnswer, Identity, Judge, Judgement, ObjectId, Rules},
    git::Repository,
};
use repository::{Key, Repo};
use std::{fs, hint::black_box, process::Command, time::Instant};

const COMMITS: usize = 1_000;
const FILES: usize = 200;
/// A line of development is that long before it is merged.
const LINE: usize = 10;

struct Stage {
    home: Home,
    repo: Repo,
    root: ObjectId,
    /// The last of commits one after another.
    linear: ObjectId,
    /// The last of as many in two lines that are merged again and again.
    merged: ObjectId,
}

fn path(index: usize) -> String {
    format!("apps/{index:03}.yaml")
}

impl Stage {
    fn new() -> Stage {
        let home = Home::new();
        let repo = Repo::new(&home);
        let (alice, bob) = (Key::new("alice"), Key::new("bob"));
        let users: &[(&str, &Key, &[&str])] = &[("alice", &alice, &["admin"]), ("bob", &bob, &["team-a"])];
        let mut files = policy::policy(users).0;
        files.extend((0..FILES).map(|index| (path(index), policy::app(&format!("app-{index}"), "a", "0"))));
        let root = repo.commit(&[], Some(&alice), &policy::Files(files).changes(), "Start");
        let change = |parents: &[ObjectId], key: &Key, index: usize, version: usize| {
            let (path, text) = (path(index), policy::app(&format!("app-{index}"), "a", &version.to_string()));
            repo.commit(parents, Some(key), &[(&path, Some(&text))], "Change an app\n\nFor a reason.")
        };
        let linear = (1..=COMMITS).fold(root, |head, version| change(&[head], &bob, version % FILES, version));
        let mut merged = root;
        for round in 0..COMMITS / (2 * LINE) {
            let line = |key: &Key, first: usize| {
                let versions = (0..LINE - usize::from(first > 0)).map(|step| 2 * LINE * round + first + step);
                versions.fold(merged, |head, version| change(&[head], key, version % FILES, COMMITS + version))
            };
            let (ours, theirs) = (line(&alice, 0), line(&bob, LINE));
            // The tree is that of the first parent: what the second one brings is put on top, as git would.
            let brought: Vec<(String, String)> = (0..LINE - 1)
                .map(|step| 2 * LINE * round + LINE + step)
                .map(|v| (path(v % FILES), policy::app(&format!("app-{}", v % FILES), "a", &(COMMITS + v).to_string())))
                .collect();
            merged = repo.commit(&[ours, theirs], None, &policy::Files(brought).changes(), "Merge");
        }
        repo.push(linear);
        pack(&repo, &[linear, merged]);
        Stage { home, repo, root, linear, merged }
    }

    fn judge(&self, head: ObjectId) -> Judgement {
        let repository = Repository::discover(self.repo.path()).expect("a repository");
        let rules = rules();
        let mut cache = Cache::default();
        let mut judge = Judge::new(&repository, &rules, &mut cache);
        let root = judge.root(self.root).expect("a root");
        judge.advance(&root, head).expect("a judgement")
    }

    /// Asks git about every commit by itself, as a hook does, and says how many seconds that takes.
    fn verify_with_git(&self) -> Option<f64> {
        let allowed = self.home.path().join("allowed");
        let lines = ["alice", "bob"].map(|name| format!("{name}@example.com {}\n", Key::new(name).public()));
        fs::write(&allowed, lines.concat()).expect("a file");
        let signers = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.args(["-c", &signers]).args(arguments).current_dir(self.repo.path());
            command.env_clear().envs(self.home.environment()).env("GIT_CONFIG_NOSYSTEM", "1").output().ok()
        };
        let range = format!("{}..{}", self.root, self.linear);
        let list = String::from_utf8(git(&["rev-list", &range])?.stdout).expect("text");
        let start = Instant::now();
        for commit in list.lines() {
            let good = git(&["verify-commit", commit])?.status.success();
            assert!(good, "git refuses {commit}");
        }
        assert_eq!(list.lines().count(), COMMITS);
        Some(start.elapsed().as_secs_f64())
    }
}

/// Puts everything into a pack, where a mirror has it after a fetch.
fn pack(repo: &Repo, heads: &[ObjectId]) {
    let git = git2::Repository::open(repo.path()).expect("a repository");
    let mut walk = git.revwalk().expect("a walk");
    for head in heads {
        walk.push(head.to_string().parse().expect("a name")).expect("a commit");
    }
    let mut pack = git.packbuilder().expect("a pack");
    pack.insert_walk(&mut walk).expect("objects");
    pack.write(&repo.path().join("objects/pack"), 0).expect("a pack that can be written");
}

fn rules() -> Rules {
    let mut managed = GlobSetBuilder::new();
    managed.add(Glob::new("**/*.yaml").expect("a glob"));
    Rules {
        identity: Identity::Signature,
        managed: managed.build().expect("globs"),
        fixed_policy: None,
        forge_keys: Vec::new(),
        root_keys: Vec::new(),
        denied_keys: Vec::new(),
        merge_approves: false,
        max_commits: 100_000,
    }
}

fn verdicts(criterion: &mut Criterion) {
    let stage = Stage::new();
    for head in [stage.linear, stage.merged] {
        let judgement = stage.judge(head);
        assert_eq!(judgement.commits.len(), COMMITS);
        assert!(judgement.commits.iter().all(|commit| commit.verdict != CommitAnswer::Refused));
        assert!(judgement.state.held().is_empty());
    }
    let mut group = criterion.benchmark_group("verdicts on 1,000 commits");
    group.sample_size(10);
    group.bench_function("one after another", |bencher| bencher.iter(|| black_box(stage.judge(stage.linear))));
    group.bench_function("two lines, merged 50 times", |bencher| bencher.iter(|| black_box(stage.judge(stage.merged))));
    group.finish();
    match stage.verify_with_git() {
        Some(seconds) => println!("git verify-commit, 1,000 times: {seconds:.2} s"),
        None => println!("git verify-commit: git is not there"),
    }
}

criterion_group!(benches, verdicts);
criterion_main!(benches);
