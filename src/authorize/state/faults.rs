//! What may be wrong with a state as a whole, though each of its files is right by itself.

use super::{State, names_of};
use crate::{
    authorize::{Code, Identity, Refusal, Rules},
    manifest::Code as Mistake,
};
use std::{collections::BTreeSet, sync::Arc};

/// Something that is wrong with a state as a whole, and which of the changed files brought it about.
#[derive(Clone, Debug)]
pub struct Fault {
    pub path: Arc<str>,
    pub code: Code,
    pub message: String,
}

impl State {
    /// What is wrong with this state, which came about by deciding `changed`, and was not wrong `before`.
    pub(in crate::authorize) fn faults(&self, before: &State, changed: &[Arc<str>], rules: &Rules) -> Vec<Fault> {
        let mut faults: Vec<Fault> = changed.iter().filter_map(|path| self.duplicate(path)).collect();
        let policy_file = changed.iter().find(|path| {
            let files = |state: &State| state.lines.iter().any(|line| line.files.contains_key(*path));
            files(self) || files(before)
        });
        let Some(path) = policy_file.filter(|_| rules.fixed_policy.is_none()) else { return faults };
        for (line, old) in self.lines.iter().zip(&before.lines) {
            if let Some(mistake) = line.policy.new_mistake(&old.policy) {
                let path = changed.iter().find(|path| ***path == *mistake.path).unwrap_or(path).clone();
                let code = match mistake.code {
                    Mistake::DuplicateResource => Code::DuplicateName,
                    _ => Code::InvalidResource,
                };
                faults.push(Fault { path, code, message: format!("{}: {}", mistake.path, mistake.message) });
            }
            if rules.root_keys.is_empty() && !line.policy.has_administrator(rules) {
                faults.push(Fault {
                    path: path.clone(),
                    code: Code::PolicyLockout,
                    message: "nobody would be left who may create and update roles; give somebody these rights first"
                        .to_owned(),
                });
            }
        }
        faults
    }

    /// Another file that has a name of this one, or this one has a name twice.
    fn duplicate(&self, path: &Arc<str>) -> Option<Fault> {
        let content = &self.files.get(path)?.content;
        let mut own = BTreeSet::new();
        for (kind, name) in names_of(content) {
            let key = (kind, name);
            let other = self.names.get(&key).into_iter().flatten().find(|other| *other != path).cloned();
            let twice = !own.insert(key.clone());
            if twice || other.is_some() {
                let place = other.map_or("this file, once more".to_owned(), |other| other.to_string());
                let message =
                    format!("{kind} `{}` is already defined in {place}; a name is unique, whatever its case", key.1);
                return Some(Fault { path: path.clone(), code: Code::DuplicateName, message });
            }
        }
        None
    }

    /// Whether this can be where trust begins: there must be somebody who could change the policy.
    pub fn check_root(&self, rules: &Rules) -> Result<(), Refusal> {
        let fixed = rules.fixed_policy.is_some() || !rules.root_keys.is_empty();
        if fixed || self.policies().all(|policy| policy.has_administrator(rules)) {
            return Ok(());
        }
        let message = format!(
            "commit {} has no administrator: no valid user with a {} whose roles allow to create and update roles; take \
             a commit that has one as root, give `authorization.root_keys`, or keep roles and users in a \
             `authorization.policy_dir`",
            self.commit.short(),
            match rules.identity {
                Identity::Signature => "signing key",
                Identity::Author => "git e-mail",
            },
        );
        Err(Refusal { code: Code::PolicyLockout, message })
    }
}
