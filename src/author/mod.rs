//! Writing resources to where they live: a git repository, by commits of the user who calls, or a plain folder.
//!
//! A command becomes a [`Draft`]: what the files would say. It is checked as a whole before anything is written, and
//! then [`publish()`]ed: files, a commit that no branch leads to yet, the verdict that the agent would give, and only
//! then the branch and a push. What fails or would be refused before leaves everything as it was. Commits and pushes are made
//! by the `git` program, so that identity, signing, hooks and credentials are those that the user has set up.

mod create;
mod diff;
mod draft;
mod editor;
pub mod editors;
mod error;
mod files;
mod git;
mod head;
pub mod history;
pub mod import;
pub mod init;
mod place;
mod prepared;
mod publish;
mod secret_files;

pub use create::{Input, Wish, create};
pub use diff::unified;
pub use draft::{Change, Draft, Verb};
pub use editor::{Edited, edit};
pub use error::AuthorError;
pub use place::Place;
pub use publish::{FindTerms, Orders, Published, Pushed, Terms, publish};
pub use secret_files::SecretFiles;
