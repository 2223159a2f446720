//! `mcpfleet init`.

use super::world::{FOLDER, World};
use crate::support::missing;
use mcpfleet::{
    authorize::signature::{Check, Evidence, SigningKey, evidence},
    manifest::parse_file,
    resource::{Resource, User},
};
use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

impl World {
    async fn init(&self, folder: &str) -> super::world::Answer {
        let command = self.home.mcpfleet(["init", folder]);
        self.run(command, "").await
    }

    async fn set(&self, settings: &[(&str, &str)]) {
        for (name, value) in settings {
            self.git_in(self.home.path(), &["config", "--global", name, value]).await;
        }
    }

    fn user(&self, name: &str) -> Arc<User> {
        let text = self.read(&format!("users/{name}.yaml"));
        match &parse_file("f.yaml", text.as_bytes()).resources[0].resource {
            Resource::User(user) => user.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Asserts that every commit is signed by the one key of a user.
    async fn assert_signed_by(&self, user: &str) {
        let user = self.user(user);
        let [key] = user.git.signing_keys.as_slice() else { panic!("{user:?}") };
        let key = SigningKey::parse(key).unwrap();
        let commits = self.git(&["rev-list", "HEAD"]).await;
        for commit in commits.lines() {
            let repository = git2::Repository::open(self.folder()).unwrap();
            let objects = repository.odb().unwrap();
            let raw = objects.read(commit.parse().unwrap()).unwrap();
            let Evidence::Signed(signature) = evidence(raw.data()) else { panic!("{commit} is not signed") };
            assert_eq!(signature.check(&key), Check::Good, "{commit}");
        }
    }

    /// The files in `.ssh`.
    fn ssh(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(".ssh")) else { return Vec::new() };
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn a_fresh_machine_gets_a_key_and_a_repository_that_is_ready() {
    let world = World::empty();
    let said = world.init(FOLDER).await.good();
    let root = world.git(&["rev-list", "--max-parents=0", "HEAD"]).await;
    assert!(said.contains(&format!("root of trust  {root}\n")), "{said}");
    assert!(said.contains(&format!("mcpfleet run --git {FOLDER} --root {root}\n")), "{said}");
    assert!(said.contains(".ssh/mcpfleet_signing.pub, made just now") && said.contains("as git knew none"), "{said}");
    assert_eq!(world.git(&["rev-list", "--count", "HEAD"]).await, "2");
    assert_eq!(world.git(&["status", "--porcelain"]).await, "");
    assert_eq!(world.git(&["symbolic-ref", "--short", "HEAD"]).await, "main");

    let user = said.split("administrator  ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    assert!(world.user(&user).git.emails.is_empty());
    world.assert_signed_by(&user).await;
    // Everything that counts for rights is in the root; what comes later only names it.
    let later = world.git(&["diff", "--name-only", &root, "HEAD"]).await;
    assert_eq!(
        later,
        ".github/workflows/mcpfleet.yml\n.mcpfleet/agent.yaml\n.mcpfleet/schema/resource.json\nREADME.md"
    );
    world.mcpfleet(&["validate", "."]).await.good();
    for (path, expected) in [
        (".mcpfleet/agent.yaml", format!("    commit: {root}\n")),
        (".github/workflows/mcpfleet.yml", format!("ROOT: {root}\n")),
    ] {
        assert!(world.read(path).contains(&expected), "{}", world.read(path));
    }
    let private = fs::metadata(world.path(".ssh/mcpfleet_signing")).unwrap();
    assert_eq!(private.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(world.path(".ssh")).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(
        !world.path(".gitconfig").exists() && !world.path("config/git").exists(),
        "nothing is set for all repositories"
    );

    // The next repository uses the same key.
    let said = world.init("second").await.good();
    assert!(said.contains(".ssh/mcpfleet_signing.pub, with which git signs here from now on"), "{said}");
    assert_eq!(world.ssh(), ["mcpfleet_signing", "mcpfleet_signing.pub"]);
}

#[tokio::test]
async fn what_git_is_set_up_with_is_used() {
    let world = World::empty();
    let key = crate::support::Key::new("ada").write_to(world.home.path());
    fs::write(key.with_extension("key.pub"), crate::support::Key::new("ada").public()).unwrap();
    world
        .set(&[
            ("user.name", "Ada: \"L\""),
            ("user.email", "12+ada@example.com"),
            ("gpg.format", "ssh"),
            ("user.signingkey", "~/ada.key"),
            ("init.defaultBranch", "trunk"),
        ])
        .await;
    let said = world.init(FOLDER).await.good();
    assert!(
        said.contains("administrator  ada, in users/ada.yaml") && said.contains("the one that git signs with"),
        "{said}"
    );
    let user = world.user("ada");
    assert_eq!(user.metadata.description.as_deref(), Some("Ada: \"L\""));
    assert_eq!(user.git.emails, ["12+ada@example.com"]);
    assert_eq!(user.git.signing_keys, [crate::support::Key::new("ada").public()]);
    world.assert_signed_by("ada").await;
    let local = world.git(&["config", "--local", "--get-regexp", "^(user|gpg|commit)\\."]).await;
    assert_eq!(local, "commit.gpgsign true");
    assert!(world.ssh().is_empty());
}

#[tokio::test]
async fn an_ssh_key_that_is_there_is_used() {
    let world = World::empty();
    fs::create_dir(world.path(".ssh")).unwrap();
    let key = crate::support::Key::new("ada");
    fs::rename(key.write_to(world.home.path()), world.path(".ssh/id_ed25519")).unwrap();
    fs::write(world.path(".ssh/id_ed25519.pub"), key.public() + "\n").unwrap();
    world.set(&[("user.name", "Ada"), ("user.email", "ada@example.com")]).await;
    let said = world.init(FOLDER).await.good();
    assert!(said.contains(".ssh/id_ed25519.pub, with which git signs here from now on"), "{said}");
    world.assert_signed_by("ada").await;
    assert_eq!(world.ssh(), ["id_ed25519", "id_ed25519.pub"]);
}

#[tokio::test]
async fn a_gnupg_key_is_used() {
    if std::process::Command::new("gpg").arg("--version").output().is_err() {
        return missing("a_gnupg_key_is_used", "gpg is not installed");
    }
    let world = World::empty();
    let run = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new("gpg");
        command.args(arguments).env_clear().envs(world.home.environment()).kill_on_drop(true);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        world.run(command, "").await.good()
    };
    fs::create_dir(world.path(".gnupg")).unwrap();
    fs::set_permissions(world.path(".gnupg"), fs::Permissions::from_mode(0o700)).unwrap();
    let identity = "Ada <ada@example.com>";
    run(&["--batch", "--quiet", "--passphrase", "", "--quick-generate-key", identity, "ed25519", "sign", "never"])
        .await;
    world.set(&[("user.name", "Ada"), ("user.email", "ada@example.com"), ("commit.gpgsign", "true")]).await;
    world.init(FOLDER).await.good();
    let [key] = &*world.user("ada").git.signing_keys.clone() else { panic!("one key") };
    assert!(key.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{key}");
    world.assert_signed_by("ada").await;
    // GnuPG leaves a process behind.
    let mut stop = tokio::process::Command::new("gpgconf");
    stop.args(["--kill", "all"]).env_clear().envs(world.home.environment());
    world.run(stop, "").await;
}

#[tokio::test]
async fn only_an_empty_folder_or_a_fresh_repository_will_do() {
    let world = World::plain(&[("a.txt", "mine")]);
    assert!(world.init(FOLDER).await.bad(2).contains("is not empty"));
    assert_eq!(world.files().into_keys().collect::<Vec<_>>(), ["a.txt"]);
    assert!(world.init("fleet/a.txt").await.bad(2).contains("is not a folder"));

    world.init("made").await.good();
    for entry in fs::read_dir(world.path("made")).unwrap().map(|entry| entry.unwrap()) {
        match (entry.file_name() == ".git", entry.path().is_dir()) {
            (true, _) => {}
            (_, true) => fs::remove_dir_all(entry.path()).unwrap(),
            (_, false) => fs::remove_file(entry.path()).unwrap(),
        }
    }
    assert!(world.init("made").await.bad(2).contains("is a repository that has commits"));
}

#[tokio::test]
async fn a_clone_of_an_empty_repository_will_do_and_is_told_how_to_push() {
    let world = World::empty();
    let bare = world.path("remote.git");
    world.git_in(world.home.path(), &["init", "--quiet", "--bare", "--initial-branch=trunk", "remote.git"]).await;
    world.git_in(world.home.path(), &["clone", "--quiet", "remote.git", FOLDER]).await;
    let said = world.init(FOLDER).await.good();
    assert!(said.contains(&format!("  git -C {FOLDER} push -u origin trunk\n")), "{said}");
    assert!(said.contains(&format!("  mcpfleet run {} --root ", bare.display())), "{said}");
    world.git(&["push", "--quiet"]).await;
    assert_eq!(world.git_in(&bare, &["rev-list", "--count", "trunk"]).await, "2");
    assert!(world.read(".github/workflows/mcpfleet.yml").contains("branches: [trunk]"));
}

#[tokio::test]
async fn what_fails_leaves_nothing_behind() {
    let world = World::empty();
    world
        .set(&[
            ("gpg.format", "ssh"),
            (
                "user.signingkey",
                "key::ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
            ),
        ])
        .await;
    let said = world.init(FOLDER).await.bad(3);
    assert!(said.contains("nothing is left of what was begun"), "{said}");
    assert!(!world.folder().exists());

    fs::create_dir(world.folder()).unwrap();
    world.init(FOLDER).await.bad(3);
    assert_eq!(fs::read_dir(world.folder()).unwrap().count(), 0);

    world.git(&["init", "--quiet"]).await;
    world.init(FOLDER).await.bad(3);
    assert_eq!(fs::read_dir(world.folder()).unwrap().count(), 1);
    world.set(&[("gpg.format", "x509")]).await;
    assert!(world.init(FOLDER).await.bad(2).contains("set `gpg.format` to `ssh` or `openpgp`"));
}
