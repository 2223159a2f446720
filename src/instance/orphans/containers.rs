//! Containers of servers that an earlier agent and its keepers, all of them killed, could not remove.
//!
//! A keeper writes a file before it starts a command that runs a container, and removes it once that container is gone.
//! A file that is there when nobody runs is a container that may be there.

use super::{
    engine::{self, Labelled},
    marker::Marker,
};
use crate::instance::{
    keeper::wire::{Credentials, Removal},
    launch::{LaunchSpec, Launcher, Program},
};
use nix::{libc, unistd::Uid};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Semaphore, task::JoinSet};

/// The end of the name of such a file; before it is the marker.
pub const SUFFIX: &str = ".container";

/// What of a server's environment says where its engine is and how to reach it, and holds no secret.
const ENVIRONMENT: [&str; 20] = [
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINER_CONNECTION",
    "CONTAINER_HOST",
    "CONTAINER_SSHKEY",
    "DOCKER_API_VERSION",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "LOGNAME",
    "PATH",
    "SSH_AUTH_SOCK",
    "TMPDIR",
    "USER",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
];

/// The longest file that is read.
const MAX_FILE: u64 = 64 << 10;
/// How many engines are asked at a time.
const AT_A_TIME: usize = 4;
/// How long the start of an agent is held up by this.
const WITHIN: Duration = Duration::from_secs(15);
/// After which time an engine that could not be asked is asked again.
const AGAIN: Duration = Duration::from_secs(60);

/// The command with the label, if it is one that runs a container.
pub fn label(spec: &LaunchSpec, marker: &str) -> Option<Labelled> {
    match &spec.program {
        Program::Named(program) => engine::label(program, &spec.args, marker),
        Program::OwnBinary => None,
    }
}

/// Whether all that will be written down of a command may be.
///
/// # Errors
/// Which variable may not, for people.
pub fn check(spec: &LaunchSpec, is_secret: impl Fn(&str) -> bool) -> Result<(), String> {
    let secret = ENVIRONMENT.into_iter().find(|name| is_secret(name));
    match secret.filter(|_| label(spec, "").is_some()) {
        Some(name) => Err(format!(
            "`env.{name}` of a container engine's client is kept in a file, to find the container again, and must not be a secret"
        )),
        None => Ok(()),
    }
}

/// What it will take to remove that container.
///
/// # Errors
/// The folder for such files is relative to one that is gone.
pub fn removal(
    spec: &LaunchSpec,
    options: Vec<String>,
    marker: &str,
    user: Option<Credentials>,
) -> io::Result<Removal> {
    let variable = |name: &&str| Some(format!("{name}={}", spec.env.get(*name)?.to_str()?));
    Ok(Removal {
        marker: marker.to_owned(),
        program: spec.program.to_string(),
        options,
        environment: ENVIRONMENT.iter().filter_map(variable).collect(),
        user,
        record: std::path::absolute(&spec.runtime_dir)?.join(format!("{marker}{SUFFIX}")),
    })
}

/// Removes what is left, as far as that can be done at once; what cannot is tried again from time to time.
pub async fn clear(launcher: &Launcher, runtime_dir: &Path) {
    let left = attempt(launcher, runtime_dir).await;
    if left == 0 {
        return;
    }
    tracing::warn!(left, "cannot remove containers that an earlier agent may have left behind; trying again later");
    let (launcher, runtime_dir) = (launcher.clone(), runtime_dir.to_owned());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(AGAIN).await;
            if attempt(&launcher, &runtime_dir).await == 0 {
                return;
            }
        }
    });
}

/// How many could not be looked for.
async fn attempt(launcher: &Launcher, runtime_dir: &Path) -> usize {
    let (folder, run) = (runtime_dir.to_owned(), launcher.identity().run.clone());
    let found = tokio::task::spawn_blocking(move || records(&folder, &run)).await;
    let Ok(found) = found else { return 0 };
    let (mut left, mut removed) = (found.len(), 0);
    let permits = Arc::new(Semaphore::new(AT_A_TIME));
    let mut removals = JoinSet::new();
    for removal in found {
        let (launcher, permits) = (launcher.clone(), permits.clone());
        removals.spawn(async move {
            let _permit = permits.acquire().await;
            launcher.remove(removal).await
        });
    }
    let _ = tokio::time::timeout(WITHIN, async {
        while let Some(done) = removals.join_next().await {
            if let Ok(Some(containers)) = done {
                (left, removed) = (left - 1, removed + containers);
            }
        }
    })
    .await;
    if removed > 0 {
        tracing::info!(removed, "removed containers that an earlier agent left behind");
    }
    left
}

/// What earlier runs have written down. What is not as this program writes it is left alone.
fn records(runtime_dir: &Path, run: &str) -> Vec<Removal> {
    let Ok(entries) = fs::read_dir(runtime_dir) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(marker) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else { continue };
        if Marker::parse(marker).is_none_or(|marker| marker.run == run) {
            continue;
        }
        match read(&entry.path(), marker) {
            Ok(removal) => found.push(removal),
            Err(error) => tracing::warn!(%error, "cannot use {}", entry.path().display()),
        }
    }
    found
}

fn read(path: &Path, marker: &str) -> io::Result<Removal> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    // It says which program runs as which user: nobody else's word.
    if !metadata.is_file() || metadata.uid() != Uid::effective().as_raw() || metadata.mode() & 0o022 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not this user's own"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    let removal: Removal = serde_json::from_slice(&bytes)?;
    let run = [removal.options.as_slice(), &["run".to_owned()]].concat();
    if removal.marker != marker || engine::label(&removal.program, &run, marker).is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is of another instance or no container engine"));
    }
    Ok(Removal { record: path.to_owned(), ..removal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_written_down() {
        let spec = |program: &str| LaunchSpec {
            app: "a".into(),
            instance: "a-1".into(),
            program: Program::Named(program.into()),
            args: vec!["run".into(), "x".into()],
            env: [("DOCKER_HOST", "tcp://a:1"), ("TOKEN", "hush")].map(|(n, v)| (n.into(), v.into())).into(),
            working_directory: None,
            runtime_dir: "/run/mcpfleet".into(),
            user: None,
            redaction: Arc::default(),
            plan: Default::default(),
        };
        assert_eq!(check(&spec("docker"), |name| name == "TOKEN"), Ok(()));
        assert!(check(&spec("docker"), |name| name == "DOCKER_HOST").is_err());
        assert_eq!(check(&spec("sh"), |name| name == "DOCKER_HOST"), Ok(()));
        let removal = removal(&spec("docker"), vec![], "a.b.a-1", None).unwrap();
        assert_eq!(removal.environment, ["DOCKER_HOST=tcp://a:1"]);
        assert_eq!(removal.record, Path::new("/run/mcpfleet/a.b.a-1.container"));
    }

    #[test]
    fn only_files_of_earlier_runs_that_are_whole_count() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, program: &str, marker: &str| {
            let removal = Removal {
                marker: marker.into(),
                program: program.into(),
                options: vec!["--context".into(), "far".into()],
                environment: vec!["PATH=/bin".into()],
                user: None,
                record: "/elsewhere".into(),
            };
            let path = dir.path().join(name);
            fs::write(&path, serde_json::to_vec(&removal).unwrap()).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            path
        };
        let good = write("a.old.one-1.container", "docker", "a.old.one-1");
        write("a.new.two-2.container", "docker", "a.new.two-2");
        write("a.old.three-3.container", "/bin/rm", "a.old.three-3");
        write("a.old.four-4.container", "docker", "a.old.other-4");
        write("nothing.container", "docker", "nothing");
        let open = write("a.old.five-5.container", "docker", "a.old.five-5");
        fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        fs::write(dir.path().join("a.old.six-6.container"), "{").unwrap();
        std::os::unix::fs::symlink(&good, dir.path().join("a.old.seven-7.container")).unwrap();
        fs::create_dir(dir.path().join("a.old.eight-8.container")).unwrap();

        let found = records(dir.path(), "new");
        assert_eq!(found.iter().map(|removal| &removal.record).collect::<Vec<_>>(), [&good]);
        assert!(records(&dir.path().join("missing"), "new").is_empty());
    }
}
