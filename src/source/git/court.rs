//! From the objects of a repository and what was trusted before to what is trusted now. Decides and reads; writing is the
//! caller's.

use super::{
    GitSettings, Mode, Root,
    attribution::said,
    overrides::Override,
    refused::{self, RefusedChange},
    trouble::Trouble,
    trust::{Began, Trust},
};
use crate::{
    authorize::{
        Cache, Code, CommitVerdict, Judge, Judgement, ObjectError, ObjectId, Objects as _, Refusal, Rules, State,
        signature::{Check, Evidence, SigningKey, evidence},
    },
    git::Repository,
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// Of how many commits the signers are remembered before those that made nothing are forgotten.
const MAX_SIGNERS: usize = 4096;

/// What is trusted.
#[derive(Clone)]
pub(super) struct Standing {
    pub root: ObjectId,
    pub began: Began,
    pub configured: Option<ObjectId>,
    pub state: State,
    pub refused: Arc<[RefusedChange]>,
    pub signers: Arc<BTreeMap<ObjectId, String>>,
}

impl Standing {
    fn new(state: State, began: Began, configured: Option<ObjectId>) -> Standing {
        Standing { root: state.commit(), began, configured, state, refused: Arc::default(), signers: Arc::default() }
    }

    /// The form in which it is stored.
    pub fn stored(&self) -> Trust {
        // What is not written is found again in the state, without the details.
        let refused = self.refused.iter().take(refused::MAX_DETAILED).cloned().collect();
        let signers = self.signers.clone();
        Trust::new(self.root, self.began, self.configured, self.state.stored(), refused, signers)
    }
}

/// What came of a judgement.
pub(super) struct Advance {
    pub standing: Standing,
    pub verdicts: Vec<CommitVerdict>,
    /// What was refused just now, whether or not it has been restored since.
    pub refused: Vec<RefusedChange>,
}

/// What a judgement needs.
pub(super) struct Court<'a> {
    pub settings: &'a GitSettings,
    pub rules: &'a Rules,
    pub repository: &'a Repository,
    pub cache: &'a mut Cache,
}

impl Court<'_> {
    fn judge(&mut self) -> Judge<'_> {
        Judge::new(self.repository, self.rules, self.cache)
    }

    /// The state in which everything that a commit has is in force.
    pub fn all_of(&mut self, commit: ObjectId) -> Result<State, Trouble> {
        Ok(self.judge().root(commit)?)
    }

    /// What was stored, checked against the objects and the configuration.
    pub fn restore(&mut self, trust: Trust) -> Result<Standing, Trouble> {
        let commit = trust.state.commit;
        if self.repository.commit(commit) == Err(ObjectError::Missing(commit)) {
            let message = format!(
                "the repository no longer has commit {commit}, up to which it was trusted: its history was rewritten; \
                 look at what it has now, and if it is right, trust it with `mcpfleet trust set REV`"
            );
            return Err(Trouble::Refused(Refusal { code: Code::HistoryRewritten, message }));
        }
        if trust.began == Began::Unjudged && self.settings.mode == Mode::Enforce && self.settings.root == Root::Stored {
            return Err(Trouble::NoRoot);
        }
        let mut configured = trust.configured;
        if let Root::Commit { commit: root, signer } = &self.settings.root {
            self.check_signer(*root, signer.as_deref())?;
            if configured != Some(*root) {
                self.check_root_of(commit, *root)?;
                if !self.repository.is_ancestor(trust.root, *root)? {
                    // What came between this root and the one before was never judged.
                    let begun = self.begin(*root)?;
                    return Ok(self.advance(&begun, commit)?.standing);
                }
                configured = Some(*root);
            }
        }
        let state = self.judge().restore(&trust.state)?;
        let Trust { root, began, refused, signers, .. } = trust;
        Ok(Standing { root, began, configured, state, refused: refused.into(), signers })
    }

    /// Begins to trust, as the configuration says.
    pub fn begin(&mut self, head: ObjectId) -> Result<Standing, Trouble> {
        let (commit, began) = match &self.settings.root {
            Root::Commit { commit, .. } => (*commit, Began::Configured),
            Root::TrustOnFirstUse => (head, Began::FirstUse),
            Root::Stored if self.settings.mode == Mode::Audit => (head, Began::Unjudged),
            Root::Stored => return Err(Trouble::NoRoot),
        };
        if self.repository.commit(commit) == Err(ObjectError::Missing(commit)) {
            let message = format!(
                "`authorization.root` names commit {commit}, which {} does not have in its history: correct it",
                self.settings.follows()
            );
            return Err(Trouble::Root(message));
        }
        if let Root::Commit { signer, .. } = &self.settings.root {
            self.check_signer(commit, signer.as_deref())?;
        }
        let state = self.judge().root(commit)?;
        state.check_root(self.rules).map_err(Trouble::Refused)?;
        Ok(Standing::new(state, began, self.configured()))
    }

    /// Begins anew, as the operators of this host say.
    pub fn take(&mut self, order: &Override) -> Result<Standing, Trouble> {
        let refused = |message: String| Trouble::Order(order.commit, message);
        if self.repository.commit(order.commit) == Err(ObjectError::Missing(order.commit)) {
            let follows = self.settings.follows();
            return Err(refused(format!("the history of {follows} does not have it; name one that it has")));
        }
        let state = self.judge().root(order.commit)?;
        state.check_root(self.rules).map_err(|refusal| refused(refusal.message))?;
        Ok(Standing::new(state, Began::Override, self.configured()))
    }

    /// Judges what the head has over what is trusted.
    pub fn advance(&mut self, standing: &Standing, head: ObjectId) -> Result<Advance, Trouble> {
        let Judgement { state, commits: verdicts } = self.judge().advance(&standing.state, head)?;
        let author = |commit| self.author(commit);
        let new = refused::refused(&verdicts, author);
        let refused = refused::listed(&standing.refused, &new, &state.held(), state.undecided(), author).into();
        let mut signers = standing.signers.clone();
        let all = Arc::make_mut(&mut signers);
        all.extend(verdicts.iter().filter_map(|verdict| Some((verdict.id, verdict.signer.clone()?))));
        if all.len() > MAX_SIGNERS {
            let makers: HashSet<ObjectId> = state.tree().keys().filter_map(|path| state.made_by(path)).collect();
            all.retain(|commit, _| makers.contains(commit));
        }
        Ok(Advance { standing: Standing { state, refused, signers, ..standing.clone() }, verdicts, refused: new })
    }

    fn author(&self, commit: ObjectId) -> String {
        self.repository.commit(commit).map(|bytes| said(&bytes).author).unwrap_or_default()
    }

    fn configured(&self) -> Option<ObjectId> {
        match &self.settings.root {
            Root::Commit { commit, .. } => Some(*commit),
            Root::TrustOnFirstUse | Root::Stored => None,
        }
    }

    /// A configured root that is another than when trust began must be one that what is trusted descends from: else
    /// something is in force that the configuration does not trust.
    fn check_root_of(&self, trusted: ObjectId, root: ObjectId) -> Result<(), Trouble> {
        match self.repository.is_ancestor(root, trusted)? {
            true => Ok(()),
            false => Err(Trouble::Root(format!(
                "`authorization.root` names commit {root}, but what is trusted is {trusted}, which does not descend from \
                 it; correct the configuration, or begin anew there with `mcpfleet trust set {root}`"
            ))),
        }
    }

    /// The root must be signed by the key that the configuration names, if it names one.
    fn check_signer(&self, root: ObjectId, signer: Option<&str>) -> Result<(), Trouble> {
        let Some(signer) = signer else { return Ok(()) };
        let wrong = |why: String| Trouble::Root(format!("`authorization.root`: {why}"));
        let key = SigningKey::parse(signer).map_err(|error| wrong(format!("`signer` is no signing key: {error}")))?;
        let commit = self.repository.commit(root)?;
        let signed = match evidence(&commit) {
            Evidence::Signed(signature) => match signature.check(&key) {
                Check::Good => Ok(()),
                Check::OtherKey => Err(format!("commit {root} is signed by {}, not by `signer`", signature.shown())),
                Check::Bad(why) => Err(format!("the signature of commit {root} is not good: {why}")),
                Check::FingerprintOnly => {
                    Err("`signer` is a fingerprint, which cannot verify anything: give the public key".to_owned())
                }
            },
            Evidence::Unsigned => Err(format!("commit {root} is not signed, and must be by `signer`")),
            Evidence::Several => Err(format!("commit {root} has several signatures")),
            Evidence::Bad(why) => Err(format!("the signature of commit {root} is not good: {why}")),
        };
        signed.map_err(wrong)
    }
}
