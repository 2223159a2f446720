//! Who an agent is: the same over all its runs, and another in each of them.

use super::marker::Marker;
use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Kept in the state directory, and locked while an agent uses that.
const FILE: &str = "agent";

/// How long an agent that was killed may hold its lock. A child that was about to become a keeper has a copy of it until
/// then: of that one nobody could tell yet whose it is, so it must be over before the next agent looks for what is left.
const LAST_MOMENT: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The first two parts of every [`Marker`] of a run of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub agent: Arc<str>,
    pub run: Arc<str>,
}

impl Identity {
    /// One that no other agent has and no later run will have.
    pub fn random() -> Identity {
        Identity { agent: random().into(), run: random().into() }
    }

    pub fn marker(&self, instance: &str) -> String {
        Marker { agent: &self.agent, run: &self.run, instance }.to_string()
    }
}

fn random() -> String {
    let mut bytes = [0; 8];
    // It need not be a secret, only another one each time: without random numbers the clock has to do.
    let number = match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => jiff::Timestamp::now().as_nanosecond().cast_unsigned() as u64 ^ u64::from(std::process::id()) << 48,
    };
    format!("{number:016x}")
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error("another agent uses the state_dir {}; stop it, or give this one its own state_dir and control_socket", .0.display())]
    InUse(PathBuf),
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// A state directory that belongs to this agent as long as this lives.
#[derive(Debug)]
pub struct Claim {
    pub identity: Identity,
    _lock: File,
}

impl Claim {
    /// Takes a state directory, and the identity that its agents have; a new one if there is none. Waits for one that
    /// was just killed, which blocks for two seconds at most.
    ///
    /// # Errors
    /// Another agent has it, or it cannot be written.
    pub fn take(state_dir: &Path) -> Result<Claim, ClaimError> {
        let started = Instant::now();
        Claim::take_or(state_dir, || {
            thread::sleep(BETWEEN_LOOKS);
            started.elapsed() < LAST_MOMENT
        })
    }

    /// `again` says whether to try once more when another has it.
    fn take_or(state_dir: &Path, mut again: impl FnMut() -> bool) -> Result<Claim, ClaimError> {
        let path = state_dir.join(FILE);
        let failed = |error| ClaimError::Io { path: path.clone(), error };
        // Servers run in folders below it, as other users.
        DirBuilder::new().recursive(true).mode(0o711).create(state_dir).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.custom_flags(nix::libc::O_NOFOLLOW).open(&path).map_err(failed)?;
        let mut locked = file.try_lock();
        while matches!(locked, Err(TryLockError::WouldBlock)) && again() {
            locked = file.try_lock();
        }
        let identity = identity(&mut file, locked, state_dir)?;
        Ok(Claim { identity, _lock: file })
    }
}

/// Who an agent is that has tried to lock the file.
fn identity(file: &mut File, locked: Result<(), TryLockError>, state_dir: &Path) -> Result<Identity, ClaimError> {
    let path = state_dir.join(FILE);
    match locked {
        Ok(()) => {
            let agent = known_or_new(file).map_err(|error| ClaimError::Io { path, error })?;
            Ok(Identity { agent: agent.into(), run: random().into() })
        }
        Err(TryLockError::WouldBlock) => Err(ClaimError::InUse(state_dir.to_owned())),
        // As on some file servers. Another agent may be alive here: so this one has an identity of its own, by which it
        // takes nothing for what an earlier one has left.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(
                %error,
                "cannot lock {}: nothing ends what an earlier agent has left behind, or keeps a second one away",
                path.display()
            );
            Ok(Identity::random())
        }
    }
}

/// The identity in the file. A copy of the file, as in an image of a machine or a container, is another agent's: that
/// is why the file also says which one it is.
fn known_or_new(file: &mut File) -> io::Result<String> {
    let metadata = file.metadata()?;
    let place = format!("{}:{}", metadata.dev(), metadata.ino());
    let mut text = String::new();
    // What is no text is as good as nothing.
    let _ = (&mut *file).take(1024).read_to_string(&mut text);
    if let Some((agent, at)) = text.trim_end().split_once(' ')
        && at == place
        && !agent.is_empty()
        && agent.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Ok(agent.to_owned());
    }
    let agent = random();
    file.rewind()?;
    file.set_len(0)?;
    writeln!(file, "{agent} {place}")?;
    Ok(agent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_agent_stays_who_it_is_and_each_run_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let first = Claim::take(&dir.path().join("a/b")).unwrap();
        assert!(matches!(Claim::take(&dir.path().join("a/b")), Err(ClaimError::InUse(_))));
        let identity = first.identity.clone();
        drop(first);
        let second = Claim::take(&dir.path().join("a/b")).unwrap();
        assert_eq!(second.identity.agent, identity.agent);
        assert_ne!(second.identity.run, identity.run);
        assert_ne!(Claim::take(dir.path()).unwrap().identity.agent, identity.agent);
    }

    #[test]
    fn the_lock_of_one_that_is_going_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut going = Some(Claim::take(dir.path()).unwrap());
        let mut looks = 0;
        let next = Claim::take_or(dir.path(), || {
            looks += 1;
            if looks == 3 {
                going = None;
            }
            // What another test is about to start may have a copy of it for a moment.
            thread::sleep(BETWEEN_LOOKS);
            looks < 200
        });
        next.unwrap();
        assert!(looks >= 3);
    }

    #[test]
    fn without_a_lock_nobody_is_the_next_run_of_an_agent() {
        let dir = tempfile::tempdir().unwrap();
        let first = Claim::take(dir.path()).unwrap().identity;
        let text = fs::read(dir.path().join(FILE)).unwrap();
        let mut file = File::options().read(true).write(true).open(dir.path().join(FILE)).unwrap();
        let no_locks = Err(TryLockError::Error(io::Error::from_raw_os_error(nix::libc::ENOLCK)));
        let second = identity(&mut file, no_locks, dir.path()).unwrap();
        assert_ne!(second.agent, first.agent);
        assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), text);
    }

    #[test]
    fn a_copy_is_another_agent_and_rubbish_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        let original = Claim::take(&one).unwrap().identity.agent;
        fs::create_dir(&two).unwrap();
        fs::copy(one.join(FILE), two.join(FILE)).unwrap();
        let copy = Claim::take(&two).unwrap().identity.agent;
        assert_ne!(copy, original);
        assert_eq!(Claim::take(&two).unwrap().identity.agent, copy);
        fs::write(two.join(FILE), [0xff; 2000]).unwrap();
        let after = Claim::take(&two).unwrap().identity.agent;
        assert_ne!(after, copy);
        assert_eq!(Claim::take(&two).unwrap().identity.agent, after);
    }
}
