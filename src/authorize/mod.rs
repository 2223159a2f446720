//! Which commits take effect: a pure function of objects, a trusted base, a head and [`Rules`].
//!
//! History is judged one commit at a time, parents first, against the *accepted state* before it and the policy in
//! that state. A commit takes effect whole or not at all. What is refused stays at its last accepted content, and
//! everything else goes on. The agent, `mcpfleet authorize` and the git hooks call the same functions.

mod change;
mod commit;
mod content;
pub mod explain;
#[cfg(test)]
mod fixture;
mod graph;
mod judge;
mod layered;
mod object;
mod policy;
mod proposed;
mod report;
mod rights;
mod rules;
pub mod signature;
mod signer;
mod state;
mod stored;
pub mod text;
mod tree;
mod verdict;

pub use content::{Cache, Entry, Slot};
pub use judge::{Failure, Judge, Judgement};
pub use object::{Blob, NotAnId, ObjectError, ObjectId, Objects, TreeItem};
pub use policy::{Member, Policy, Subject};
pub use proposed::{Proposed, Since};
pub use rules::{Identity, Rules};
pub use state::State;
pub use stored::Stored;
pub use verdict::{
    AcceptedPath, Answer, ChangeVerb, ChangeVerdict, Code, CommitAnswer, CommitVerdict, HeldPath, Outcome, Refusal,
    Report,
};
