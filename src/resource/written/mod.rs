//! The form in which resources are written in files.

mod app;
mod role;
mod user;

pub use app::Written;

use super::{Kind, Resource};
use serde::Serialize;

/// A resource as a document of a file has it, every default of an app filled in. Reading what this serializes to gives
/// the same resource.
#[derive(Serialize)]
pub struct Document<'a> {
    kind: Kind,
    version: String,
    #[serde(flatten)]
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    App(Box<Written<'a>>),
    Role(role::Written<'a>),
    User(user::Written<'a>),
}

impl<'a> Document<'a> {
    pub fn of(resource: &'a Resource) -> Document<'a> {
        let (version, content) = match resource {
            Resource::App(app) => (3, Content::App(Box::new(Written::of(app)))),
            Resource::Role(role) => (role.version, Content::Role(role::Written::of(role))),
            Resource::User(user) => (2, Content::User(user::Written::of(user))),
        };
        Document { kind: resource.kind(), version: format!("v{version}"), content }
    }
}
