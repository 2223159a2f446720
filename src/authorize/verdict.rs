//! What comes out of a judgement, and its JSON form, version 1, which fields are only ever added to.

use super::ObjectId;
use crate::{manifest::listed::listed, resource::Kind};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc};

listed! {
    /// Why a change, or a whole head, was refused. Names are never reused for another meaning.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Code {
        /// The commit has no signature, and its change needs one.
        Unsigned,
        /// The signature does not fit the commit, or is of a kind that proves nothing.
        BadSignature,
        /// The commit has more than one signature, and it is not clear which counts.
        SeveralSignatures,
        /// The key belongs to no user.
        UnknownKey,
        /// The agent's configuration or an override on its host denies the key.
        DeniedKey,
        /// Two users claim the key or the e-mail.
        AmbiguousUser,
        /// No rule of the user's roles allows the change.
        NotAllowed,
        /// A rule of the user's roles denies the change.
        DeniedByRule,
        /// The author's e-mail belongs to no user.
        UnknownAuthor,
        /// The file, or the policy that would result, is not valid.
        InvalidResource,
        /// Another file defines a resource of the same kind and name.
        DuplicateName,
        /// A symlink, submodule, LFS pointer or the like where a resource file is expected.
        ForbiddenEntry,
        /// The change builds on content that was refused, and the commit does not vouch for it.
        HeldUnderneath,
        /// The sides of a merge disagree about the file, and whoever merged them has no right to decide.
        ContestedMerge,
        /// Nobody would be left who could change roles.
        PolicyLockout,
        /// Changes of policy must be signed with a root key.
        RootKeyRequired,
        /// The head does not descend from the trusted base.
        HistoryRewritten,
        /// The history between base and head is not all there.
        Shallow,
        /// There is more of something than is judged at a time.
        Limit,
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// What a commit does to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeVerb {
    Create,
    Update,
    Delete,
}

impl fmt::Display for ChangeVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Accepted,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommitAnswer {
    Accepted,
    Refused,
    /// It touches nothing that is managed, or is a merge that only joins what its sides have decided.
    NothingToDecide,
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeVerdict {
    pub path: String,
    /// `None` for a file as a whole: one that cannot be read, say.
    pub kind: Option<Kind>,
    pub name: Option<String>,
    pub verb: Option<ChangeVerb>,
    pub verdict: Answer,
    pub code: Option<Code>,
    /// The rule that decided, as `role/NAME allow.rules[0]`.
    pub rule: Option<String>,
    /// One or two sentences for people: why, and what to do about it.
    pub message: String,
}

impl ChangeVerdict {
    /// How the message begins where a change is refused only because another one of its commit is.
    pub const ALLOWED_BY_ITSELF: &str = "allowed by itself, but ";
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitVerdict {
    pub id: ObjectId,
    /// Name of the user to whom the commit is attributed.
    pub signer: Option<String>,
    pub verdict: CommitAnswer,
    pub changes: Vec<ChangeVerdict>,
}

/// A managed path whose accepted content is not what the head has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldPath {
    pub path: String,
    pub accepted_blob: Option<ObjectId>,
    pub head_blob: Option<ObjectId>,
    pub refused_commit: ObjectId,
    pub code: Option<Code>,
}

/// What is accepted of a managed path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedPath {
    /// `None`: that there is no such file.
    pub blob: Option<ObjectId>,
    /// The commit that made it so; `None`: before the base.
    pub commit: Option<ObjectId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing is held or undecided at the head.
    Accepted,
    /// Something is.
    Partly,
    /// The head could not be judged at all.
    Refused,
}

/// The head could not be judged; nothing moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, utoipa::ToSchema)]
#[error("{message}")]
pub struct Refusal {
    #[schema(value_type = String)]
    pub code: Code,
    /// What is the matter, and what to do about it.
    pub message: String,
}

/// The report of `mcpfleet authorize -o json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub version: u32,
    pub base: ObjectId,
    pub head: ObjectId,
    pub outcome: Outcome,
    pub error: Option<Refusal>,
    /// Parents first.
    pub commits: Vec<CommitVerdict>,
    pub accepted: BTreeMap<Arc<str>, AcceptedPath>,
    pub held: Vec<HeldPath>,
    pub undecided: Vec<Arc<str>>,
    /// Present, and true, when no root of trust was given and the base was taken as accepted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub assumed_root: bool,
}
