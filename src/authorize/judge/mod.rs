//! The judgement itself: from a trusted base to a head, one commit at a time.

mod linear;
mod merge;
mod old;
mod replay;

use super::{
    Answer, ChangeVerdict, Code, CommitVerdict, ObjectError, ObjectId, Objects, Refusal, Rules, State,
    commit::Commit,
    content::{Cache, Content, Entry, Slot},
    graph::Graph,
    rights::{Rights, Step},
    signer::signed_with,
    state::{Accepted, Fault, Value},
    stored::{Stored, VERSION},
    tree::Trees,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Why nothing was judged. Whatever was decided before stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The history as a whole cannot be accepted.
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Object(ObjectError),
}

impl From<ObjectError> for Failure {
    fn from(error: ObjectError) -> Self {
        if error.is_about_content() {
            let message = format!("the history cannot be read: {error}; what was pushed must be taken back");
            return Failure::Refused(Refusal { code: Code::Limit, message });
        }
        Failure::Object(error)
    }
}

/// For each commit that may be judged, so many may be replayed in merges.
const REPLAYS: usize = 20;

/// What came of a history.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The accepted state at the head.
    pub state: State,
    /// A verdict on every commit that the base does not have, parents first.
    pub commits: Vec<CommitVerdict>,
}

/// Judges history by some rules. Holds nothing but what it has read.
pub struct Judge<'a> {
    objects: &'a dyn Objects,
    rules: &'a Rules,
    cache: &'a mut Cache,
    trees: Trees<'a>,
}

impl<'a> Judge<'a> {
    pub fn new(objects: &'a dyn Objects, rules: &'a Rules, cache: &'a mut Cache) -> Self {
        Judge { objects, rules, cache, trees: Trees::new(objects, &rules.managed) }
    }

    /// The state in which everything that a commit has is accepted: the root of trust, or a source without checks.
    pub fn root(&mut self, commit: ObjectId) -> Result<State, Failure> {
        let tree = self.cache.links(self.objects, commit)?.tree;
        let found = self.trees.compare(None, Some(tree))?;
        let entries: Vec<(Arc<str>, Entry)> =
            found.into_iter().filter_map(|(path, (_, entry))| Some((path, entry?))).collect();
        self.cache.prepare(&self.trees, &entries)?;
        let mut files = BTreeMap::new();
        for (path, entry) in entries {
            if let Some(accepted) = self.accepted(&path, Some(entry))? {
                files.insert(path, accepted);
            }
        }
        Ok(State::new(commit, files, self.rules))
    }

    /// The state that was stored, checked against the objects.
    ///
    /// # Errors
    /// Also when the form is one that is not known here.
    pub fn restore(&mut self, stored: &Stored) -> Result<State, Failure> {
        if stored.version != VERSION {
            let message = format!(
                "the stored state has version {}, and this program knows version {VERSION}: use the newer program, or say \
                 what is to be trusted with `mcpfleet trust set`",
                stored.version
            );
            return Err(Refusal { code: Code::Limit, message }.into());
        }
        let mut state = self.root(stored.commit)?;
        stored.apply(&mut state, |path, slot| self.accepted(path, slot))?;
        state.renew_policies(self.rules);
        Ok(state)
    }

    /// Judges everything that `head` has over the commit of a state.
    pub fn advance(&mut self, from: &State, head: ObjectId) -> Result<Judgement, Failure> {
        let graph = Graph::new(self.objects, self.cache, from.commit, head, self.rules.max_commits)?;
        let mut walk = Walk {
            uses: HashMap::new(),
            states: HashMap::from([(from.commit, from.clone())]),
            own: HashMap::new(),
            old: HashMap::new(),
            refused: HashMap::new(),
            plain: HashMap::new(),
            bases: HashMap::new(),
            work: 0,
            graph,
            judge: self,
        };
        let mut commits = walk.run()?;
        let old = std::mem::take(&mut walk.old);
        let mut state = match walk.states.remove(&head) {
            Some(state) => state,
            None => return Err(ObjectError::Missing(head).into()),
        };
        // Those of old lines were judged where they were merged.
        let order: HashMap<ObjectId, usize> =
            walk.graph.commits().iter().enumerate().map(|(index, id)| (*id, index)).collect();
        commits.extend(old.into_values());
        commits.sort_by_key(|commit| order.get(&commit.id).copied());
        state.keep_applied(from);
        state.settle();
        self.cache.forget_all_but(&state);
        Ok(Judgement { state, commits })
    }

    fn content(&mut self, path: &Arc<str>, slot: Slot) -> Result<Option<Arc<Content>>, Failure> {
        self.cache.content(&self.trees, path, slot)
    }

    fn accepted(&mut self, path: &Arc<str>, slot: Slot) -> Result<Option<Accepted>, Failure> {
        let content = self.content(path, slot)?;
        Ok(slot.zip(content).map(|(entry, content)| Accepted { entry, content }))
    }

    fn commit(&mut self, id: ObjectId) -> Result<Arc<Commit>, Failure> {
        self.cache.commit(self.objects, id)
    }

    fn tree(&mut self, id: ObjectId) -> Result<ObjectId, Failure> {
        Ok(self.cache.links(self.objects, id)?.tree)
    }

    fn step(&mut self, decision: &Decision) -> Result<Step, Failure> {
        let path = decision.path.clone();
        let from = decision.from.iter().map(|slot| self.content(&path, *slot)).collect::<Result<_, _>>()?;
        Ok(Step { from, to: self.content(&path, decision.to)?, path })
    }
}

/// What a commit decides of a path.
#[derive(Clone, Debug)]
struct Decision {
    path: Arc<str>,
    /// What it takes the place of: several values where lines do not agree.
    from: BTreeSet<Slot>,
    to: Slot,
    /// Something that stands in the way whatever the rights of the signer are.
    obstacle: Option<(Code, String)>,
    /// A refusal of a contested path is always called that.
    contested: bool,
}

/// What is said of the decisions of a commit.
struct Weighed {
    signer: Option<String>,
    changes: Vec<ChangeVerdict>,
}

impl Weighed {
    fn is_accepted(&self) -> bool {
        self.changes.iter().all(|change| change.verdict == Answer::Accepted)
    }

    /// Why paths are refused.
    fn codes(&self) -> HashMap<&str, Code> {
        self.changes.iter().rev().filter_map(|change| Some((change.path.as_str(), change.code?))).collect()
    }

    /// Adds what is wrong with the result as a whole.
    fn add_faults(&mut self, faults: Vec<Fault>) {
        let faults: HashMap<&str, &Fault> = faults.iter().map(|fault| (&*fault.path, fault)).collect();
        for change in &mut self.changes {
            if let Some(fault) = faults.get(change.path.as_str()) {
                refuse(change, fault.code, fault.message.clone());
            }
        }
    }

    /// Calls refusals of contested paths what they are.
    fn call_contested(&mut self, paths: &HashSet<&str>) {
        for change in self.changes.iter_mut().filter(|change| paths.contains(change.path.as_str())) {
            if let Some(code) = change.code.filter(|code| *code != Code::ContestedMerge) {
                change.code = Some(Code::ContestedMerge);
                change.message = format!(
                    "the merged sides do not agree on this file, and this merge may not decide: {} ({code})",
                    change.message
                );
            }
        }
    }

    /// A commit takes effect whole or not at all.
    fn refuse_whole(&mut self) {
        let Some((code, path)) = self.changes.iter().find_map(|c| Some((c.code?, c.path.clone()))) else { return };
        for change in self.changes.iter_mut().filter(|change| change.verdict == Answer::Accepted) {
            let message =
                format!("allowed by itself, but a commit takes effect whole or not at all, and {path} is refused");
            refuse(change, code, message);
        }
    }
}

fn refuse(change: &mut ChangeVerdict, code: Code, message: String) {
    change.verdict = Answer::Refused;
    change.code = Some(code);
    change.rule = None;
    change.message = message;
}

/// One way through a history.
struct Walk<'w, 'a> {
    judge: &'w mut Judge<'a>,
    graph: Graph,
    /// Of commits that others still build on.
    states: HashMap<ObjectId, State>,
    uses: HashMap<ObjectId, usize>,
    /// What the commits that descend from the base decided.
    own: HashMap<ObjectId, Arc<[Decision]>>,
    /// Verdicts on commits of old lines.
    old: HashMap<ObjectId, CommitVerdict>,
    /// Codes of refusals, for what is held because of them later.
    refused: HashMap<(ObjectId, Arc<str>), Code>,
    /// What plain merges have at a path, and the merge bases that this is found by.
    plain: HashMap<(Arc<str>, Vec<ObjectId>), Option<Slot>>,
    bases: HashMap<(Vec<ObjectId>, ObjectId), Vec<ObjectId>>,
    /// How much was done for merges, in commits and paths.
    work: usize,
}

impl Walk<'_, '_> {
    fn run(&mut self) -> Result<Vec<CommitVerdict>, Failure> {
        let trusted: Vec<ObjectId> =
            self.graph.commits().iter().copied().filter(|id| self.graph.is_trusted(*id)).collect();
        let parents: Vec<Vec<ObjectId>> = trusted.iter().map(|id| self.graph.parents(*id)).collect();
        for parent in parents.iter().flatten() {
            *self.uses.entry(*parent).or_default() += 1;
        }
        let mut verdicts = Vec::with_capacity(trusted.len());
        for (id, parents) in trusted.into_iter().zip(parents) {
            self.graph.check_steps()?;
            let (state, verdict, own) = match parents.as_slice() {
                [parent] => {
                    let before = self.take_state(*parent)?;
                    self.linear(id, *parent, before)?
                }
                _ => self.merge(id, &parents)?,
            };
            self.remember_codes(&verdict);
            self.own.insert(id, own.into());
            self.states.insert(id, state);
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    fn remember_codes(&mut self, verdict: &CommitVerdict) {
        for change in &verdict.changes {
            if let Some(code) = change.code {
                self.refused.insert((verdict.id, change.path.as_str().into()), code);
            }
        }
    }

    /// Counts what is done for merges: whoever pushes decides how much that is.
    fn spend(&mut self, amount: usize) -> Result<(), Failure> {
        self.work += amount;
        if self.work > REPLAYS * self.judge.rules.max_commits.max(5_000) {
            let message =
                "the merges bring more commits of other branches than are judged at a time; set a newer root \
                           with `mcpfleet trust set`"
                    .to_owned();
            return Err(Refusal { code: Code::Limit, message }.into());
        }
        Ok(())
    }

    /// The refused commits that a commit vouches for. What a forge signs is written by others than the one it is
    /// attributed to: the title of a pull request, say.
    fn vouches(&mut self, id: ObjectId) -> Result<BTreeSet<ObjectId>, Failure> {
        let commit = self.judge.commit(id)?;
        let rules = self.judge.rules;
        let by_forge = !commit.vouches.is_empty() && signed_with(&commit, &rules.forge_keys, rules);
        Ok(if by_forge { BTreeSet::new() } else { commit.vouches.clone() })
    }

    /// The state after a commit; the last one who asks gets it without a copy.
    fn take_state(&mut self, id: ObjectId) -> Result<State, Failure> {
        let left = self.uses.get_mut(&id).map(|uses| {
            *uses = uses.saturating_sub(1);
            *uses
        });
        let state = if left == Some(0) { self.states.remove(&id) } else { self.states.get(&id).cloned() };
        state.ok_or_else(|| ObjectError::Missing(id).into())
    }

    /// The name of the user whose commit it is, by the policy of a state.
    fn signer(&mut self, id: ObjectId, state: &State) -> Result<Option<String>, Failure> {
        let commit = self.judge.commit(id)?;
        Ok(Rights::new(&commit, state.policies(), self.judge.rules).signer())
    }

    /// Judges decisions under the policies of `before`. Accepted ones are carried out.
    fn weigh(
        &mut self,
        id: ObjectId,
        decisions: &[Decision],
        before: &State,
    ) -> Result<(Weighed, Option<State>), Failure> {
        let commit = self.judge.commit(id)?;
        let rights = Rights::new(&commit, before.policies(), self.judge.rules);
        let mut changes = Vec::new();
        for decision in decisions {
            let step = self.judge.step(decision)?;
            let mut of_path = rights.judge(&step);
            let obstacle = decision.obstacle.as_ref();
            if let Some((code, message)) = obstacle
                && of_path.iter().all(|change| change.verdict == Answer::Accepted)
            {
                of_path.iter_mut().for_each(|change| refuse(change, *code, message.clone()));
            }
            changes.extend(of_path);
        }
        let mut weighed = Weighed { signer: rights.signer(), changes };
        let mut after = None;
        if weighed.is_accepted() {
            let (state, faults) = self.carry_out(id, decisions, before)?;
            weighed.add_faults(faults);
            after = weighed.is_accepted().then_some(state);
        }
        if after.is_none() {
            let contested = decisions.iter().filter(|decision| decision.contested);
            weighed.call_contested(&contested.map(|decision| &*decision.path).collect());
            weighed.refuse_whole();
        }
        Ok((weighed, after))
    }

    /// The state after some decisions, and what is wrong with it.
    fn carry_out(
        &mut self,
        id: ObjectId,
        decisions: &[Decision],
        before: &State,
    ) -> Result<(State, Vec<Fault>), Failure> {
        let mut state = before.clone();
        for decision in decisions {
            let accepted = self.judge.accepted(&decision.path, decision.to)?;
            state.decide(&decision.path, accepted, Some(id));
        }
        state.renew_policies(self.judge.rules);
        let changed: Vec<Arc<str>> = decisions.iter().map(|decision| decision.path.clone()).collect();
        let faults = state.faults(before, &changed, self.judge.rules);
        if faults.is_empty() {
            state.join_lines();
            state.settle();
        }
        Ok((state, faults))
    }
}

/// `Vouch-For: ID` as advice.
fn vouch_advice(reasons: &BTreeSet<ObjectId>) -> String {
    let trailers: Vec<String> = reasons.iter().map(|id| format!("`Vouch-For: {id}`")).collect();
    format!(
        "it builds on refused content; if you have looked at all of it, say so with {} in the last paragraph of the \
         commit's message, or restore the accepted content first",
        trailers.join(" and ")
    )
}

fn value_set(value: &Value) -> BTreeSet<Slot> {
    value.slots().into_iter().collect()
}
