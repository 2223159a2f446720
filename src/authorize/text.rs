//! A report for people: why each refused change was refused, and what to do about it.

use super::{Answer, ChangeVerdict, Code, CommitAnswer, CommitVerdict, HeldPath, ObjectId, Outcome, Report};
use crate::escape::escape;
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

/// How many changes of an accepted commit are named.
const NAMED: usize = 3;
/// How many characters of what a commit says are shown.
const SHOWN: usize = 100;

/// What a commit says of itself. Nothing of it is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// `Name <mail>`.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
}

impl Said {
    /// Reads a commit as git stores it, whatever it is.
    pub fn of(commit: &[u8]) -> Said {
        let mut lines = commit.split(|byte| *byte == b'\n');
        let headers = lines.by_ref().take_while(|line| !line.is_empty());
        let author = headers.filter_map(|line| line.strip_prefix(b"author ")).next().unwrap_or_default();
        let author = String::from_utf8_lossy(author);
        let author = author.rfind('>').and_then(|end| author.get(..=end)).unwrap_or(&author);
        let message = memchr::memmem::find(commit, b"\n\n").and_then(|end| commit.get(end + 2..)).unwrap_or_default();
        let subject = message.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
        Said { author: shortened(author), subject: shortened(&String::from_utf8_lossy(subject.unwrap_or_default())) }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

/// The whole report. `said` is asked about commits that are shown. With colours; the writer strips them where they are not
/// wanted. Whatever comes from the repository is escaped.
pub fn report(report: &Report, said: impl Fn(ObjectId) -> Option<Said>) -> String {
    let mut out = String::new();
    if let Some(refusal) = &report.error {
        let style = AnsiColor::Red.on_default().bold();
        let _ = writeln!(out, "{style}refused [{}]{style:#} {}", refusal.code, escape(&refusal.message));
        return out;
    }
    out += &commits(&report.commits, &said);
    out += &waiting(report);
    out += &summary(report);
    out
}

/// The commits, parents first: the refused ones explained, the others in a line.
pub fn commits(commits: &[CommitVerdict], said: impl Fn(ObjectId) -> Option<Said>) -> String {
    let mut out = String::new();
    for commit in commits {
        let said = said(commit.id).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = match commit.verdict {
            CommitAnswer::Accepted => accepted(&mut out, commit),
            CommitAnswer::NothingToDecide => {
                writeln!(out, "nothing to decide  {}  {}", commit.id.short(), escape(&said.subject))
            }
            CommitAnswer::Refused => refused(&mut out, commit, &said),
        };
    }
    out
}

fn accepted(out: &mut String, commit: &CommitVerdict) -> std::fmt::Result {
    let style = AnsiColor::Green.on_default();
    let mut changes: Vec<String> =
        commit.changes.iter().take(NAMED).map(|c| format!("{} {}", what(c), place(c))).collect();
    if commit.changes.len() > NAMED {
        changes.push(format!("{} more", commit.changes.len() - NAMED));
    }
    let signer = commit.signer.as_deref().unwrap_or("nobody who is known");
    writeln!(out, "{style}accepted{style:#}  {}  {}: {}", commit.id.short(), escape(signer), changes.join(", "))
}

fn refused(out: &mut String, commit: &CommitVerdict, said: &Said) -> std::fmt::Result {
    let (style, bold) = (AnsiColor::Red.on_default().bold(), Style::new().bold());
    writeln!(out, "{style}refused{style:#}  {bold}{}{bold:#}  {}", commit.id, escape(&said.subject))?;
    writeln!(out, "  author  {}  (as the commit says)", escape(&said.author))?;
    let signer = commit.signer.as_deref().map_or("nobody who is known".into(), escape);
    writeln!(out, "  signer  {signer}")?;
    for change in commit.changes.iter().filter(|change| change.verdict == Answer::Refused) {
        let code = change.code.map(|code| format!(" [{code}]")).unwrap_or_default();
        writeln!(out, "  {}: {}{style}{code}{style:#}", escape(&change.path), what(change))?;
        writeln!(out, "    {}", escape(&change.message))?;
        if let Some(rule) = &change.rule {
            writeln!(out, "    rule: {}", escape(rule))?;
        }
    }
    let codes =
        commit.changes.iter().filter(|change| change.verdict == Answer::Refused).filter_map(|change| change.code);
    let mut told = Vec::new();
    for step in codes.map(next_step) {
        if !told.contains(&step) {
            writeln!(out, "  next: {step}")?;
            told.push(step);
        }
    }
    Ok(())
}

/// `update of app demo`, or the file as a whole.
fn what(change: &ChangeVerdict) -> String {
    match (change.verb, change.kind, &change.name) {
        (Some(verb), Some(kind), Some(name)) => format!("{verb} of {} {}", kind.as_str(), escape(name)),
        _ => "the file as a whole".to_owned(),
    }
}

fn place(change: &ChangeVerdict) -> String {
    format!("in {}", escape(&change.path))
}

/// What whoever made a refused commit can do.
pub fn next_step(code: Code) -> &'static str {
    match code {
        Code::Unsigned => {
            "sign it: set `gpg.format` to ssh and `user.signingkey` to your key, then `git commit --amend --no-edit -S`; if an \
             agent follows it already, restore what was accepted and commit the change again, signed"
        }
        Code::BadSignature | Code::SeveralSignatures => {
            "sign it anew: `git commit --amend --no-edit -S`; if an agent follows it already, restore what was accepted and \
             commit the change again"
        }
        Code::UnknownKey => {
            "sign with a key that a user has in `spec.git.signing_keys`, or have yours added there in an earlier commit by \
             somebody who may"
        }
        Code::DeniedKey => "sign with another key: the host of the agent denies this one",
        Code::AmbiguousUser => "an administrator takes the key or e-mail from all users but one",
        Code::UnknownAuthor => "commit with an e-mail that a user has in `spec.git.emails`",
        Code::NotAllowed => {
            "have somebody make the change whose roles allow it, or have a role extended first: a grant counts from the \
             next commit on"
        }
        Code::DeniedByRule => "have somebody make the change whom no rule denies it",
        Code::InvalidResource => "correct the files: `mcpfleet validate` shows what is wrong in them",
        Code::DuplicateName => "choose another name, or change the file that has it",
        Code::ForbiddenEntry => "commit a plain file in its place",
        Code::HeldUnderneath => "restore the accepted content first, or vouch for what was refused, if you may",
        Code::ContestedMerge => {
            "have somebody who may change the file commit the content that is meant; if that is what the merge has, by an \
             empty commit with `Vouch-For:` and the merge's id"
        }
        Code::PolicyLockout => "leave at least one user with a role that may create and update roles",
        Code::RootKeyRequired => "have it signed with one of the root keys",
        Code::HistoryRewritten | Code::Shallow | Code::Limit => "see above",
    }
}

/// What is held and undecided, each with what to do.
pub fn waiting(report: &Report) -> String {
    let bold = Style::new().bold();
    let mut out = String::new();
    if !report.held.is_empty() {
        let _ = writeln!(out, "\n{bold}Held{bold:#}: these stay as they were accepted, whatever the head has");
        report.held.iter().for_each(|held| out += &one_held(held, report));
    }
    if !report.undecided.is_empty() {
        let _ = writeln!(
            out,
            "\n{bold}Undecided{bold:#}: merged sides disagree; what is applied stays until somebody who may change the file \
             commits\nthe content that is meant"
        );
        for path in &report.undecided {
            let contests = |change: &ChangeVerdict| *change.path == **path && change.code == Some(Code::ContestedMerge);
            let merge = report.commits.iter().rev().find(|commit| commit.changes.iter().any(contests));
            let advice = merge.map(|merge| {
                format!(
                    "\n    to take what merge {} has: git commit --allow-empty -S -m Decide -m 'Vouch-For: {}'",
                    merge.id.short(),
                    merge.id
                )
            });
            let _ = writeln!(out, "  {}{}", escape(path), advice.unwrap_or_default());
        }
    }
    out
}

fn one_held(held: &HeldPath, report: &Report) -> String {
    let mut out = String::new();
    let code = held.code.map(|code| format!(" [{code}]")).unwrap_or_default();
    let path = escape(&held.path);
    let _ = writeln!(out, "  {path}  since {}{code}", held.refused_commit.short());
    let accepted = report.accepted.get(held.path.as_str());
    let _ = match (held.accepted_blob, accepted.and_then(|accepted| accepted.commit)) {
        (None, _) => writeln!(out, "    to restore: git rm -- {}", shell(&held.path)),
        (Some(_), Some(commit)) => {
            writeln!(out, "    to restore: git restore --source {} -- {}", commit.short(), shell(&held.path))
        }
        (Some(blob), None) => {
            let path = shell(&held.path);
            writeln!(
                out,
                "    to restore: git update-index --add --cacheinfo 100644,{blob},{path} && git checkout -- {path}"
            )
        }
    };
    // No right makes these acceptable.
    let hopeless = [Code::InvalidResource, Code::ForbiddenEntry, Code::DuplicateName];
    if !held.code.is_some_and(|code| hopeless.contains(&code)) {
        let reason = held.refused_commit;
        let _ = writeln!(out, "    to accept:  somebody who may commits with the trailer `Vouch-For: {reason}`");
    }
    out
}

/// A path as it can be given to a shell.
fn shell(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
    match path.bytes().all(plain) {
        true => path.to_owned(),
        false => escape(&format!("'{}'", path.replace('\'', r"'\''"))).into_owned(),
    }
}

fn summary(report: &Report) -> String {
    let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let of = |answer| report.commits.iter().filter(|commit| commit.verdict == answer).count();
    let mut parts = vec![counted(report.commits.len(), "commit")];
    for (count, what) in [(of(CommitAnswer::Accepted), "accepted"), (of(CommitAnswer::Refused), "refused")] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.push(match report.outcome {
        Outcome::Accepted => "nothing held".to_owned(),
        _ => {
            let undecided = report.undecided.len();
            let rest = if undecided > 0 { format!(", {undecided} undecided") } else { String::new() };
            format!("{} held{rest}", counted(report.held.len(), "file"))
        }
    });
    let style = if report.outcome == Outcome::Accepted { AnsiColor::Green } else { AnsiColor::Red }.on_default();
    let gap = if report.commits.is_empty() { "" } else { "\n" };
    format!("{gap}{style}{}{style:#}\n", parts.join(", "))
}

#[cfg(test)]
mod tests;
