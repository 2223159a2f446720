//! Containers of servers that an earlier agent and its keepers, all of them killed, could not remove.
//!
//! A keeper writes a file before it starts a command that runs a container, and removes it once that container is gone.
//! A file that is there when nobody runs is a container that may be there.

use super::{
    engine::{self, Labelled},
    identity::Identity,
    marker::{LABEL, Marker},
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
    time::Duration,
};
use tokio::task::JoinSet;

/// The end of the name of such a file; before it is the marker.
pub const SUFFIX: &str = ".container";
/// What follows until the file is whole.
pub const UNFINISHED: &str = ".new";

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

/// The longest that such a file may be, in bytes.
pub const MAX_FILE: u64 = 64 << 10;
/// How long the start of an agent is held up by this.
const WITHIN: Duration = Duration::from_secs(15);

/// The command with the label, if it is one that runs a container.
pub fn label(spec: &LaunchSpec, marker: &str) -> Option<Labelled> {
    match &spec.program {
        Program::Named(program) => engine::label(program, &spec.args, marker),
        Program::OwnBinary => None,
    }
}

/// Whether a container could be found again: all that will be written down of the command may be, and the label stays.
///
/// # Errors
/// Which variable or argument is in the way, for people.
pub fn check(spec: &LaunchSpec, is_secret: impl Fn(&str) -> bool) -> Result<(), String> {
    if label(spec, "").is_none() {
        return Ok(());
    }
    if let Some(name) = ENVIRONMENT.into_iter().find(|name| is_secret(name)) {
        return Err(format!(
            "`env.{name}` of a container engine's client is kept in a file, to find the container again, and must not be a secret"
        ));
    }
    // Of two values for a label engines take the later one. Which arguments are options they alone know.
    match spec.args.iter().any(|argument| argument.contains(LABEL)) {
        true => {
            Err(format!("no argument of a container engine's client may contain `{LABEL}`: the agent sets that label"))
        }
        false => Ok(()),
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
    let (folder, identity) = (runtime_dir.to_owned(), launcher.identity().clone());
    let found = tokio::task::spawn_blocking(move || records(&folder, &identity)).await;
    let Ok(found) = found else { return };
    let (mut left, mut removed) = (found.len(), 0);
    let mut removals: JoinSet<_> = found.into_iter().map(|removal| launcher.remove_surely(removal)).collect();
    let _ = tokio::time::timeout(WITHIN, async {
        while let Some(done) = removals.join_next().await {
            if let Ok(Ok(Some(containers))) = done {
                (left, removed) = (left - 1, removed + containers);
            }
        }
    })
    .await;
    if removed > 0 {
        tracing::info!(removed, "removed containers that an earlier agent left behind");
    }
    if left > 0 {
        tracing::warn!(left, "cannot remove containers that an earlier agent may have left behind; trying again later");
    }
}

/// What earlier runs of this agent have written down. What they have not finished writing is removed: no container was
/// started then. What is not as this program writes it is left alone.
fn records(runtime_dir: &Path, own: &Identity) -> Vec<Removal> {
    let Ok(entries) = fs::read_dir(runtime_dir) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let Some(name) = name.to_str() else { continue };
        let (name, is_whole) = name.strip_suffix(UNFINISHED).map_or((name, true), |name| (name, false));
        let Some(marker) = name.strip_suffix(SUFFIX) else { continue };
        // In a copy of a state directory are those of an agent that may live.
        let is_earlier = |marker: Marker<'_>| marker.agent == &*own.agent && marker.run != &*own.run;
        if !Marker::parse(marker).is_some_and(is_earlier) {
            continue;
        }
        let read = if is_whole { read(&path, marker) } else { Ok(None) };
        match read {
            Ok(Some(removal)) => found.push(removal),
            // What cannot be removed is looked at again by the next agent.
            Ok(None) => _ = fs::remove_file(&path),
            Err(error) => tracing::warn!(%error, "cannot use {}", path.display()),
        }
    }
    found
}

/// `None` if it was cut off, as by a full disk.
fn read(path: &Path, marker: &str) -> io::Result<Option<Removal>> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    // It says which program runs as which user: nobody else's word.
    if !metadata.is_file() || metadata.uid() != Uid::effective().as_raw() || metadata.mode() & 0o022 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not this user's own"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    let removal: Removal = match serde_json::from_slice(&bytes) {
        Err(error) if error.is_eof() && bytes.len() as u64 <= MAX_FILE => return Ok(None),
        read => read?,
    };
    let run = [removal.options.as_slice(), &["run".to_owned()]].concat();
    if removal.marker != marker || engine::label(&removal.program, &run, marker).is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is of another instance or no container engine"));
    }
    Ok(Some(Removal { record: path.to_owned(), ..removal }))
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
            redaction: Default::default(),
            plan: Default::default(),
        };
        assert_eq!(check(&spec("docker"), |name| name == "TOKEN"), Ok(()));
        assert!(check(&spec("docker"), |name| name == "DOCKER_HOST").is_err());
        assert_eq!(check(&spec("sh"), |name| name == "DOCKER_HOST"), Ok(()));
        for argument in ["mcpfleet.instance=x", "--label=mcpfleet.instance=x", "-lmcpfleet.instance"] {
            let with = |program: &str| LaunchSpec { args: vec!["run".into(), argument.into()], ..spec(program) };
            assert!(check(&with("podman"), |_| false).is_err(), "{argument}");
            assert_eq!(check(&with("sh"), |_| false), Ok(()), "{argument}");
        }
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
        // As in a copy of the folder of an agent that lives.
        write("b.old.nine-9.container", "docker", "b.old.nine-9");
        let open = write("a.old.five-5.container", "docker", "a.old.five-5");
        fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        std::os::unix::fs::symlink(&good, dir.path().join("a.old.seven-7.container")).unwrap();
        fs::create_dir(dir.path().join("a.old.eight-8.container")).unwrap();
        let cut_off = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            path
        };
        let broken = ["a.old.a-1.container", "a.old.a-2.container.new"].map(|name| cut_off(name, "{"));
        let empty = cut_off("a.old.a-3.container", "");
        let others = ["b.old.a-1.container", "a.new.a-2.container.new", "a-3.new"].map(|name| cut_off(name, ""));
        let strange = cut_off("a.old.a-4.container", "!");

        let own = |run: &str| Identity { agent: "a".into(), run: run.into() };
        let found = records(dir.path(), &own("new"));
        assert_eq!(found.iter().map(|removal| &removal.record).collect::<Vec<_>>(), [&good]);
        assert!(broken.iter().chain([&empty]).all(|path| !path.exists()));
        assert!(others.iter().chain([&strange, &open]).all(|path| path.exists()));
        assert!(records(&dir.path().join("missing"), &own("new")).is_empty());
    }
}
