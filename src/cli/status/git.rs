//! What is special about git sources, as text.

use super::text::{BAD, CHANGING, GOOD, age};
use crate::{
    cli::terminal::escape,
    status::model::{GitStatus, RefusedStatus, SourceStatus},
};
use jiff::Timestamp;
use std::fmt::{self, Write};

/// How many refused changes are shown.
const MAX_SHOWN: usize = 20;

/// Where a git source stands, what to be wary of, and what it refused.
pub(super) fn describe(source: &SourceStatus, now: Timestamp, text: &mut String) -> fmt::Result {
    let Some(git) = &source.git else { return Ok(()) };
    writeln!(text, "{}: {}", escape(&source.name), standing(git, now))?;
    for warning in &git.warnings {
        writeln!(text, "{CHANGING}warning{CHANGING:#}: {}: {}", escape(&source.name), escape(warning))?;
    }
    for change in git.refused.iter().take(MAX_SHOWN) {
        refused(change, git.mode == "audit", text)?;
    }
    match git.refused_total.saturating_sub(git.refused.len().min(MAX_SHOWN)) {
        0 => Ok(()),
        more => writeln!(text, "\nand {more} refused changes more, see `mcpfleet status -o json`"),
    }
}

fn standing(git: &GitStatus, now: Timestamp) -> String {
    let commit = |id: &Option<String>| id.as_deref().map_or("nothing", short).to_owned();
    let made = git.newest.map(|made| format!(", made {} ago", age(made, now))).unwrap_or_default();
    let (seen, accepted) = (commit(&git.seen), commit(&git.accepted));
    let judged = match git.mode.as_str() {
        "off" => "authors are not checked".to_owned(),
        _ if seen == accepted => "judged".to_owned(),
        _ => format!("judged up to {accepted}"),
    };
    let style = if git.refused_total == 0 && seen == accepted { GOOD } else { CHANGING };
    format!("{} at {style}{seen}{style:#}{made}; {judged}, mode {}", escape(&git.follows), escape(&git.mode))
}

fn refused(change: &RefusedStatus, applied: bool, text: &mut String) -> fmt::Result {
    let code = change.code.as_deref().map(|code| format!("[{}]", escape(code))).unwrap_or_default();
    let what = match (&change.verb, &change.kind, &change.name) {
        (Some(verb), Some(kind), Some(name)) => format!("{verb} of {kind}/{name} in {}", change.path),
        (Some(verb), ..) => format!("{verb} of {}", change.path),
        _ => change.path.clone(),
    };
    let though = if applied { " (in force all the same: audit)" } else { "" };
    writeln!(text, "\n{BAD}refused{code}{BAD:#}: {}{though}", escape(&what))?;
    let signed = change.signer.as_deref().map(|signer| format!(", signed by {signer}")).unwrap_or_default();
    writeln!(text, "  commit {} of {}", short(&change.commit), escape(&format!("{}{signed}", change.author)))?;
    if let Some(rule) = &change.rule {
        writeln!(text, "  rule {}", escape(rule))?;
    }
    writeln!(text, "  {}", escape(&change.message))
}

/// The first digits of a commit, as they are shown everywhere.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
