//! Questions about a git source: what its commits were, and what one would bring that is not accepted.
//!
//! They are answered beside the thread that has the repository, which none of them keeps waiting: each opens the mirror
//! for itself, only reads it, and has its bounds. What they ask of the remote goes into a folder of its own. Nothing that
//! is asked here changes what is accepted.

mod aside;
mod commits;
mod document;
mod proposal;
mod told;
mod versions;

pub use commits::{Commit, Stands};
pub use document::Difference;
pub use proposal::Proposal;
pub use told::Told;
pub use versions::{Judged, Version};

use super::{GitSettings, MIRROR, StateError};
use crate::{
    authorize::{ObjectError, ObjectId, Rules, State},
    git::{FetchError, GitError, Repository},
};
use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How many questions of those who are known are answered at a time, of all sources together. The others are asked to come
/// again.
static QUESTIONS: Semaphore = Semaphore::const_new(3);
/// The same of those who are nobody: they never keep an operator waiting.
static QUESTIONS_OF_ANYBODY: Semaphore = Semaphore::const_new(2);
/// How many questions at a time may have to fetch and judge something.
static PROPOSALS: Semaphore = Semaphore::const_new(1);

/// How long is looked for an answer.
const TIME: Duration = Duration::from_secs(2);
/// The most commits that are looked at for one answer.
const MAX_STEPS: usize = 20_000;

/// What is trusted now, and by which rules is judged: told by whoever judges.
pub(super) struct Footing(Mutex<Ground>);

#[derive(Clone)]
struct Ground {
    rules: Arc<Rules>,
    /// The root of trust, and what has been accepted since.
    trusted: Option<(ObjectId, State)>,
}

impl Footing {
    pub fn new(rules: Rules) -> Footing {
        Footing(Mutex::new(Ground { rules: Arc::new(rules), trusted: None }))
    }

    pub fn trusts(&self, root: ObjectId, state: State) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).trusted = Some((root, state));
    }

    pub fn judges_by(&self, rules: Rules) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).rules = Arc::new(rules);
    }

    fn ground(&self) -> Ground {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The end for those who ask. Cheap to clone.
#[derive(Clone)]
pub struct Past(Arc<Inner>);

struct Inner {
    settings: GitSettings,
    footing: Arc<Footing>,
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past").field("source", &self.0.settings.name).finish_non_exhaustive()
    }
}

/// Where a source stands, as it is published.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heads {
    /// What the followed reference was at the last look.
    pub seen: Option<ObjectId>,
    /// Up to where has been judged.
    pub accepted: Option<ObjectId>,
    pub root: Option<ObjectId>,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Only what comes after this commit, which is older.
    pub before: Option<ObjectId>,
    pub limit: usize,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Asker {
    Known,
    Anybody,
}

impl Asker {
    fn permits(self) -> &'static Semaphore {
        match self {
            Asker::Known => &QUESTIONS,
            Asker::Anybody => &QUESTIONS_OF_ANYBODY,
        }
    }
}

/// A part of a list, newest first.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// There is more after these.
    pub more: bool,
    /// There may be more, which was not looked for because it took too long.
    pub cut: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    #[error("too many questions are being answered: ask again in a moment")]
    Busy,
    #[error("nothing of the repository is here yet: `mcpfleet status` says why")]
    NotYet,
    #[error("{0}")]
    Unknown(String),
    #[error("it was not decided within {} seconds: too much has changed to be looked at here; `mcpfleet plan` in a clone takes its time", .0.as_secs())]
    TooLong(Duration),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the question was not answered: the agent's log says more")]
    Failed,
}

impl PastError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            PastError::Busy => "busy",
            PastError::NotYet => "not-fetched",
            PastError::Unknown(_) => "unknown-commit",
            PastError::TooLong(_) => "too-long",
            PastError::Fetch(error) => error.code(),
            PastError::Object(_) | PastError::Git(_) | PastError::State(_) | PastError::Failed => "objects",
        }
    }

    /// Whether another attempt may go well, because what was read was being tidied up just then.
    fn is_about_reading(&self) -> bool {
        matches!(self, PastError::Object(_) | PastError::Git(_))
    }
}

impl Past {
    /// About a source that keeps `footing` up to date.
    pub(super) fn new(settings: GitSettings, footing: Arc<Footing>) -> Past {
        Past(Arc::new(Inner { settings, footing }))
    }

    /// Whether a file is not read.
    pub fn ignores(&self, path: &str) -> bool {
        self.0.settings.ignore.file(path)
    }

    /// Only apps below this folder are taken.
    pub fn subpath(&self) -> Option<&str> {
        self.0.settings.subpath.as_deref()
    }

    /// The commits, newest first: those that wait, those that were judged in the order in which they were, and those before
    /// the root of trust.
    ///
    /// # Errors
    /// Whatever [`PastError`] says.
    pub async fn commits(&self, asker: Asker, heads: Heads, wanted: Wanted) -> Result<Page<Commit>, PastError> {
        self.ask(asker.permits(), move |inner| inner.reading(|asked| commits::commits(asked, heads, wanted))).await
    }

    /// The commits that changed an app, newest first, with what they changed. `path` is where it is now.
    ///
    /// # Errors
    /// Whatever [`PastError`] says.
    pub async fn versions(
        &self,
        asker: Asker,
        heads: Heads,
        app: String,
        path: Option<String>,
        wanted: Wanted,
    ) -> Result<Page<Version>, PastError> {
        let answer =
            move |inner: &Inner| inner.reading(|asked| versions::versions(asked, heads, &app, path.as_deref(), wanted));
        self.ask(asker.permits(), answer).await
    }

    /// Judges what a branch or commit would bring over what is accepted, and has `weigh` say what follows from that. What is
    /// not here is fetched, with the source's credentials, and forgotten again.
    ///
    /// # Errors
    /// Whatever [`PastError`] says.
    pub async fn propose<T: Send + 'static>(
        &self,
        heads: Heads,
        reference: String,
        weigh: impl FnOnce(Proposal) -> T + Send + 'static,
    ) -> Result<T, PastError> {
        self.ask(&PROPOSALS, move |inner| Ok(weigh(proposal::propose(inner, heads, &reference)?))).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        permits: &'static Semaphore,
        answer: impl FnOnce(&Inner) -> Result<T, PastError> + Send + 'static,
    ) -> Result<T, PastError> {
        // Kept until there is an answer, whoever still waits for it.
        let permit = permits.try_acquire().map_err(|_| PastError::Busy)?;
        let inner = self.0.clone();
        let answering = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            answer(&inner)
        });
        answering.await.unwrap_or(Err(PastError::Failed))
    }
}

/// What a question is answered from.
struct Asked<'a> {
    inner: &'a Inner,
    repository: Repository,
    /// When the search for an answer ends.
    until: Instant,
}

impl Asked<'_> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

impl Inner {
    fn mirror(&self) -> PathBuf {
        self.settings.state_dir.join(MIRROR)
    }

    fn open(&self) -> Result<Repository, PastError> {
        let folder = self.mirror();
        if !folder.is_dir() {
            return Err(PastError::NotYet);
        }
        Ok(Repository::open(&folder)?)
    }

    /// Answers from the mirror. When something of it cannot be read, it may just have been tidied or made anew: then all
    /// is read once more.
    fn reading<T>(&self, answer: impl Fn(&Asked) -> Result<T, PastError>) -> Result<T, PastError> {
        let attempt = || answer(&Asked { inner: self, repository: self.open()?, until: Instant::now() + TIME });
        match attempt() {
            Err(error) if error.is_about_reading() => attempt(),
            result => result,
        }
    }
}

/// Takes the wanted part out of a list.
struct Taken<T> {
    wanted: Wanted,
    /// What comes from here on is wanted.
    begun: bool,
    page: Page<T>,
}

impl<T> Taken<T> {
    fn new(wanted: Wanted) -> Taken<T> {
        let page = Page { items: Vec::new(), more: false, cut: false };
        Taken { wanted, begun: wanted.before.is_none(), page }
    }

    /// Offers the next one, which `make` makes if it is wanted and there is something to be told of it. Whether more is
    /// wanted.
    fn offer(
        &mut self,
        commit: ObjectId,
        make: impl FnOnce() -> Result<Option<T>, PastError>,
    ) -> Result<bool, PastError> {
        if !self.begun {
            self.begun = self.wanted.before == Some(commit);
            return Ok(true);
        }
        let Some(item) = make()? else { return Ok(true) };
        if self.page.items.len() >= self.wanted.limit {
            self.page.more = true;
            return Ok(false);
        }
        self.page.items.push(item);
        Ok(true)
    }

    /// What was taken. `cut`: the list was not gone through to its end.
    fn finish(mut self, cut: bool) -> Result<Page<T>, PastError> {
        if let Some(before) = self.wanted.before.filter(|_| !self.begun && !cut) {
            return Err(PastError::Unknown(format!("commit {before} is not in this list")));
        }
        (self.page.cut, self.page.more) = (cut, self.page.more || cut);
        Ok(self.page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_part_is_taken() {
        let id = |number: u8| ObjectId::new([number; 20]);
        let take = |before: Option<u8>, limit, cut| {
            let mut taken = Taken::new(Wanted { before: before.map(id), limit });
            for number in 1..=6 {
                // Nothing is told of the third.
                if !taken.offer(id(number), || Ok((number != 3).then_some(number))).expect("fine") {
                    break;
                }
            }
            taken.finish(cut).map(|page| (page.items, page.more, page.cut)).map_err(|error| error.code())
        };
        assert_eq!(take(None, 9, false), Ok((vec![1, 2, 4, 5, 6], false, false)));
        assert_eq!(take(None, 2, false), Ok((vec![1, 2], true, false)));
        assert_eq!(take(None, 5, false), Ok((vec![1, 2, 4, 5, 6], false, false)));
        assert_eq!(take(Some(3), 1, false), Ok((vec![4], true, false)));
        assert_eq!(take(Some(6), 9, false), Ok((vec![], false, false)));
        assert_eq!(take(Some(7), 9, false), Err("unknown-commit"));
        assert_eq!(take(Some(7), 9, true), Ok((vec![], true, true)), "it may come later");
    }
}
