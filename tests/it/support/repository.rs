//! Real git repositories, made in-process: bare, with commits signed by keys that are the same in every run.

use super::Home;
use git2::{ErrorCode, FileMode, ObjectType, Oid, RepositoryInitOptions, build::TreeUpdateBuilder};
use mcpfleet::authorize::ObjectId;
use sha2::{Digest as _, Sha256};
use ssh_key::{HashAlg, LineEnding, PrivateKey, private::Ed25519Keypair};
use std::{
    cell::Cell,
    path::{Path, PathBuf},
};

/// Somebody who signs commits, with an ed25519 key that follows from the name.
pub struct Key {
    name: String,
    private: PrivateKey,
}

impl Key {
    pub fn new(name: &str) -> Key {
        let pair = Ed25519Keypair::from_seed(&Sha256::digest(name).into());
        let private = PrivateKey::new(pair.into(), name).expect("a key");
        Key { name: name.to_owned(), private }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// As `signing_keys` of a user has it: `ssh-ed25519 AAAA… alice`.
    pub fn public(&self) -> String {
        self.private.public_key().to_openssh().expect("a key that can be written")
    }

    /// Writes the private half into a file that `ssh-keygen` and `git` take, and gives its path.
    pub fn write_to(&self, dir: &Path) -> PathBuf {
        let path = dir.join(format!("{}.key", self.name));
        self.private.write_openssh_file(&path, LineEnding::LF).expect("a file that can be written");
        path
    }

    /// The commit with a `gpgsig` header after its other ones.
    pub fn sign(&self, commit: &[u8]) -> Vec<u8> {
        let signature = self.private.sign("git", HashAlg::Sha512, commit).expect("a signature");
        let armoured = signature.to_pem(LineEnding::LF).expect("a signature that can be written");
        let header = format!("\ngpgsig {}", armoured.trim_end().replace('\n', "\n "));
        let end = commit.windows(2).position(|pair| pair == b"\n\n").expect("an end of the headers");
        [&commit[..end], header.as_bytes(), &commit[end..]].concat()
    }
}

/// A bare repository in a home folder.
pub struct Repo {
    git: git2::Repository,
    /// Commits made so far: each is a minute after the one before, so that no two are the same object.
    made: Cell<u64>,
}

/// A commit to be made.
pub struct Draft<'a> {
    /// The tree is that of the first, with the changes. None: from an empty one.
    pub parents: &'a [ObjectId],
    pub signer: Option<&'a Key>,
    /// `Name <mail>`, of author and committer.
    pub author: &'a str,
    /// Contents of files; `None` deletes.
    pub changes: &'a [(&'a str, Option<&'a str>)],
    /// What is no plain file: executables, symlinks, submodules.
    pub entries: &'a [(&'a str, FileMode, ObjectId)],
    pub message: &'a str,
}

impl Repo {
    /// An empty one. Its branch is `main`, whatever this machine's git would call it.
    pub fn new(home: &Home) -> Repo {
        Repo::at(&home.path().join("repository.git"))
    }

    /// An empty one at a path, where nothing is yet.
    pub fn at(path: &Path) -> Repo {
        let mut options = RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).external_template(false).initial_head("main");
        let git = git2::Repository::init_opts(path, &options).expect("a new repository");
        Repo { git, made: Cell::new(0) }
    }

    pub fn path(&self) -> &Path {
        self.git.path()
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Makes a commit, which no reference names yet. Its tree is that of the first parent with the changes.
    pub fn commit(
        &self,
        parents: &[ObjectId],
        signer: Option<&Key>,
        changes: &[(&str, Option<&str>)],
        message: &str,
    ) -> ObjectId {
        let name = signer.map_or("nobody", Key::name);
        let author = format!("{name} <{name}@example.com>");
        self.commit_draft(&Draft { parents, signer, author: &author, changes, entries: &[], message })
    }

    pub fn commit_draft(&self, draft: &Draft) -> ObjectId {
        let commit = self.unsigned(draft);
        self.write(ObjectType::Commit, &draft.signer.map_or_else(|| commit.clone(), |key| key.sign(&commit)))
    }

    /// A commit as git would store it, for those who do strange things to it before they [`Repo::write`] it.
    pub fn unsigned(&self, draft: &Draft) -> Vec<u8> {
        let parents: String = draft.parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let time = 1_700_000_000 + 60 * self.made.replace(self.made.get() + 1);
        let Draft { author, message, .. } = draft;
        let people = format!("author {author} {time} +0000\ncommitter {author} {time} +0000\n");
        format!("tree {}\n{parents}{people}\n{message}\n", self.tree(draft)).into_bytes()
    }

    /// Puts bytes into the object database as they are.
    pub fn write(&self, kind: ObjectType, bytes: &[u8]) -> ObjectId {
        let odb = self.git.odb().expect("an object database");
        id_of(odb.write(kind, bytes).expect("an object that can be written"))
    }

    /// Moves `main`, as a push (forced or not) does.
    pub fn push(&self, commit: ObjectId) {
        self.set("refs/heads/main", Some(commit));
    }

    /// Moves, makes or deletes a reference.
    pub fn set(&self, reference: &str, commit: Option<ObjectId>) {
        match commit {
            Some(commit) => {
                self.git.reference(reference, oid_of(commit), true, "test").expect("a reference that can be set");
            }
            None => match self.git.find_reference(reference) {
                Ok(mut reference) => reference.delete().expect("a reference that can be deleted"),
                Err(error) => assert_eq!(error.code(), ErrorCode::NotFound, "{error}"),
            },
        }
    }

    /// Where `main` stands.
    pub fn main(&self) -> Option<ObjectId> {
        self.git.refname_to_id("refs/heads/main").ok().map(id_of)
    }

    fn tree(&self, draft: &Draft) -> Oid {
        let base = match draft.parents.first() {
            Some(parent) => self.git.find_commit(oid_of(*parent)).and_then(|commit| commit.tree()),
            None => self.git.treebuilder(None).and_then(|empty| self.git.find_tree(empty.write()?)),
        };
        let base = base.expect("a tree to start from");
        // First what goes: something of another kind may come in its place.
        let mut cleared = TreeUpdateBuilder::new();
        for (path, _) in draft.changes.iter().filter(|(_, content)| content.is_none()) {
            cleared.remove(*path);
        }
        for (path, ..) in draft.entries.iter().filter(|(path, ..)| base.get_path(Path::new(path)).is_ok()) {
            cleared.remove(*path);
        }
        let cleared = cleared.create_updated(&self.git, &base).and_then(|tree| self.git.find_tree(tree));
        let mut update = TreeUpdateBuilder::new();
        for (path, content) in draft.changes {
            if let Some(text) = content {
                update.upsert(*path, oid_of(self.write(ObjectType::Blob, text.as_bytes())), FileMode::Blob);
            }
        }
        for (path, mode, id) in draft.entries {
            update.upsert(*path, oid_of(*id), *mode);
        }
        let cleared = cleared.expect("files to delete that are there");
        update.create_updated(&self.git, &cleared).expect("changes that fit the tree")
    }
}

fn oid_of(id: ObjectId) -> Oid {
    Oid::from_bytes(id.as_bytes()).expect("20 bytes")
}

fn id_of(oid: Oid) -> ObjectId {
    oid.to_string().parse().expect("a full name")
}
