//! Sources: where resources come from, and how a change of them is noticed.

mod error;
mod ignore;
mod open;
mod problem;
mod read;
mod walk;

pub use error::ReadError;
pub use ignore::{Ignore, IgnoreError};
pub use open::MAX_FILE_BYTES;
pub use read::{Cache, TreeRead, read_file, read_tree};
