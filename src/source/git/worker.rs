//! All that blocks: one look at a repository, from its references to a snapshot. Owned by one thread.

use super::{
    GitSettings, Mode,
    attribution::said,
    court::{Court, Standing},
    file::{self, StateError, StateLock},
    overrides::{self, DeniedKey, Override},
    past::Footing,
    record,
    refused::RefusedChange,
    showing::{Showing, Work},
    trouble::Trouble,
    trust::Trust,
    view::{self, JudgedCommit},
    watch::RefWatch,
};
use crate::{
    authorize::{Cache, CommitVerdict, ObjectId, Objects as _, Rules, State, signature::SigningKey},
    escape::escape,
    git::{FetchFailure, Mirror},
    manifest::Snapshot,
    source::view::{Trigger, WatchMode},
    telemetry::span::{KeyValue, scoped},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{path::Path, sync::Arc};

/// The folder of the mirror in the state directory.
pub const MIRROR: &str = "mirror.git";
/// The file with what was applied last where nothing is judged: for a start while the remote cannot be reached.
const APPLIED: &str = "applied.json";

#[derive(Serialize, Deserialize)]
struct Applied {
    version: u32,
    commit: ObjectId,
}

/// What is to be shown after a look.
#[derive(Clone, Default)]
pub(super) struct Shown {
    pub snapshot: Option<Arc<Snapshot>>,
    pub seen: Option<ObjectId>,
    pub newest: Option<Timestamp>,
    pub accepted: Option<ObjectId>,
    pub accepted_time: Option<Timestamp>,
    pub behind: Option<usize>,
    pub root: Option<ObjectId>,
    pub refused: Arc<[RefusedChange]>,
    pub judged: Arc<[JudgedCommit]>,
    pub warnings: Vec<String>,
}

pub(super) struct Worker {
    settings: GitSettings,
    /// Those of the settings, with the keys that are denied on this host.
    rules: Rules,
    denied: Vec<DeniedKey>,
    watch: RefWatch,
    mirror: Option<Mirror>,
    cache: Cache,
    standing: Option<Standing>,
    showing: Showing,
    /// The mirror may have become untidy.
    fetched: bool,
    /// The head at which the mirror was last made anew.
    reset_for: Option<ObjectId>,
    /// Held as long as this agent works with the state directory.
    lock: Option<StateLock>,
    /// The head for which everything has been done, and what came of it.
    done: Option<(ObjectId, Result<(), Arc<Trouble>>)>,
    shown: Shown,
    /// What was seen and accepted when the two were compared last.
    compared: (Option<ObjectId>, Option<ObjectId>),
    /// What those who ask about the past and what may come have to know.
    footing: Arc<Footing>,
}

impl Worker {
    /// `notice` is told when a look is due, `footing` what is trusted and by which rules is judged.
    pub fn new(settings: GitSettings, notice: Trigger, footing: Arc<Footing>) -> Worker {
        Worker {
            rules: settings.rules.clone(),
            denied: Vec::new(),
            watch: RefWatch::new(settings.remote.local(), notice),
            mirror: None,
            cache: Cache::default(),
            standing: None,
            showing: Showing::new(&settings),
            fetched: false,
            reset_for: None,
            lock: None,
            done: None,
            shown: Shown { warnings: settings.warnings(), ..Shown::default() },
            compared: (None, None),
            settings,
            footing,
        }
    }

    pub fn shown(&mut self) -> Shown {
        self.compare();
        self.shown.clone()
    }

    /// Finds out how far what is accepted is from what was seen, unless that is known.
    fn compare(&mut self) {
        let Shown { seen, accepted, .. } = self.shown;
        if self.compared == (seen, accepted) {
            return;
        }
        let Some(repository) = self.mirror.as_ref().map(Mirror::repository) else { return };
        let time = |commit| said(&repository.commit(commit).ok()?).time;
        self.shown.accepted_time = accepted.and_then(time);
        let ends = accepted.zip(seen);
        self.shown.behind = ends.and_then(|(accepted, seen)| repository.distance(accepted, seen).ok().flatten());
        self.compared = (seen, accepted);
    }

    pub fn watched(&self) -> (WatchMode, Option<String>) {
        (self.watch.mode(), self.watch.problem().map(str::to_owned))
    }

    /// Goes on from where an agent before this one was, without asking the remote. What is in the way of that is also
    /// in the way of the first look, which says so.
    pub fn start(&mut self) {
        if let Err(trouble) = self.resume() {
            tracing::debug!(source = self.settings.name, %trouble, "cannot go on without a look");
        }
    }

    fn resume(&mut self) -> Result<(), Trouble> {
        self.open()?;
        let dir = &self.settings.state_dir;
        if self.settings.mode == Mode::Enforce {
            self.renew_denied_keys()?;
            if let Some(trust) = Trust::read(&self.settings.state_dir)?
                && self.has(trust.state.commit)
            {
                let standing = self.court()?.restore(trust)?;
                self.show_accepted(standing);
            }
        } else if let Some(Applied { commit, .. }) = file::read_json(&dir.join(APPLIED), "remove it")?
            && self.has(commit)
        {
            let state = self.court()?.all_of(commit)?;
            self.show_all(&state);
        }
        Ok(())
    }

    /// Looks at the remote, and takes in what is new. When nothing is, that is one listing of its references and nothing
    /// else.
    pub fn look(&mut self) -> Result<(), Arc<Trouble>> {
        self.watch.arm();
        let result = self.try_look();
        match result.as_ref().map_err(|trouble| &**trouble) {
            // What was fetched is not what it should be: all of it is fetched anew, but not for the same head again.
            Err(Trouble::Object(_)) if self.reset_for != self.shown.seen => {
                self.done = None;
                self.reset_for = self.shown.seen;
                if let Some(Err(error)) = self.mirror.as_mut().map(Mirror::reset) {
                    tracing::error!(source = self.settings.name, %error, "the mirror cannot be made anew");
                    self.mirror = None;
                }
            }
            // Opened once more, it is examined, and made anew if need be.
            Err(Trouble::Fetch(error)) if error.kind() == FetchFailure::Storage => self.mirror = None,
            _ => {}
        }
        result
    }

    fn try_look(&mut self) -> Result<(), Arc<Trouble>> {
        self.open()?;
        let (mut renewed, mut order) = (false, None);
        if self.settings.mode != Mode::Off {
            renewed = self.renew_denied_keys()?;
            order = overrides::pending(&self.settings.state_dir).map_err(Trouble::from)?;
        }
        let mirror = self.mirror.as_mut().ok_or(Trouble::NoMirror)?;
        let head = scoped("git list", |_| mirror.look(&self.settings.follow)).map_err(Trouble::from)?;
        self.shown.seen = Some(head);
        if let Some((done, result)) = &self.done
            && (*done, renewed, &order) == (head, false, &None)
        {
            return result.clone();
        }
        scoped("git fetch", |_| mirror.fetch(&self.settings.follow, head)).map_err(Trouble::from)?;
        self.fetched = true;
        self.shown.newest = mirror.repository().commit(head).ok().and_then(|bytes| said(&bytes).time);
        let result = scoped("git judge", |span| {
            span.set(KeyValue::new("vcs.ref.head.revision", head.to_string()));
            self.judge(head, order).inspect_err(|trouble| span.failed(trouble.code()))
        });
        let result = result.map_err(Arc::new);
        let settled = result.as_ref().err().is_none_or(|trouble| trouble.is_settled());
        self.done = settled.then(|| (head, result.clone()));
        result
    }

    fn judge(&mut self, head: ObjectId, order: Option<Override>) -> Result<(), Trouble> {
        match self.settings.mode {
            Mode::Enforce => self.go_on(head, order),
            Mode::Audit => {
                self.shown.warnings = self.settings.warnings();
                match self.go_on(head, order) {
                    Ok(()) => {}
                    Err(trouble @ (Trouble::Refused(_) | Trouble::NoRoot | Trouble::Root(_) | Trouble::Order(..))) => {
                        let warning = format!("commits are in force without having been judged: {trouble}");
                        tracing::warn!(source = self.settings.name, code = trouble.code(), "{warning}");
                        self.shown.warnings.push(warning);
                    }
                    Err(trouble) => return Err(trouble),
                }
                self.apply_all(head)
            }
            Mode::Off => self.apply_all(head),
        }
    }

    /// Lets all that a commit has take effect.
    fn apply_all(&mut self, head: ObjectId) -> Result<(), Trouble> {
        let state = self.court()?.all_of(head)?;
        let applied = serde_json::to_vec(&Applied { version: 1, commit: head }).unwrap_or_default();
        file::replace(&self.settings.state_dir.join(APPLIED), &applied)?;
        self.show_all(&state);
        Ok(())
    }

    /// Moves what is trusted on to a head, as far as that is allowed.
    fn go_on(&mut self, head: ObjectId, order: Option<Override>) -> Result<(), Trouble> {
        let failed = match order.map(|order| self.carry_out(&order)) {
            // What is trusted now goes on, until there is a better order.
            Some(Err(trouble @ Trouble::Order(..))) => Some(trouble),
            Some(Err(trouble)) => return Err(trouble),
            Some(Ok(())) | None => None,
        };
        let result = self.go_on_from_here(head);
        failed.map_or(result, Err)
    }

    fn go_on_from_here(&mut self, head: ObjectId) -> Result<(), Trouble> {
        let (before, stored) = match &self.standing {
            Some(standing) => (standing.clone(), true),
            None => match Trust::read(&self.settings.state_dir)? {
                Some(trust) => (self.court()?.restore(trust)?, true),
                None => (self.court()?.begin(head)?, false),
            },
        };
        if stored {
            // Whatever becomes of the rest, this much is trusted.
            self.show_accepted(before.clone());
        }
        let advance = self.court()?.advance(&before, head)?;
        if !stored {
            tracing::warn!(
                source = self.settings.name,
                root = %before.root,
                "trust begins with this commit and all that it has ({})",
                before.began
            );
        }
        if !stored {
            self.note(|state_dir| record::begin(state_dir, before.root));
        }
        self.note(|state_dir| record::add(state_dir, &advance.verdicts));
        if !stored || advance.standing.state.commit() != before.state.commit() {
            advance.standing.stored().write(&self.settings.state_dir)?;
        }
        self.report(&advance.verdicts, &advance.refused);
        self.show_accepted(advance.standing);
        Ok(())
    }

    /// Trusts what the operators of this host say.
    fn carry_out(&mut self, order: &Override) -> Result<(), Trouble> {
        let standing = self.court()?.take(order)?;
        self.note(|state_dir| record::begin(state_dir, order.commit));
        standing.stored().write(&self.settings.state_dir)?;
        overrides::settle(&self.settings.state_dir, order)?;
        tracing::warn!(
            source = self.settings.name,
            commit = %order.commit,
            by = order.by,
            reason = order.reason,
            "trusted from now on by an override on this host"
        );
        self.showing.forget();
        // It may be the same commit, with what was refused of it.
        self.shown.accepted = None;
        self.standing = Some(standing);
        Ok(())
    }

    /// Keeps something for people. Nothing depends on it.
    fn note(&self, keep: impl FnOnce(&Path) -> Result<(), StateError>) {
        if let Err(error) = keep(&self.settings.state_dir) {
            tracing::warn!(source = self.settings.name, %error, "what was decided about commits cannot be recorded");
        }
    }

    /// Notes what was judged: who made the commits, and what was refused.
    fn report(&mut self, verdicts: &[CommitVerdict], refused: &[RefusedChange]) {
        let Some(mirror) = &self.mirror else { return };
        self.showing.note(mirror.repository(), verdicts);
        self.shown.judged = view::judged(&self.shown.judged, verdicts.iter().map(|verdict| verdict.id), refused);
        let what = match self.settings.mode {
            Mode::Audit => "change in force although it is not authorized (audit)",
            Mode::Enforce | Mode::Off => "change refused",
        };
        for change in refused {
            tracing::warn!(
                source = self.settings.name,
                commit = %change.commit,
                author = change.author,
                signer = change.signer,
                path = &*change.path,
                code = change.code.map(|code| code.to_string()),
                rule = change.rule,
                "{what}: {}",
                escape(&change.message)
            );
        }
    }

    /// Makes a state the one that is trusted, and shows it, unless nothing is to take effect by itself.
    fn show_accepted(&mut self, standing: Standing) {
        let (accepted, root) = (standing.state.commit(), standing.root);
        let known = self.shown.accepted == Some(accepted);
        self.shown.accepted = Some(accepted);
        self.shown.root = Some(root);
        self.shown.refused = standing.refused.clone();
        let state = standing.state.clone();
        self.footing.trusts(root, state.clone());
        self.standing = Some(standing);
        if self.settings.mode == Mode::Enforce && !(known && self.shown.snapshot.is_some()) {
            self.show(&state, root);
        }
    }

    fn show_all(&mut self, state: &State) {
        if self.settings.mode == Mode::Off {
            self.shown.accepted = Some(state.commit());
        }
        self.show(state, state.commit());
    }

    fn show(&mut self, state: &State, root: ObjectId) {
        let snapshot = scoped("source read", |_| self.showing.show(state, root));
        tracing::info!(
            source = self.settings.name,
            revision = %snapshot.revision,
            resources = snapshot.resources.len(),
            diagnostics = snapshot.diagnostics.len(),
            refused = self.shown.refused.len(),
            "new revision"
        );
        self.shown.snapshot = Some(snapshot);
    }

    /// Finds out more of who made what, for a moment, and then tidies up. `None`: there was nothing to be found out; else
    /// whether there is more.
    pub fn work(&mut self) -> Option<bool> {
        let (mirror, standing) = (self.mirror.as_mut()?, self.standing.as_ref());
        match self.showing.work(mirror.repository(), |commit| standing?.signers.get(&commit)) {
            Work::Idle => {
                if std::mem::take(&mut self.fetched) && mirror.tidy().is_err() {
                    // The next look opens it, and says what is the matter.
                    self.mirror = None;
                }
                None
            }
            Work::More => Some(true),
            Work::Done(snapshot) => {
                self.shown.snapshot = snapshot.or(self.shown.snapshot.take());
                Some(false)
            }
        }
    }

    fn open(&mut self) -> Result<(), Trouble> {
        file::make_folder(&self.settings.state_dir)?;
        if self.lock.is_none() {
            self.lock = Some(StateLock::take(&self.settings.state_dir)?);
        }
        if self.mirror.is_none() {
            let remote = self.settings.remote.clone();
            self.mirror = Some(Mirror::open(&self.settings.state_dir.join(MIRROR), remote)?);
        }
        Ok(())
    }

    fn court(&mut self) -> Result<Court<'_>, Trouble> {
        self.open()?;
        let Worker { settings, rules, mirror, cache, .. } = self;
        let repository = mirror.as_ref().map(Mirror::repository).ok_or(Trouble::NoMirror)?;
        Ok(Court { settings, rules, repository, cache })
    }

    /// Whether a commit has been fetched.
    fn has(&self, commit: ObjectId) -> bool {
        self.mirror.as_ref().is_some_and(|mirror| mirror.repository().commit(commit).is_ok())
    }

    /// Reads the list of keys that are denied on this host. Whether it is another than before.
    fn renew_denied_keys(&mut self) -> Result<bool, Trouble> {
        let denied = overrides::denied_keys(&self.settings.state_dir)?;
        if denied == self.denied {
            return Ok(false);
        }
        let parse = |denied: &DeniedKey| {
            SigningKey::parse(&denied.key).map_err(|error| Trouble::DeniedKey(format!("{}: {error}", denied.key)))
        };
        let keys: Vec<SigningKey> = denied.iter().map(parse).collect::<Result<_, _>>()?;
        overrides::note(&self.settings.state_dir, &denied)?;
        tracing::warn!(source = self.settings.name, keys = keys.len(), "keys are denied on this host");
        self.rules.denied_keys = self.settings.rules.denied_keys.iter().cloned().chain(keys).collect();
        self.footing.judges_by(self.rules.clone());
        self.denied = denied;
        Ok(true)
    }
}
