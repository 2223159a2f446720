//! A home folder with a repository that `mcpfleet init` has made.

use crate::support::Home;
use mcpfleet::manifest::parse_file;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{io::AsyncWriteExt, process::Command};

pub const FOLDER: &str = "fleet";

pub struct World {
    pub home: Home,
}

/// What a command came to.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// What it printed, if it ended well.
    pub fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// What it complained about, if it ended with this code and printed nothing else.
    pub fn bad(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        self.err
    }
}

impl World {
    /// A home without anything.
    pub fn empty() -> World {
        World { home: Home::new() }
    }

    /// A fresh machine on which `mcpfleet init` has been called.
    pub async fn new() -> World {
        let world = World::empty();
        let init = world.home.mcpfleet(["init", FOLDER]);
        world.run(init, "").await.good();
        world
    }

    /// A folder without git.
    pub fn plain(files: &[(&str, &str)]) -> World {
        let world = World::empty();
        fs::create_dir(world.folder()).unwrap();
        for (path, text) in files {
            world.write(path, text);
        }
        world
    }

    /// The same with a bare repository that the branch is pushed to.
    pub async fn with_remote() -> World {
        let world = World::new().await;
        let bare = world.path("remote.git");
        world.git(&["init", "--quiet", "--bare", bare.to_str().unwrap()]).await;
        world.git(&["remote", "add", "origin", bare.to_str().unwrap()]).await;
        world.git(&["push", "--quiet", "--set-upstream", "origin", "main"]).await;
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn folder(&self) -> PathBuf {
        self.path(FOLDER)
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.folder().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A file without the line for editors, which [`super::editors`] is about.
    pub fn read(&self, path: &str) -> String {
        let text = self.read_all(path);
        match text.split_once('\n') {
            Some((first, rest)) if first.starts_with("# yaml-language-server:") => rest.to_owned(),
            _ => text,
        }
    }

    pub fn read_all(&self, path: &str) -> String {
        fs::read_to_string(self.folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn has(&self, path: &str) -> bool {
        self.folder().join(path).exists()
    }

    /// A script below home; its path.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Runs the binary in the repository.
    pub async fn mcpfleet(&self, arguments: &[&str]) -> Answer {
        self.mcpfleet_with(arguments, "", &[]).await
    }

    pub async fn mcpfleet_with(&self, arguments: &[&str], stdin: &str, variables: &[(&str, &str)]) -> Answer {
        let mut command = self.home.mcpfleet(arguments);
        command.current_dir(self.folder()).envs(variables.iter().copied());
        self.run(command, stdin).await
    }

    pub async fn run(&self, mut command: Command, stdin: &str) -> Answer {
        command.env("GIT_CONFIG_NOSYSTEM", "1").stdin(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let mut input = child.stdin.take().expect("a pipe");
        // It may end without reading it.
        let _ = input.write_all(stdin.as_bytes()).await;
        drop(input);
        let output = child.wait_with_output().await.expect("the command ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Answer { code: output.status.code().expect("no signal"), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What `git` prints in the repository; it must end well.
    pub async fn git(&self, arguments: &[&str]) -> String {
        self.git_in(&self.folder(), arguments).await
    }

    pub async fn git_in(&self, folder: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(arguments).env_clear().envs(self.home.environment()).current_dir(folder);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let answer = self.run(command, "").await;
        assert_eq!(answer.code, 0, "git {arguments:?}: {answer:?}");
        answer.out.trim_end().to_owned()
    }

    /// The current commit, what is staged or changed, and all files.
    pub async fn state(&self) -> (String, String, BTreeMap<String, Vec<u8>>) {
        let head = self.git(&["rev-parse", "HEAD"]).await;
        let status = self.git(&["status", "--porcelain", "--untracked-files=all"]).await;
        (head, status, self.files())
    }

    /// All files but git's.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let folder = self.folder();
        let entries = walkdir::WalkDir::new(&folder).into_iter().filter_entry(|entry| entry.file_name() != ".git");
        let files = entries.map(|entry| entry.unwrap()).filter(|entry| entry.file_type().is_file());
        let read = |entry: walkdir::DirEntry| {
            let below = entry.path().strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            (below, fs::read(entry.path()).unwrap())
        };
        files.map(read).collect()
    }

    /// The key that the one user of the repository signs with.
    pub fn key(&self) -> String {
        let users = fs::read_dir(self.folder().join("users")).unwrap();
        let files: Vec<_> = users.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
        let [only] = files.as_slice() else { panic!("{} users", files.len()) };
        let parsed = parse_file("user.yaml", only);
        match &parsed.resources[0].resource {
            mcpfleet::resource::Resource::User(user) => user.git.signing_keys[0].clone(),
            other => panic!("{other:?}"),
        }
    }
}

pub fn app(name: &str) -> String {
    format!("kind: app\nversion: v3\nmetadata: {{name: {name}, labels: {{env: dev}}}}\nspec: {{mcp: {{command: x}}}}\n")
}
