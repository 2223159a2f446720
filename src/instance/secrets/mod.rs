//! Secrets of apps: files of one folder, given to those apps that may have them.
//!
//! A version of an app is one spec with one set of values, so a changed secret makes a new version, like a changed
//! spec. Values are read when a process is started, and in between only to see whether they have changed; what is kept
//! of them then is a keyed digest.

mod folder;
mod value;
mod watch;

pub use value::{Fingerprint, Value};

use super::grant::is_granted;
use crate::resource::{App, EnvValue, Header, HeaderValue, Selector, Server};
use folder::NoValue;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch as channel};
use value::{Key, Tag};

/// How long a look at a folder on a network may take, before the secrets count as unreadable.
const LOOK_WITHIN: Duration = Duration::from_secs(10);

/// How many processes have their secrets read at a time. As many threads may hang in a folder that does not answer.
const READERS: usize = 4;

/// Where secrets are and who may have them.
#[derive(Clone, Debug)]
pub struct SecretSettings {
    pub dir: PathBuf,
    /// Which apps may use which secret. `None`: any any.
    pub granted: Option<BTreeMap<String, Selector>>,
}

/// Why an app cannot have a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error(
        "secret `{secret}` is not granted to app `{app}`: the agent's configuration has no selector for it in \
         `app_service.secrets` that matches the app's labels"
    )]
    NotGranted { secret: String, app: String },
    #[error("secret `{secret}` of app `{app}` is missing: put it into the file {}", .file.display())]
    Missing { secret: String, app: String, file: PathBuf },
    #[error("secret `{secret}` of app `{app}` cannot be used: {} {why}", .file.display())]
    Unusable { secret: String, app: String, file: PathBuf, why: String },
}

#[derive(Debug)]
pub struct Secrets {
    settings: SecretSettings,
    key: Key,
    /// What the secrets that apps use were at the last look. Held during a look, so that of two looks the later one
    /// has the last word; so not for async code.
    seen: Mutex<BTreeMap<String, Result<Tag, NoValue>>>,
    /// Whose turn it is to look: while one look hangs, no other thread is sent after it.
    look: Arc<Semaphore>,
    readers: Arc<Semaphore>,
    /// Somebody did not get an answer in time, and is to ask again once there is one.
    owes_answer: AtomicBool,
    /// Told when there is something to look at for the first time.
    used: Notify,
    changes: channel::Sender<()>,
}

impl Secrets {
    pub fn new(settings: SecretSettings) -> Arc<Self> {
        Arc::new(Secrets {
            settings,
            key: Key::random(),
            seen: Mutex::default(),
            look: Arc::new(Semaphore::new(1)),
            readers: Arc::new(Semaphore::new(READERS)),
            owes_answer: AtomicBool::new(false),
            used: Notify::new(),
            changes: channel::Sender::new(()),
        })
    }

    /// Says that a secret has changed since it was last asked for, by whomever.
    pub fn subscribe(&self) -> channel::Receiver<()> {
        self.changes.subscribe()
    }

    /// Says in the log which secrets every user of the machine can read, if there are any. Blocking.
    pub fn warn_if_readable_by_all(&self) {
        let names = folder::readable_by_all(&self.settings.dir);
        if !names.is_empty() {
            let (dir, names) = (self.settings.dir.display(), names.join(", "));
            tracing::warn!(
                "every user of this machine can read secrets in {dir}: {names}; `chmod o-r` keeps them secret"
            );
        }
    }

    /// What the values are now that an app is to have, without saying what they are.
    ///
    /// # Errors
    /// Why it cannot have one of them, for people.
    pub async fn fingerprint(self: &Arc<Self>, app: &App) -> Result<Fingerprint, String> {
        self.fingerprint_within(app, LOOK_WITHIN).await
    }

    async fn fingerprint_within(self: &Arc<Self>, app: &App, limit: Duration) -> Result<Fingerprint, String> {
        let names = names(app);
        if names.is_empty() {
            return Ok(Fingerprint::default());
        }
        let denied = names.iter().find(|name| !self.is_granted(name, app));
        if let Some(name) = denied {
            return Err(self.not_granted(name, app).to_string());
        }
        let secrets = self.clone();
        let looked = async {
            let turn = self.turn_to_look().await;
            let look = move || {
                let tags = secrets.look(&names);
                drop(turn);
                tags
            };
            tokio::task::spawn_blocking(look).await
        };
        match tokio::time::timeout(limit, looked).await {
            Ok(Ok(tags)) => tags.map(|tags| self.key.fingerprint(&tags)).map_err(|(name, why)| {
                let error = self.no_value(&name, app, why);
                error.to_string()
            }),
            Ok(Err(error)) => Err(format!("internal error: {error}")),
            Err(_) => {
                self.owes_answer.store(true, Relaxed);
                Err(format!("the folder of the secrets, {}, does not answer", self.settings.dir.display()))
            }
        }
    }

    /// To be held during a look.
    async fn turn_to_look(&self) -> Option<OwnedSemaphorePermit> {
        self.look.clone().acquire_owned().await.ok()
    }

    /// To be held while [`values`](Self::values) reads those of this app. At once for an app without secrets.
    pub async fn turn_to_read(&self, app: &App) -> Option<OwnedSemaphorePermit> {
        if uses(app) { self.readers.clone().acquire_owned().await.ok() } else { None }
    }

    /// The values that an app asks for, by name. Blocking.
    pub fn values(&self, app: &App) -> BTreeMap<String, Result<Value, SecretError>> {
        let value = |name: &String| match self.is_granted(name, app) {
            true => folder::read(&self.settings.dir, name).map_err(|why| self.no_value(name, app, why)),
            false => Err(self.not_granted(name, app)),
        };
        names(app).into_iter().map(|name| (name.clone(), value(&name))).collect()
    }

    /// Looks at these secrets, and remembers them as used. Blocking.
    fn look(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, Tag>, (String, NoValue)> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = false;
        for name in names {
            let now = folder::read(&self.settings.dir, name).map(|value| self.key.tag(&value));
            let before = seen.insert(name.clone(), now.clone());
            changed |= before.is_some_and(|before| before != now);
        }
        if self.owes_answer.swap(false, Relaxed) || changed {
            self.changes.send_replace(());
        }
        self.used.notify_one();
        let tag = |name: &String| match seen.get(name) {
            Some(Ok(tag)) => Ok((name.clone(), *tag)),
            Some(Err(why)) => Err((name.clone(), why.clone())),
            None => Err((name.clone(), NoValue::Missing)),
        };
        names.iter().map(tag).collect()
    }

    /// Looks at all secrets that were ever asked for. Blocking.
    fn look_again(&self) {
        let names = self.seen.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        // What is wrong with them is for those who use them.
        let _ = self.look(&names);
    }

    fn is_granted(&self, name: &str, app: &App) -> bool {
        is_granted(&self.settings.granted, name, app)
    }

    fn not_granted(&self, name: &str, app: &App) -> SecretError {
        SecretError::NotGranted { secret: name.into(), app: app.metadata.name.clone() }
    }

    fn no_value(&self, name: &str, app: &App, why: NoValue) -> SecretError {
        let (secret, app, file) = (name.to_owned(), app.metadata.name.clone(), self.settings.dir.join(name));
        match why {
            NoValue::Missing => SecretError::Missing { secret, app, file },
            NoValue::Unusable(why) => SecretError::Unusable { secret, app, file, why },
        }
    }
}

/// The secrets that an app asks for.
pub(super) fn names(app: &App) -> BTreeSet<String> {
    let in_env = |value: &EnvValue| match value {
        EnvValue::Secret(name) => Some(name.clone()),
        EnvValue::Literal(_) | EnvValue::FromAgent(_) => None,
    };
    let in_header = |header: &Header| match &header.value {
        HeaderValue::Secret(name) => Some(name.clone()),
        HeaderValue::Literal(_) => None,
    };
    match &app.spec.server {
        Server::Stdio(stdio) => stdio.env.values().filter_map(in_env).collect(),
        Server::Remote(remote) => remote.headers.iter().filter_map(in_header).collect(),
    }
}

/// Whether an app asks for any.
pub fn uses(app: &App) -> bool {
    match &app.spec.server {
        Server::Stdio(stdio) => stdio.env.values().any(|value| matches!(value, EnvValue::Secret(_))),
        Server::Remote(remote) => remote.headers.iter().any(|header| matches!(header.value, HeaderValue::Secret(_))),
    }
}

#[cfg(test)]
mod tests;
