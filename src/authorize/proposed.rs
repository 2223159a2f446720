//! A change that is judged before it is merged: what is in force where it begins, and what would be after it.

use super::{Failure, Judge, ObjectId, Report, Rules, State};

/// What is accepted where a change begins.
#[derive(Clone, Copy, Debug)]
pub enum Since<'s> {
    /// All that is there.
    Everything,
    /// What was judged since this commit, the root of trust.
    Root(ObjectId),
    /// This, which is the state of that very commit.
    State(&'s State),
}

/// The states that a change leads through.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// What the fork has, accepted or not.
    pub fork: State,
    /// What is accepted there.
    pub before: State,
    /// What is accepted of the head.
    pub after: State,
    /// What the head has, accepted or not.
    pub head: State,
}

impl Judge<'_> {
    /// Judges what `head` has since `fork`.
    ///
    /// # Errors
    /// A root that is nothing to begin with, and whatever [`Failure`] says.
    pub fn propose(
        &mut self,
        rules: &Rules,
        fork: ObjectId,
        since: Since,
        head: ObjectId,
    ) -> Result<(Report, Proposed), Failure> {
        let at_fork = self.root(fork)?;
        let before = match since {
            Since::Everything => at_fork.clone(),
            Since::State(state) => state.clone(),
            Since::Root(root) => {
                let trusted = self.root(root)?;
                trusted.check_root(rules)?;
                self.advance(&trusted, fork)?.state
            }
        };
        let judgement = self.advance(&before, head)?;
        let report = Report::of_push(&before, &judgement);
        Ok((report, Proposed { fork: at_fork, before, after: judgement.state, head: self.root(head)? }))
    }
}
