//! What a check came to.

use super::resources::Resources;
use crate::{
    authorize::{self, Answer, ObjectId},
    manifest::render::Report as Validation,
    reconcile::preview::Preview,
};
use serde::Serialize;

/// All that is said of a change, as `mcpfleet check -o json` prints it.
#[derive(Serialize)]
pub struct Report<'a> {
    /// Of this form. It grows by fields; a change that could break a reader has another number.
    pub version: u32,
    /// Whether the change can be merged: its files are valid, and all of it would take effect.
    pub passed: bool,
    /// Where the change is to go. (Where it began is `authorization.base`.)
    pub base: ObjectId,
    pub head: ObjectId,
    /// Whether the base has commits that the change does not know of. What they do together is seen when it has them too.
    pub behind: bool,
    /// Of the head's files: what the change is answerable for.
    pub validation: Validation<'a>,
    /// How much else is wrong in the files, and was before.
    pub earlier_problems: usize,
    /// Whether agents hold back what is refused, as they do unless `authorization.mode` says otherwise.
    pub enforced: bool,
    pub authorization: &'a authorize::Report,
    /// What each agent would do.
    pub plan: &'a [Preview],
}

/// What a change must meet besides having valid files.
#[derive(Clone, Copy, Debug)]
pub struct Demands {
    /// All of it would take effect.
    pub enforced: bool,
    pub no_warnings: bool,
}

impl<'a> Report<'a> {
    pub fn new(
        base: ObjectId,
        resources: &'a Resources,
        authorization: &'a authorize::Report,
        plan: &'a [Preview],
        demands: Demands,
    ) -> Report<'a> {
        let validation = Validation::new(resources.files.len(), resources.resources, &resources.new);
        let valid = validation.valid && !(demands.no_warnings && validation.warnings > 0);
        Report {
            version: 1,
            passed: valid && (!demands.enforced || authorization.outcome == authorize::Outcome::Accepted),
            base,
            head: authorization.head,
            behind: authorization.base != base,
            validation,
            earlier_problems: resources.old,
            enforced: demands.enforced,
            authorization,
            plan,
        }
    }

    /// The refused changes, with the commits that make them.
    pub fn refused(&self) -> impl Iterator<Item = (&authorize::CommitVerdict, &authorize::ChangeVerdict)> {
        let commits = self.authorization.commits.iter();
        commits
            .flat_map(|commit| commit.changes.iter().map(move |change| (commit, change)))
            .filter(|(_, change)| change.verdict == Answer::Refused)
    }
}
