//! `mcpfleet trust`: what the operators of a host decide over the repository's head.

mod place;
mod show;

use self::place::{Followed, Place};
use super::{
    Outcome, UsageError,
    agent_args::block_on,
    terminal::{escape, escape_lines, print},
};
use crate::{
    authorize::{ObjectId, signature::SigningKey},
    client::{api::ApiError, http::HttpError},
    git::Repository,
    source::{DeniedKey, Override},
};
use jiff::Timestamp;

/// Look at what is trusted of a repository, and decide it on this host.
///
/// What is decided here goes over anything that the repository says. It is carried out by the agent at its next look, and
/// kept in a log with who decided it and why.
#[derive(clap::Subcommand)]
pub enum Command {
    Show(show::Args),
    Set(Set),
    DenyKey(Deny),
}

/// Trust a commit with all that it has, from now on.
///
/// For when history was rewritten on purpose, or nobody is left who could repair the roles. Every later change is judged
/// by the roles and users of that commit.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet trust set 4f2c8b1d0e9a7c6b5d4e3f2a1b0c9d8e7f6a5b4c --reason 'history cleaned of a large file'

Exit codes: 0 it is noted, 2 wrong usage, 3 something went wrong")]
pub struct Set {
    /// The commit: its full id, or any revision of what was fetched last
    #[arg(value_name = "REV")]
    revision: String,
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: Place,
}

/// Deny a key: what it signs from now on, and what was not judged yet, is nobody's.
///
/// Changes that took effect before stay; look at what the key has done, and revert what should not be.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet trust deny-key SHA256:ThcFDxLZ1yvtUuICUjiT5JqjHUbqSmw4bFNxOVbQ1Yw --reason 'laptop stolen'

Exit codes: 0 it is noted, 2 wrong usage, 3 something went wrong")]
pub struct Deny {
    /// An OpenSSH public key, a fingerprint of one (SHA256:…), or an OpenPGP fingerprint
    #[arg(value_name = "KEY")]
    key: String,
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: Place,
}

pub fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Show(args) => show::run(args),
        Command::Set(args) => set(args),
        Command::DenyKey(args) => deny(args),
    }
}

fn set(args: Set) -> anyhow::Result<Outcome> {
    let followed = args.place.find()?;
    let commit = commit(&followed, &args.revision)?;
    let (reason, by) = (reason(&args.reason)?, place::operator()?);
    let order = Override::new(commit, reason, by, Timestamp::now());
    order.give(&followed.state_dir)?;
    print(&format!("{}: commit {commit} is to be trusted\n", escape(&followed.name)))?;
    tell(&args.place, &followed)
}

fn deny(args: Deny) -> anyhow::Result<Outcome> {
    let key = args.key.trim().to_owned();
    SigningKey::parse(&key).map_err(|error| UsageError::new(format!("this is no key: {error}")))?;
    let followed = args.place.find()?;
    let (reason, by) = (reason(&args.reason)?, place::operator()?);
    let denied = DeniedKey { key, reason, by, at: Timestamp::now() };
    match denied.deny(&followed.state_dir)? {
        true => print(&format!("{}: the key is denied\n", escape(&followed.name)))?,
        false => print(&format!("{}: the key is denied already\n", escape(&followed.name)))?,
    }
    tell(&args.place, &followed)
}

fn reason(text: &str) -> anyhow::Result<String> {
    match text.trim() {
        "" => Err(UsageError::new("`--reason` is empty: whoever reads the log later wants to know").into()),
        text => Ok(text.to_owned()),
    }
}

/// The commit that is meant; what was fetched last is where abbreviations are looked up.
fn commit(followed: &Followed, revision: &str) -> anyhow::Result<ObjectId> {
    if let Ok(id) = revision.parse() {
        return Ok(id);
    }
    let found = Repository::open(&followed.mirror()).and_then(|mirror| mirror.commit_at(revision));
    Ok(found.map_err(|_| {
        UsageError::new(format!(
            "{revision} is not the full id of a commit, and leads to none of what was fetched last"
        ))
    })?)
}

/// Makes a running agent look. One that does not run looks when it starts.
fn tell(place: &Place, followed: &Followed) -> anyhow::Result<Outcome> {
    let agent = place.client(followed)?;
    match block_on(async { Ok(agent.reconcile(false).await) })? {
        Ok(()) => print("The agent looks now; `mcpfleet status` shows what came of it.\n")?,
        Err(ApiError::Http(HttpError::Unreachable(_))) => {
            print("No agent answers; it is carried out at the next start.\n")?;
        }
        // What was noted stays noted: an agent looks at its sources by itself too.
        Err(error) => anstream::eprintln!("note: the agent could not be told: {}", escape_lines(&error.to_string())),
    }
    Ok(Outcome::Fine)
}
