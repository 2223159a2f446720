//! The model: what a resource *is*. Pure values, no I/O, no clock.
//!
//! A **resource** is an [`App`] (the definition of one MCP server), a [`Role`] or a [`User`]. How YAML becomes
//! these values, and what is refused on the way, is the business of [`crate::manifest`].

mod app;
mod digest;
mod engine;
mod meta;
mod pattern;
pub mod predicate;
pub mod quantity;
mod re2;
mod role;
pub mod selector;
pub mod signing_key;
mod user;
mod written;

pub use app::*;
pub use digest::Digest;
pub use meta::{Metadata, NameError, check_label_key, check_name};
pub use pattern::glob;
pub use role::*;
pub use selector::Selector;
pub use user::*;
pub use written::{Document, Written};

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// What a resource document declares in its `kind` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    App,
    Role,
    User,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::App, Kind::Role, Kind::User];

    /// The word written in `kind:`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::App => "app",
            Kind::Role => "role",
            Kind::User => "user",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The identity of a resource in a source: unique, and shown as `kind/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceId {
    pub kind: Kind,
    pub name: String,
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// Any valid resource. Cheap to clone: snapshots share the parsed values.
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    App(Arc<App>),
    Role(Arc<Role>),
    User(Arc<User>),
}

impl Resource {
    pub fn kind(&self) -> Kind {
        match self {
            Resource::App(_) => Kind::App,
            Resource::Role(_) => Kind::Role,
            Resource::User(_) => Kind::User,
        }
    }

    pub fn metadata(&self) -> &Metadata {
        match self {
            Resource::App(r) => &r.metadata,
            Resource::Role(r) => &r.metadata,
            Resource::User(r) => &r.metadata,
        }
    }

    pub fn id(&self) -> ResourceId {
        ResourceId { kind: self.kind(), name: self.metadata().name.clone() }
    }
}
