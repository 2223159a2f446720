//! Processes: how servers are started, watched, replaced and stopped.
//!
//! A [`fleet`] holds a [`supervisor`] an app. A supervisor decides with a pure [`machine`]; what it decides is done by
//! [`launch`], which makes processes under a [`keeper`], and by the task that owns each of them ([`running`]). A
//! [`link`] carries the messages of one process. A session with a [`remote`] server is a process to all of them.
//! What is left when keepers are killed is found by [`orphans`].
//!
//! What a process is given is put together by the [`host`]: its [`user`], its [`environment`] with its [`secrets`], its
//! limits and sandbox ([`confine`]). What becomes of it is in the [`journal`] and the [`logs`], what clients ask of it is
//! counted as [`traffic`].

pub mod backoff;
pub mod confine;
mod control;
pub mod environment;
pub mod fleet;
pub mod flood;
pub mod grant;
mod health;
pub mod host;
pub mod journal;
pub mod keeper;
pub mod labels;
pub mod launch;
pub mod link;
pub mod logs;
pub mod machine;
pub mod mailbox;
pub mod orphans;
pub mod pool;
pub mod probe;
pub mod question;
pub mod redact;
pub mod remote;
pub mod running;
pub mod secrets;
pub mod supervisor;
pub mod tools;
pub mod traffic;
pub mod user;
mod version;
pub mod view;
