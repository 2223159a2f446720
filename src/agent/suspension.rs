//! What somebody has suspended, remembered over restarts of the agent.
//!
//! Suspended as a whole, an agent applies nothing new. One that is started again like this runs what it ran when it was
//! suspended, whatever its sources say by then, so that is written down too. Secrets are not: a definition only names
//! them.

use crate::{
    manifest::decode::{decode_document, static_app},
    reconcile::DesiredApp,
    resource::{App, Written},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What is suspended, and the file that says so.
#[derive(Debug)]
pub struct Suspension {
    file: PathBuf,
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// Apps that are stopped, there or not.
    #[serde(default)]
    apps: BTreeSet<String>,
    /// The agent applies nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    all: Option<Frozen>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Frozen {
    since: Timestamp,
    /// What ran then: `metadata` and `spec` of each app.
    running: Vec<Value>,
}

/// The file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {file}: {error}", file = .file.display())]
pub struct SuspensionError {
    verb: &'static str,
    file: PathBuf,
    error: io::Error,
}

impl Suspension {
    /// Reads what an earlier agent of the same state folder has left.
    ///
    /// # Errors
    /// The file is there and cannot be read or understood. Nothing is taken for granted then: what was suspended must
    /// not come to life by accident.
    pub fn load(state_dir: &Path) -> Result<Suspension, SuspensionError> {
        let file = state_dir.join("suspended.json");
        let state = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(error),
        };
        match state {
            Ok(state) => Ok(Suspension { file, state }),
            Err(error) => Err(SuspensionError { verb: "read", file, error }),
        }
    }

    /// Since when the agent applies nothing new.
    pub fn since(&self) -> Option<Timestamp> {
        self.state.all.as_ref().map(|all| all.since)
    }

    /// The apps that are suspended one by one.
    pub fn apps(&self) -> &BTreeSet<String> {
        &self.state.apps
    }

    /// What ran when the agent was suspended, if it is.
    pub fn running(&self) -> BTreeMap<String, DesiredApp> {
        let all = self.state.all.iter().flat_map(|all| &all.running);
        let apps = all.filter_map(|written| {
            let app = read_app(written);
            if app.is_none() {
                tracing::error!(file = %self.file.display(), "a suspended app cannot be read, and does not run");
            }
            app
        });
        apps.map(|app| (app.metadata.name.clone(), DesiredApp { app: Arc::new(app), origin: None, selected_by: None }))
            .collect()
    }

    /// Suspends one app, or the agent as a whole, which runs `running` now.
    pub fn suspend(
        &mut self,
        app: Option<&str>,
        running: &BTreeMap<String, DesiredApp>,
        now: Timestamp,
    ) -> Result<(), SuspensionError> {
        let mut state = self.state.clone();
        match app {
            Some(app) => _ = state.apps.insert(app.to_owned()),
            None => {
                state.all.get_or_insert_with(|| {
                    let written = running.values().filter_map(|told| serde_json::to_value(Written::of(&told.app)).ok());
                    Frozen { since: now, running: written.collect() }
                });
            }
        }
        self.store(state)
    }

    /// Takes that back. Whether there was anything to take back.
    pub fn resume(&mut self, app: Option<&str>) -> Result<bool, SuspensionError> {
        let mut state = self.state.clone();
        let was = match app {
            Some(app) => state.apps.remove(app),
            None => state.all.take().is_some(),
        };
        self.store(state)?;
        Ok(was)
    }

    /// Only what is on disk counts: an agent that is killed now and started again must know.
    fn store(&mut self, state: State) -> Result<(), SuspensionError> {
        if state == self.state {
            return Ok(());
        }
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let write = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&mut file, &state)?;
            file.as_file().sync_all()?;
            file.persist(&self.file)?;
            fs::File::open(folder)?.sync_all()
        };
        write().map_err(|error| SuspensionError { verb: "write", file: self.file.clone(), error })?;
        self.state = state;
        Ok(())
    }
}

fn read_app(written: &Value) -> Option<App> {
    decode_document("suspended.json", written.to_string().as_bytes(), static_app).value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str) -> DesiredApp {
        let text = format!("metadata: {{name: {name}}}\nspec: {{mcp: {{command: x, env: {{A: {{secret: b}}}}}}}}\n");
        let app = decode_document("app.yaml", text.as_bytes(), static_app).value.unwrap();
        DesiredApp { app: Arc::new(app), origin: None, selected_by: None }
    }

    #[test]
    fn what_is_suspended_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let state_dir = folder.path().join("state");
        let running = BTreeMap::from([("a".to_owned(), app("a")), ("b".to_owned(), app("b"))]);
        let now = Timestamp::UNIX_EPOCH;
        let mut suspension = Suspension::load(&state_dir).unwrap();
        suspension.suspend(Some("x"), &running, now).unwrap();
        suspension.suspend(None, &running, now).unwrap();

        let mut again = Suspension::load(&state_dir).unwrap();
        assert_eq!((again.since(), again.apps().len()), (Some(now), 1));
        assert_eq!(again.running(), running);
        // Once more does not forget what ran at first.
        again.suspend(None, &BTreeMap::new(), now).unwrap();
        assert_eq!(again.running(), running);
        assert!(again.resume(None).unwrap() && again.resume(Some("x")).unwrap());
        assert!(!again.resume(Some("x")).unwrap());

        let last = Suspension::load(&state_dir).unwrap();
        assert_eq!((last.since(), last.apps().len(), last.running().len()), (None, 0, 0));
        fs::write(state_dir.join("suspended.json"), "{").unwrap();
        assert!(Suspension::load(&state_dir).is_err());
    }
}
