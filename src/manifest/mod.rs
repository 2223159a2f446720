//! From bytes to checked resources, or to diagnostics that say what is wrong, where, and what to do. Pure.

pub mod check;
pub mod decode;
pub mod diagnostic;
pub mod explain;
pub mod hidden;
pub(crate) mod listed;
pub mod load;
pub mod pieces;
pub mod place;
pub mod render;
pub mod risk;
pub mod snapshot;
pub mod text;
pub mod write;
pub mod yaml;

pub use check::cross_check;
pub use diagnostic::{Code, Diagnostic, Position, Related, Severity};
pub use load::{Located, ParsedFile, check_file, parse_file};
pub use place::{Place, Places, UserPlaces};
pub use snapshot::{Author, Entry, FileState, Maker, Next, Revision, Series, Snapshot, Tree, diagnostics};
pub use write::write;
