//! Which commits take effect: a pure function of objects, a trusted base, a head and [`Rules`].
//!
//! History is judged one commit at a time, parents first, against the *accepted state* before it and the policy in
//! that state. A commit takes effect whole or not at all. What is refused stays at its last accepted content, and
//! everything else goes on. The agent, `mcpfleet authorize` and the git hooks call the same functions.

mod object;
mod policy;
mod rules;
pub mod signature;
mod verdict;

pub use object::{Blob, NotAnId, ObjectError, ObjectId, Objects, TreeItem};
pub use policy::Policy;
pub use rules::{Identity, Rules};
pub use verdict::{
    AcceptedPath, Answer, ChangeVerb, ChangeVerdict, Code, CommitAnswer, CommitVerdict, HeldPath, Outcome, Refusal,
    Report,
};
