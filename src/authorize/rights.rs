//! Whether whoever signed a commit may make the changes in it.

use super::{
    Answer, ChangeVerdict, Code, Policy, Rules,
    change::{Change, changes},
    commit::Commit,
    content::Content,
    policy::{Decision, Member},
    signer::{Nobody, signed_with, signer},
};
use crate::resource::Kind;
use std::{
    cell::OnceCell,
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

/// From what to what a commit takes a path; several contents where the lines before it do not agree.
#[derive(Clone, Debug)]
pub struct Step {
    pub path: Arc<str>,
    pub from: Vec<Option<Arc<Content>>>,
    pub to: Option<Arc<Content>>,
}

/// Judges the steps of a commit under some policies, all of which must agree.
pub struct Rights<'a> {
    commit: &'a Commit,
    policies: Vec<&'a Policy>,
    rules: &'a Rules,
    signer: OnceCell<Result<Vec<&'a Member>, Nobody>>,
    root_signed: OnceCell<bool>,
}

impl<'a> Rights<'a> {
    pub fn new(commit: &'a Commit, policies: impl Iterator<Item = &'a Arc<Policy>>, rules: &'a Rules) -> Self {
        let policies = policies.map(|policy| &**policy).collect();
        Rights { commit, policies, rules, signer: OnceCell::new(), root_signed: OnceCell::new() }
    }

    /// The name of the user whose commit it is.
    pub fn signer(&self) -> Option<String> {
        self.members().as_ref().ok()?.first().map(|member| member.name().to_owned())
    }

    /// Who signed, by each of the policies.
    fn members(&self) -> &Result<Vec<&'a Member>, Nobody> {
        self.signer.get_or_init(|| self.policies.iter().map(|policy| signer(self.commit, policy, self.rules)).collect())
    }

    fn is_root_signed(&self) -> bool {
        *self.root_signed.get_or_init(|| signed_with(self.commit, &self.rules.root_keys, self.rules))
    }

    /// What is said of one step. Never empty.
    pub fn judge(&self, step: &Step) -> Vec<ChangeVerdict> {
        if let Some((code, message)) = step.to.as_ref().and_then(|content| content.fault()) {
            return vec![whole_file(&step.path, Some(code), message)];
        }
        let mut verdicts: Vec<ChangeVerdict> = Vec::new();
        // Where there are several contents to start from, the worst verdict on each resource counts.
        let mut places = HashMap::new();
        for from in &step.from {
            for change in changes(from.as_deref(), step.to.as_deref()) {
                let verdict = self.judge_change(&step.path, &change);
                match places.entry((change.kind, change.name, change.verb)) {
                    Entry::Vacant(place) => {
                        place.insert(verdicts.len());
                        verdicts.push(verdict);
                    }
                    Entry::Occupied(place) => match verdicts.get_mut(*place.get()) {
                        Some(twin) if verdict.verdict == Answer::Refused => *twin = verdict,
                        _ => {}
                    },
                }
            }
        }
        if verdicts.is_empty() {
            // A file without resources: whoever is known may have it.
            let (code, message) = match self.members() {
                _ if !self.rules.root_keys.is_empty() && self.is_root_signed() => {
                    (None, "no resource is in it".to_owned())
                }
                Ok(_) => (None, "no resource is in it".to_owned()),
                Err(nobody) => (Some(nobody.code), nobody.message.clone()),
            };
            verdicts.push(whole_file(&step.path, code, message));
        }
        verdicts
    }

    fn judge_change(&self, path: &Arc<str>, change: &Change) -> ChangeVerdict {
        let (code, rule, message) = match self.decide(path, change) {
            Ok(Allowed { rule, message }) => (None, rule, message),
            Err(Denied { code, rule, message }) => (Some(code), rule, message),
        };
        ChangeVerdict {
            path: path.to_string(),
            kind: Some(change.kind),
            name: Some(change.name.clone()),
            verb: Some(change.verb),
            verdict: if code.is_none() { Answer::Accepted } else { Answer::Refused },
            code,
            rule,
            message,
        }
    }

    fn decide(&self, path: &str, change: &Change) -> Result<Allowed, Denied> {
        let deny = |code, rule, message| Err(Denied { code, rule, message });
        let Change { kind, name, verb, .. } = change;
        if *kind != Kind::App && self.rules.fixed_policy.is_some() {
            let message =
                format!("roles and users come from the agent's `policy_dir`: a {kind} in the repository is refused");
            return deny(Code::NotAllowed, None, message);
        }
        if *kind != Kind::App && !self.rules.root_keys.is_empty() {
            return if self.is_root_signed() {
                Ok(Allowed { rule: None, message: "signed with a root key".to_owned() })
            } else {
                let message =
                    "changes of roles and users must be signed with one of the agent's `root_keys`".to_owned();
                deny(Code::RootKeyRequired, None, message)
            };
        }
        let members = match self.members() {
            Ok(members) => members,
            Err(nobody) => return deny(nobody.code, None, nobody.message.clone()),
        };
        let mut allowed = None;
        for member in members {
            let user = member.name();
            match member.decide(path, change) {
                Decision::Allowed(rule) => allowed = Some((rule, user)),
                Decision::Denied(rule) => {
                    let message = format!("{rule} denies user `{user}` to {verb} {kind} `{name}` in {path}");
                    return deny(Code::DeniedByRule, Some(rule), message);
                }
                Decision::NotAllowed => {
                    let message = format!(
                        "no rule of the roles of user `{user}` ({}) allows to {verb} {kind} `{name}` in {path}; ask somebody \
                         whose roles do, or for such a rule",
                        roles(member)
                    );
                    return deny(Code::NotAllowed, None, message);
                }
            }
        }
        match allowed {
            Some((rule, user)) => {
                let message = format!("{rule} allows user `{user}` to {verb} it");
                Ok(Allowed { rule: Some(rule), message })
            }
            None => deny(Code::NotAllowed, None, "there is no policy".to_owned()),
        }
    }
}

/// By which rule a change is allowed, if by one, and a word on it.
struct Allowed {
    rule: Option<String>,
    message: String,
}

/// Why a change is not allowed, and by which rule, if by one.
struct Denied {
    code: Code,
    rule: Option<String>,
    message: String,
}

fn roles(member: &Member) -> String {
    if member.user.roles.is_empty() { "none".to_owned() } else { member.user.roles.join(", ") }
}

/// A verdict on a file as a whole.
pub fn whole_file(path: &str, code: Option<Code>, message: String) -> ChangeVerdict {
    ChangeVerdict {
        path: path.to_owned(),
        kind: None,
        name: None,
        verb: None,
        verdict: if code.is_none() { Answer::Accepted } else { Answer::Refused },
        code,
        rule: None,
        message,
    }
}
