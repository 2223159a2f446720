//! What outlasts the agent: what has become of commits, and whom has been told.
//!
//! Nothing here is worth not starting for: what cannot be read is begun anew, and at worst something is told twice.

use super::outcome::Outcomes;
use crate::status::model::notification::CommitState;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// The folder in the state directory.
const FOLDER: &str = "notifications";

/// What a target has been told of commits, by source and commit.
pub type Told = BTreeMap<String, BTreeMap<String, CommitState>>;

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize, Deserialize)]
struct Commits {
    sources: Outcomes,
}

#[derive(Serialize, Deserialize)]
struct ToldFile {
    told: Told,
}

/// The files of an agent.
#[derive(Clone, Debug)]
pub struct Memory(PathBuf);

impl Memory {
    pub fn new(state_dir: &Path) -> Memory {
        Memory(state_dir.join(FOLDER))
    }

    pub fn outcomes(&self) -> Outcomes {
        self.read("commits.json").map(|commits: Commits| commits.sources).unwrap_or_default()
    }

    pub fn write_outcomes(&self, outcomes: &Outcomes) {
        self.write("commits.json", Commits { sources: outcomes.clone() });
    }

    /// `None` for a target that is new.
    pub fn told(&self, target: &str) -> Option<Told> {
        self.read(&file_of(target)).map(|told: ToldFile| told.told)
    }

    pub fn write_told(&self, target: &str, told: &Told) {
        self.write(&file_of(target), ToldFile { told: told.clone() });
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.0.join(name);
        let read = fs::read(&path).and_then(|bytes| {
            let read: Versioned<T> = serde_json::from_slice(&bytes)?;
            if read.version == 1 { Ok(read.content) } else { Err(io::Error::other("it is of another version")) }
        });
        match read {
            Ok(content) => Some(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "what was told is forgotten: the file cannot be used");
                None
            }
        }
    }

    fn write<T: Serialize>(&self, name: &str, content: T) {
        let path = self.0.join(name);
        let write = || -> io::Result<()> {
            fs::create_dir_all(&self.0)?;
            let mut file = NamedTempFile::new_in(&self.0)?;
            file.write_all(&serde_json::to_vec(&Versioned { version: 1, content })?)?;
            file.persist(&path)?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::warn!(file = %path.display(), %error, "cannot remember what was told: it is told again after a restart");
        }
    }
}

fn file_of(target: &str) -> String {
    format!("told-{target}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(folder.path());
        assert_eq!((memory.told("a"), memory.outcomes()), (None, Outcomes::default()));
        let told = Told::from([("fleet".into(), BTreeMap::from([("c".into(), CommitState::Success)]))]);
        memory.write_told("a", &told);
        memory.write_outcomes(&Outcomes::from([("fleet".into(), Default::default())]));
        assert_eq!((memory.told("a"), memory.told("b")), (Some(told), None));
        assert_eq!(memory.outcomes().len(), 1);
        for damaged in ["", "{", "{\"version\": 2, \"told\": {}}"] {
            fs::write(folder.path().join("notifications/told-a.json"), damaged).unwrap();
            assert_eq!(memory.told("a"), None, "{damaged}");
        }
    }
}
