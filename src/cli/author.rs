//! What the commands that write resources share.

use super::{
    Outcome, UsageError,
    judging::{check_signer, settings_of_commit},
    rules::rules,
    terminal::{escape, escape_lines, print},
};
use crate::{
    author::{AuthorError, Change, Draft, Orders, Place, Published, Pushed, Terms, publish, unified},
    authorize::ObjectId,
    git::Repository,
    manifest::{Severity, render},
    resource::{Kind, ResourceId, check_name},
    source::Mode,
};
use clap::ValueHint;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct PlaceArgs {
    /// The repository or folder: any folder within the work tree will do
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    repo: PathBuf,
}

#[derive(clap::Args)]
pub struct PublishArgs {
    /// Show what would change in the files, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Commit, and leave it to you to push
    #[arg(long)]
    no_push: bool,
    /// Commit and push even what the agent would refuse, for somebody else to vouch for
    #[arg(long)]
    anyway: bool,
    /// The message of the commit [default: what is done]
    #[arg(short, long)]
    message: Option<String>,
}

impl PublishArgs {
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }
}

impl PlaceArgs {
    pub fn open(&self) -> Result<Place, AuthorError> {
        Place::open(&self.repo, &terms)
    }
}

/// Reads `KIND/NAME`, as an argument of the command line.
pub fn resource_id(text: &str) -> Result<ResourceId, String> {
    let (kind, name) = text.split_once('/').ok_or("it must be KIND/NAME, as in `app/demo`")?;
    check_name(name).map_err(|error| error.to_string())?;
    Ok(ResourceId { kind: self::kind(kind)?, name: name.to_owned() })
}

/// Reads the word for a kind of resource, in singular or plural.
pub fn kind(word: &str) -> Result<Kind, String> {
    let singular = word.strip_suffix('s').unwrap_or(word);
    let found = Kind::ALL.into_iter().find(|kind| kind.as_str() == singular);
    found.ok_or_else(|| "a resource is an `app`, a `role` or a `user`".to_owned())
}

/// Shows a draft, or writes, commits and pushes it, and says so.
pub fn finish(place: &Place, draft: &Draft, args: &PublishArgs) -> Result<Outcome, AuthorError> {
    draft.validate()?;
    if draft.edits().is_empty() {
        say("nothing changes\n")?;
        return Ok(Outcome::Fine);
    }
    if args.dry_run {
        say(&unified(draft.edits()))?;
        return Ok(Outcome::Fine);
    }
    let orders = Orders { message: args.message.clone(), push: !args.no_push, anyway: args.anyway, terms: &terms };
    let published = publish(place, draft, &orders)?;
    say(&report(&published, args))?;
    if let Some(refused) = &published.refused {
        anstream::eprint!("{refused}");
    }
    Ok(Outcome::Fine)
}

/// By what an agent judges, as far as the repository's own `.mcpfleet/agent.yaml` of that commit says.
fn terms(repository: &Repository, commit: ObjectId) -> Result<Terms, AuthorError> {
    let find = || -> anyhow::Result<Terms> {
        let settings = settings_of_commit(commit, repository)?.authorization;
        if let Some(root) = &settings.root {
            check_signer(repository, root)?;
        }
        let enforced = settings.mode == Mode::Enforce;
        Ok(Terms { rules: rules(&settings)?, root: settings.root.map(|root| root.commit), enforced })
    };
    find().map_err(|error| match error.downcast::<UsageError>() {
        Ok(UsageError(text)) => AuthorError::Configuration(text),
        Err(error) => AuthorError::Program(format!("{error:#}")),
    })
}

fn report(published: &Published, args: &PublishArgs) -> String {
    let line = |change: &Change| format!("{} {} in {}\n", change.verb.done(), change.id, escape(&change.path));
    let mut text: String = published.changes.iter().map(line).collect();
    let Some(commit) = published.commit else { return text };
    let commit = commit.short();
    text += &match &published.pushed {
        Pushed::To { upstream, earlier: 0 } => format!("pushed commit {commit} to {}\n", escape(upstream)),
        Pushed::To { upstream, earlier } => {
            format!("pushed commit {commit} to {}, after {earlier} that had not been pushed yet\n", escape(upstream))
        }
        Pushed::No => format!("committed {commit}\n"),
        Pushed::NoUpstream => format!(
            "committed {commit}; not pushed, as the branch has no upstream: `git push -u REMOTE BRANCH` pushes it now and \
             says where later ones go\n"
        ),
    };
    if args.no_push {
        text += "not pushed\n";
    }
    text
}

/// Says why nothing, or not all, has been done.
pub fn fail(error: AuthorError) -> anyhow::Result<Outcome> {
    match error {
        AuthorError::Invalid(diagnostics) => {
            let text: String = diagnostics.iter().map(|diagnostic| render::text(diagnostic) + "\n").collect();
            let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
            let errors = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
            anstream::eprint!("{text}{errors}, and nothing has been written\n");
            Ok(Outcome::Findings)
        }
        AuthorError::WouldBeRefused(why) => {
            anstream::eprint!(
                "{why}nothing has been committed\n  help: somebody with the right has to make the change; `--anyway` commits and \
                 pushes it for a review\n"
            );
            Ok(Outcome::Findings)
        }
        AuthorError::Kept { file, source } => {
            kept(&file);
            fail(*source)
        }
        AuthorError::Refused(message) => {
            anstream::eprintln!("error: {}", escape_lines(&message));
            Ok(Outcome::Findings)
        }
        AuthorError::Configuration(lines) => {
            anstream::eprint!("{lines}");
            Ok(Outcome::Usage)
        }
        AuthorError::Usage(message) => {
            anstream::eprintln!("error: {}", escape_lines(&message));
            Ok(Outcome::Usage)
        }
        error => Err(error.into()),
    }
}

/// Says where a text is that was typed and not used.
pub fn kept(file: &Path) {
    anstream::eprintln!("your text is in {}", escape(&file.display().to_string()));
}

/// Prints to stdout.
pub fn say(text: &str) -> Result<(), AuthorError> {
    print(text).map_err(|source| AuthorError::Io { action: "write to", path: "stdout".into(), source })
}
