//! The keys of one issuer, got when they are needed and kept for a while.

use super::{fetch, jwk::Key};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How old keys may be.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// How old they may be while the issuer does not answer.
const STALE: Duration = Duration::from_secs(60 * 60);
/// Between two looks at the issuer, whoever asks for them: a token with an unknown key costs its sender nothing.
const PAUSE: Duration = Duration::from_secs(10);

/// The keys of one issuer.
#[derive(Debug)]
pub struct Keys {
    issuer: Arc<str>,
    kept: Mutex<Kept>,
    /// Held by whoever is looking.
    looking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    keys: Option<(Arc<[Key]>, Instant)>,
    /// When the last look began.
    looked: Option<Instant>,
    problem: Option<String>,
}

impl Kept {
    fn within(&self, age: Duration) -> Option<Arc<[Key]>> {
        self.keys.as_ref().filter(|(_, since)| since.elapsed() < age).map(|(keys, _)| keys.clone())
    }

    fn has_just_looked(&self) -> bool {
        self.looked.is_some_and(|at| at.elapsed() < PAUSE)
    }
}

impl Keys {
    pub fn new(issuer: Arc<str>) -> Arc<Keys> {
        Arc::new(Keys { issuer, kept: Mutex::default(), looking: Arc::default() })
    }

    /// The keys as they are, or were not long ago.
    ///
    /// # Errors
    /// Why there are none, for the log.
    pub async fn get(self: &Arc<Self>) -> Result<Arc<[Key]>, String> {
        let kept = self.kept();
        if let Some(keys) = kept.within(FRESH) {
            return Ok(keys);
        }
        match kept.within(STALE) {
            // One looks; the others need not wait for what will most likely be the same.
            Some(keys) if kept.has_just_looked() || self.looking.try_lock().is_err() => Ok(keys),
            _ => self.look(FRESH).await,
        }
    }

    /// The keys, looked for once more if that has not just been done: the ones that are known were not enough.
    pub async fn get_newer(self: &Arc<Self>) -> Result<Arc<[Key]>, String> {
        self.look(Duration::ZERO).await
    }

    /// Looks, unless somebody else has meanwhile. Goes on if whoever asked for it goes away.
    async fn look(self: &Arc<Self>, enough: Duration) -> Result<Arc<[Key]>, String> {
        let looking = self.looking.clone().lock_owned().await;
        let kept = self.kept();
        if kept.has_just_looked() || kept.within(enough).is_some() {
            return kept.within(STALE).ok_or_else(|| kept.problem.unwrap_or_default());
        }
        let this = self.clone();
        let look = tokio::spawn(async move {
            let _looking = looking;
            let now = Instant::now();
            this.change(|kept| kept.looked = Some(now));
            let issuer = this.issuer.clone();
            let found = tokio::task::spawn_blocking(move || fetch::keys(&issuer)).await;
            let found = found.unwrap_or_else(|error| Err(error.to_string()));
            this.change(|kept| match found {
                Ok(keys) => (kept.keys, kept.problem) = (Some((keys.into(), now)), None),
                Err(problem) => {
                    tracing::warn!(issuer = &*this.issuer, problem, "the keys of an issuer cannot be had");
                    kept.problem = Some(problem);
                }
            });
        });
        // It does not panic; if it were cancelled, the agent would be ending.
        let _ = look.await;
        let kept = self.kept();
        kept.within(STALE).ok_or_else(|| kept.problem.unwrap_or_default())
    }

    fn kept(&self) -> Kept {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) {
        change(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
