//! Which commits take effect: every rule and every threat, with real repositories and real signatures, judged by the
//! library as the agent, the command line and the hooks do it.

mod honest;
mod merges;
mod origins;
mod policies;
mod scopes;
mod shapes;
mod signers;
mod underneath;

use crate::support::{Files, Home, Key, Repo, app, policy};
use globset::{GlobBuilder, GlobSetBuilder};
use mcpfleet::{
    authorize::{Cache, Code, CommitAnswer, Failure, Identity, Judge, Judgement, ObjectId, Rules, State},
    git::Repository,
    manifest::FileState,
};

/// A repository with a root of trust: `alice` is an administrator, `bob` has team a, `carol` team b and `dave` the folder
/// `apps/team-a`; `mallory` has a key and nothing else. There are the apps `a` and `b` of their teams.
pub struct Stage {
    pub repo: Repo,
    pub rules: Rules,
    pub alice: Key,
    pub bob: Key,
    pub carol: Key,
    pub dave: Key,
    pub mallory: Key,
    pub root: ObjectId,
    _home: Home,
}

pub const A: &str = "apps/a.yaml";
pub const B: &str = "apps/b.yaml";

impl Stage {
    pub fn new() -> Stage {
        let home = Home::new();
        let repo = Repo::new(&home);
        let [alice, bob, carol, dave, mallory] = ["alice", "bob", "carol", "dave", "mallory"].map(Key::new);
        let Files(mut files) = policy(&[
            ("alice", &alice, &["admin"]),
            ("bob", &bob, &["team-a"]),
            ("carol", &carol, &["team-b"]),
            ("dave", &dave, &["folder-a"]),
        ]);
        files.push((A.into(), app("a", "a", "1")));
        files.push((B.into(), app("b", "b", "1")));
        let root = repo.commit(&[], Some(&alice), &Files(files).changes(), "Start");
        Stage { repo, rules: rules(), alice, bob, carol, dave, mallory, root, _home: home }
    }

    /// A commit that writes one file, or deletes it.
    pub fn put(&self, on: ObjectId, by: Option<&Key>, path: &str, text: Option<&str>) -> ObjectId {
        self.repo.commit(&[on], by, &[(path, text)], "Change")
    }

    /// A commit that makes app `a` or `b` take another argument.
    pub fn edit(&self, on: ObjectId, by: Option<&Key>, name: &str, argument: &str) -> ObjectId {
        self.put(on, by, &format!("apps/{name}.yaml"), Some(&app(name, name, argument)))
    }

    pub fn merge(&self, parents: &[ObjectId], by: Option<&Key>, changes: &[(&str, Option<&str>)]) -> ObjectId {
        self.repo.commit(parents, by, changes, "Merge")
    }

    pub fn judge(&self, head: ObjectId) -> Verdicts {
        self.judge_from(self.root, head)
    }

    pub fn judge_from(&self, root: ObjectId, head: ObjectId) -> Verdicts {
        self.try_judge(root, head).unwrap_or_else(|failure| panic!("{failure}"))
    }

    pub fn try_judge(&self, root: ObjectId, head: ObjectId) -> Result<Verdicts, Failure> {
        let repository = Repository::discover(self.repo.path()).expect("a repository");
        let mut cache = Cache::default();
        let mut judge = Judge::new(&repository, &self.rules, &mut cache);
        let root = judge.root(root)?;
        let judgement = judge.advance(&root, head)?;
        // What is stored and read again is the same.
        let restored = judge.restore(&judgement.state.stored())?;
        assert_eq!(restored.stored(), judgement.state.stored());
        assert_eq!(texts(&restored), texts(&judgement.state));
        assert_eq!(powers(&restored), powers(&judgement.state));
        Ok(Verdicts(judgement))
    }

    /// The code of the only failure of the only refused commit.
    pub fn code(&self, head: ObjectId) -> Code {
        let verdicts = self.judge(head);
        assert_eq!(verdicts.answer(head), CommitAnswer::Refused);
        *verdicts.codes(head).first().expect("a code")
    }
}

/// The settings of a fleet that says nothing of them.
pub fn rules() -> Rules {
    let mut managed = GlobSetBuilder::new();
    for glob in ["**/*.yaml", "**/*.yml"] {
        managed.add(GlobBuilder::new(glob).literal_separator(true).build().expect("a glob"));
    }
    Rules {
        identity: Identity::Signature,
        managed: managed.build().expect("globs"),
        fixed_policy: None,
        forge_keys: vec![],
        root_keys: vec![],
        denied_keys: vec![],
        merge_approves: false,
        max_commits: 100_000,
    }
}

pub struct Verdicts(pub Judgement);

impl Verdicts {
    pub fn answer(&self, id: ObjectId) -> CommitAnswer {
        self.find(id).verdict
    }

    pub fn signer(&self, id: ObjectId) -> Option<&str> {
        self.find(id).signer.as_deref()
    }

    pub fn codes(&self, id: ObjectId) -> Vec<Code> {
        self.find(id).changes.iter().filter_map(|change| change.code).collect()
    }

    pub fn message(&self, id: ObjectId) -> String {
        self.find(id).changes.iter().map(|change| format!("{}\n", change.message)).collect()
    }

    fn find(&self, id: ObjectId) -> &mcpfleet::authorize::CommitVerdict {
        self.0.commits.iter().find(|commit| commit.id == id).unwrap_or_else(|| panic!("no verdict on {id}"))
    }

    /// What is in force at a path: the argument of the only app there, or that there is something.
    pub fn value(&self, path: &str) -> Option<String> {
        texts(&self.0.state).into_iter().find(|(there, _)| there == path).map(|(_, text)| text)
    }

    pub fn held(&self) -> Vec<String> {
        self.0.state.held().into_iter().map(|held| held.path).collect()
    }

    pub fn undecided(&self) -> Vec<String> {
        self.0.state.undecided().map(|(path, _)| path.to_string()).collect()
    }

    #[track_caller]
    pub fn assert(&self, path: &str, value: Option<&str>) {
        assert_eq!(self.value(path).as_deref(), value, "{path}");
    }

    /// Everything is as the head has it.
    #[track_caller]
    pub fn assert_whole(&self) {
        assert_eq!((self.held(), self.undecided()), (vec![], vec![]), "{:#?}", self.0.commits);
    }
}

fn texts(state: &State) -> Vec<(String, String)> {
    let text = |file: &FileState| match file {
        FileState::Parsed(file) => file.resources.iter().map(|located| said(&located.resource)).collect(),
        FileState::Unreadable(_) => "unreadable".to_owned(),
    };
    state.tree().iter().map(|(path, file)| (path.to_string(), text(file))).collect()
}

/// A user's name, roles and keys.
type Power = (String, Vec<String>, Vec<String>);

/// Who has which roles and keys, by each line's policy.
fn powers(state: &State) -> Vec<Vec<Power>> {
    let of = |member: &mcpfleet::authorize::Member| {
        let user = &member.user;
        (user.metadata.name.clone(), user.roles.clone(), user.git.signing_keys.clone())
    };
    state.policies().map(|policy| policy.users().iter().map(of).collect()).collect()
}

fn said(resource: &mcpfleet::resource::Resource) -> String {
    use mcpfleet::resource::{Resource, Server};
    match resource {
        Resource::App(app) => match &app.spec.server {
            Server::Stdio(stdio) => stdio.args.join(" "),
            Server::Remote(_) => "remote".to_owned(),
        },
        Resource::Role(role) => format!("role {}", role.metadata.name),
        Resource::User(user) => format!("{} {}", user.metadata.name, user.roles.join(",")),
    }
}
