//! A history as git would have it, in memory.

use super::{
    history::History,
    world::{Content, Grant, PATHS, Person, Slot, Team, Tree},
};
use crate::support::{Key, app, policy, role, user};
use mcpfleet::authorize::{Blob, ObjectError, ObjectId, Objects, TreeItem};
use sha2::{Digest as _, Sha256};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock},
};

static KEYS: LazyLock<BTreeMap<&str, Key>> =
    LazyLock::new(|| ["ann", "ben", "root"].into_iter().map(|name| (name, Key::new(name))).collect());

/// Names are the first bytes of a digest, of another kind than git's: nobody here looks.
pub struct Memory {
    objects: HashMap<ObjectId, Object>,
    /// Of the commits of the history.
    pub commits: Vec<ObjectId>,
}

enum Object {
    Commit(Arc<[u8]>),
    Tree(Arc<[TreeItem]>),
    Blob(Vec<u8>),
}

impl Memory {
    /// Everything in a history, its commits signed by their authors if `signed`. Eve never signs.
    pub fn of(history: &History, signed: bool) -> Memory {
        let mut memory = Memory { objects: HashMap::new(), commits: Vec::new() };
        for (index, commit) in history.commits.iter().enumerate() {
            let name = commit.author.name();
            let tree = memory.add_tree(&files(&commit.tree));
            let parents: String =
                commit.parents.iter().map(|parent| format!("parent {}\n", memory.commits[*parent])).collect();
            let person = format!("{name} <{name}@example.com> {} +0000", 1_700_000_000 + index);
            let vouches: String =
                commit.vouches.iter().map(|reason| format!("Vouch-For: {}\n", memory.commits[*reason])).collect();
            let commit_text =
                format!("tree {tree}\n{parents}author {person}\ncommitter {person}\n\nCommit {index}\n\n{vouches}");
            let bytes = if signed && commit.author != Person::Eve {
                KEYS[name].sign(commit_text.as_bytes())
            } else {
                commit_text.into_bytes()
            };
            let id = memory.add("commit", &bytes.clone(), Object::Commit(bytes.into()));
            memory.commits.push(id);
        }
        memory
    }

    fn add(&mut self, kind: &str, bytes: &[u8], object: Object) -> ObjectId {
        let digest = Sha256::new().chain_update(kind).chain_update([0]).chain_update(bytes).finalize();
        let mut id = [0; 20];
        id.copy_from_slice(&digest[..20]);
        self.objects.insert(ObjectId::new(id), object);
        ObjectId::new(id)
    }

    fn add_tree(&mut self, files: &BTreeMap<String, String>) -> ObjectId {
        let mut folders: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
        let mut items = Vec::new();
        for (path, text) in files {
            match path.split_once('/') {
                Some((folder, rest)) => {
                    folders.entry(folder).or_default().insert(rest.to_owned(), text.clone());
                }
                None => {
                    let id = self.add("blob", text.as_bytes(), Object::Blob(text.clone().into()));
                    items.push(TreeItem { name: path.clone().into(), mode: 0o100644, id });
                }
            }
        }
        for (name, below) in folders {
            let id = self.add_tree(&below);
            items.push(TreeItem { name: name.into(), mode: 0o040000, id });
        }
        let bytes: Vec<u8> = items.iter().flat_map(|item| [&item.name[..], item.id.as_bytes()].concat()).collect();
        self.add("tree", &bytes, Object::Tree(items.into()))
    }

    /// The name of what a file says.
    pub fn blob_of(path: usize, slot: Slot) -> Option<ObjectId> {
        let text = text(path, slot?);
        let mut empty = Memory { objects: HashMap::new(), commits: Vec::new() };
        Some(empty.add("blob", text.as_bytes(), Object::Blob(Vec::new())))
    }
}

impl Objects for Memory {
    fn commit(&self, id: ObjectId) -> Result<Arc<[u8]>, ObjectError> {
        match self.objects.get(&id) {
            Some(Object::Commit(bytes)) => Ok(bytes.clone()),
            _ => Err(ObjectError::Missing(id)),
        }
    }

    fn tree(&self, id: ObjectId) -> Result<Arc<[TreeItem]>, ObjectError> {
        match self.objects.get(&id) {
            Some(Object::Tree(items)) => Ok(items.clone()),
            _ => Err(ObjectError::Missing(id)),
        }
    }

    fn blob(&self, id: ObjectId, _: usize) -> Result<Blob, ObjectError> {
        match self.objects.get(&id) {
            Some(Object::Blob(bytes)) => Ok(Blob::Bytes(bytes.clone())),
            _ => Err(ObjectError::Missing(id)),
        }
    }

    fn is_shallow(&self, _: ObjectId) -> bool {
        false
    }
}

/// The files of a tree, those that never change with them.
fn files(tree: &Tree) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = policy(&[]).0.into_iter().collect();
    for (path, name) in PATHS.into_iter().enumerate() {
        match tree[path] {
            Some(content) => files.insert(name.to_owned(), text(path, content)),
            None => files.remove(name),
        };
    }
    files
}

thread_local! {
    static TEXTS: RefCell<BTreeMap<(usize, Content), String>> = RefCell::default();
}

fn text(path: usize, content: Content) -> String {
    TEXTS.with_borrow_mut(|texts| texts.entry((path, content)).or_insert_with(|| written(path, content)).clone())
}

fn written(path: usize, content: Content) -> String {
    let name = PATHS[path].split(['/', '.']).nth(1).expect("a name");
    match content {
        Content::App { twin, team, version } => {
            let team = if team == Team::A { "a" } else { "b" };
            app(if twin { "a" } else { name }, team, &version.to_string())
        }
        Content::Role(grant) => {
            let apps = "{resources: [app], verbs: [\"*\"], labels: {team: a}}";
            let allow: &[&str] = if grant == Grant::Nothing { &[] } else { &[apps] };
            let deny: &[&str] = if grant == Grant::NoDelete { &["{resources: [app], verbs: [delete]}"] } else { &[] };
            role(name, allow, deny)
        }
        Content::User { admin, team_a, team_b } => {
            let roles = [(admin, "admin"), (team_a, "team-a"), (team_b, "team-b")];
            let roles: Vec<&str> = roles.into_iter().filter_map(|(has, role)| has.then_some(role)).collect();
            user(name, &[&KEYS[name]], &roles)
        }
        Content::Broken => "kind: [\n".to_owned(),
    }
}
