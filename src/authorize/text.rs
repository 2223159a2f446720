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
fn next_step(code: Code) -> &'static str {
    match code {
        Code::Unsigned => {
            "sign it: set `gpg.format` to ssh and `user.signingkey` to your key, then `git commit --amend --no-edit -S`"
        }
        Code::BadSignature | Code::SeveralSignatures => "sign it anew: `git commit --amend --no-edit -S`",
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
        Code::ContestedMerge => "have somebody who may change the file commit the content that is meant",
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
        report.undecided.iter().for_each(|path| out += &format!("  {}\n", escape(path)));
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
        (Some(blob), None) => writeln!(out, "    to restore: git cat-file -p {blob} > {}", shell(&held.path)),
    };
    let _ =
        writeln!(out, "    to accept:  somebody who may commits with the trailer `Vouch-For: {}`", held.refused_commit);
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
mod tests {
    use super::*;
    use crate::{
        authorize::{AcceptedPath, ChangeVerb, Refusal},
        resource::Kind,
    };

    fn id(digit: u8) -> ObjectId {
        ObjectId::new([digit; 20])
    }

    fn change(path: &str, code: Option<Code>, message: &str) -> ChangeVerdict {
        ChangeVerdict {
            path: path.into(),
            kind: Some(Kind::App),
            name: Some("pay".into()),
            verb: Some(ChangeVerb::Update),
            verdict: if code.is_some() { Answer::Refused } else { Answer::Accepted },
            code,
            rule: code.map(|_| "role/b deny.rules[0]".into()),
            message: message.into(),
        }
    }

    fn sample() -> Report {
        let refused = CommitVerdict {
            id: id(0xab),
            signer: Some("bob".into()),
            verdict: CommitAnswer::Refused,
            changes: vec![
                change("apps/pay.yaml", Some(Code::DeniedByRule), "it is \u{1b}[31mdenied"),
                change("apps/it's.yaml", Some(Code::DeniedByRule), "denied too"),
            ],
        };
        let accepted = CommitVerdict {
            id: id(0x12),
            signer: Some("alice".into()),
            verdict: CommitAnswer::Accepted,
            changes: (0..5).map(|n| change(&format!("{n}.yaml"), None, "")).collect(),
        };
        let nothing =
            CommitVerdict { id: id(0x34), signer: None, verdict: CommitAnswer::NothingToDecide, changes: Vec::new() };
        let held = |path: &str, accepted_blob| HeldPath {
            path: path.into(),
            accepted_blob,
            head_blob: Some(id(2)),
            refused_commit: id(0xab),
            code: Some(Code::DeniedByRule),
        };
        let accepted_path = AcceptedPath { blob: Some(id(1)), commit: Some(id(0x12)) };
        Report {
            version: 1,
            base: id(0),
            head: id(9),
            outcome: Outcome::Partly,
            error: None,
            commits: vec![accepted, nothing, refused],
            accepted: [("apps/pay.yaml".into(), accepted_path)].into(),
            held: vec![held("apps/pay.yaml", Some(id(1))), held("apps/it's.yaml", None), held("b.yaml", Some(id(1)))],
            undecided: vec!["apps/c\u{202e}.yaml".into()],
            assumed_root: false,
        }
    }

    fn plain(shown: &Report) -> String {
        let said = |_| Some(Said { author: "Boss <boss@x>".into(), subject: "Pay \u{9b}more".into() });
        anstream::adapter::strip_str(&report(shown, said)).to_string()
    }

    #[test]
    fn every_refusal_is_explained() {
        let (ab, b1) = ("ab".repeat(20), "01".repeat(20));
        assert_eq!(
            plain(&sample()),
            format!(
                "accepted  1212121212  alice: update of app pay in 0.yaml, update of app pay in 1.yaml, update of app pay in \
                 2.yaml, 2 more
nothing to decide  3434343434  Pay \\u{{9b}}more
refused  {ab}  Pay \\u{{9b}}more
  author  Boss <boss@x>  (as the commit says)
  signer  bob
  apps/pay.yaml: update of app pay [denied-by-rule]
    it is \\u{{1b}}[31mdenied
    rule: role/b deny.rules[0]
  apps/it's.yaml: update of app pay [denied-by-rule]
    denied too
    rule: role/b deny.rules[0]
  next: have somebody make the change whom no rule denies it

Held: these stay as they were accepted, whatever the head has
  apps/pay.yaml  since ababababab [denied-by-rule]
    to restore: git restore --source 1212121212 -- apps/pay.yaml
    to accept:  somebody who may commits with the trailer `Vouch-For: {ab}`
  apps/it's.yaml  since ababababab [denied-by-rule]
    to restore: git rm -- 'apps/it'\\''s.yaml'
    to accept:  somebody who may commits with the trailer `Vouch-For: {ab}`
  b.yaml  since ababababab [denied-by-rule]
    to restore: git cat-file -p {b1} > b.yaml
    to accept:  somebody who may commits with the trailer `Vouch-For: {ab}`

Undecided: merged sides disagree; what is applied stays until somebody who may change the file commits
the content that is meant
  apps/c\\u{{202e}}.yaml

3 commits, 1 accepted, 1 refused, 3 files held, 1 undecided
"
            )
        );
    }

    #[test]
    fn a_head_that_cannot_be_judged() {
        let error = Some(Refusal { code: Code::Shallow, message: "fetch\u{7} more".into() });
        let shown = Report { error, outcome: Outcome::Refused, ..sample() };
        assert_eq!(plain(&shown), "refused [shallow] fetch\\u{7} more\n");
    }

    #[test]
    fn what_commits_say() {
        let commit = b"tree x\nauthor A B <a@b> 1 +0000\ncommitter C <c@d> 1 +0000\n\n\nSubject\nauthor Z <z@z>\n";
        assert_eq!(Said::of(commit), Said { author: "A B <a@b>".into(), subject: "Subject".into() });
        assert_eq!(Said::of(b"\xff"), Said::default());
        let long = Said::of(format!("author {}\n\n{}", "ä".repeat(300), "b".repeat(300)).as_bytes());
        assert_eq!((long.author.chars().count(), long.subject.chars().count()), (SHOWN + 1, SHOWN + 1));
    }
}
