use super::{
    super::{
        Outcome, UsageError,
        judging::{check_signer, said, settings},
        rules::rules,
        terminal::escape_lines,
    },
    install::settings_file,
    state::{self, Trusted},
    updates::{Update, all, received},
};
use crate::{
    authorize::{self, Cache, CommitVerdict, Failure, Judge, Judgement, ObjectId, Refusal, Report, Rules, State},
    config::{Authorization, Judging},
    git::Repository,
    source::Mode,
};
use clap::ValueHint;
use std::{io::stdin, path::PathBuf};

/// Judge a push on the server, and refuse it with the reasons if agents would not take all of it.
///
/// Git calls this through the hook that `mcpfleet hook install --pre-receive` writes. Only the branch that agents follow
/// is judged: the one that the configuration names, else the repository's own HEAD; it cannot be deleted or rewritten.
/// What was accepted so far is kept in the folder `mcpfleet` of the repository, where the configuration is too.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet hook install --pre-receive --repo /srv/git/fleet.git --root main

Exit codes: 0 the push may pass, 1 it is refused, 2 the configuration is wrong, 3 something went wrong; git refuses the
push for each but 0")]
pub struct Args {
    /// The agent's configuration, or a file with its `authorization` alone [default: mcpfleet/agent.yaml in the
    /// repository's folder]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// The git source of the configuration that is meant, if it has several
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// The hook's own folder in a repository.
pub fn folder(repository: &Repository) -> PathBuf {
    repository.git().commondir().join("mcpfleet")
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    // Objects that are pushed are kept apart until the hook agrees; the environment says where.
    let repository = Repository::from_environment().map_err(|error| UsageError::new(error.to_string()))?;
    let updates =
        received(&all(stdin())?).map_err(|line| UsageError::new(format!("git never says this to a hook: {line}")))?;
    let config = args.config.unwrap_or_else(|| settings_file(&repository));
    let config = std::path::absolute(config)?;
    let judging = settings(&config.to_string_lossy(), args.source.as_deref(), &repository)?;
    let followed = followed(&judging, &repository)?;
    let updates: Vec<Update> = updates.into_iter().filter(|update| moves(update, &followed, &repository)).collect();
    if updates.is_empty() || judging.authorization.mode == Mode::Off {
        return Ok(Outcome::Fine);
    }
    let rules = rules(&judging.authorization)?;
    let hook =
        Hook { repository: &repository, settings: &judging.authorization, rules: &rules, folder: folder(&repository) };
    let mut verdict = Verdict::Taken;
    for update in &updates {
        if hook.judge(update)? == Verdict::Refused {
            verdict = Verdict::Refused;
        }
    }
    if verdict == Verdict::Taken {
        return Ok(Outcome::Fine);
    }
    if judging.authorization.mode == Mode::Audit {
        say("the push is taken all the same: `authorization.mode` is `audit`");
        return Ok(Outcome::Fine);
    }
    say(&format!("the push to {followed} is refused"));
    Ok(Outcome::Findings)
}

/// What agents follow, by its full name.
fn followed(judging: &Judging, repository: &Repository) -> anyhow::Result<String> {
    if let Some(git) = &judging.git {
        let named = git.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
        if let Some(name) = named.or_else(|| git.tag.as_ref().map(|tag| format!("refs/tags/{tag}"))) {
            return Ok(name);
        }
    }
    let head = repository.git().find_reference("HEAD");
    let target = head.as_ref().ok().and_then(|head| head.symbolic_target().ok().flatten());
    Ok(target.ok_or_else(|| UsageError::new("the repository's HEAD names no branch; set `git.branch`"))?.to_owned())
}

/// Whether an update moves what is followed: under its own name, or that of a symbolic reference that leads there.
fn moves(update: &Update, followed: &str, repository: &Repository) -> bool {
    let target = repository.git().find_reference(&update.reference).and_then(|reference| reference.resolve());
    update.reference == followed || target.is_ok_and(|target| target.name_bytes() == followed.as_bytes())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    Refused,
}

struct Hook<'a> {
    repository: &'a Repository,
    settings: &'a Authorization,
    rules: &'a Rules,
    folder: PathBuf,
}

impl Hook<'_> {
    fn judge(&self, update: &Update) -> anyhow::Result<Verdict> {
        let Some(new) = update.new else {
            say(&format!("{} is followed by agents and cannot be deleted", update.reference));
            return Ok(Verdict::Refused);
        };
        let mut cache = Cache::default();
        let mut judge = Judge::new(self.repository, self.rules, &mut cache);
        let before = match self.before(&mut judge, update.old, new)? {
            Ok(before) => before,
            Err(refusal) => {
                say(&refusal.message);
                let config = self.folder.join("agent.yaml");
                say(&format!("whoever keeps this server can set another `authorization.root` in {}", config.display()));
                return Ok(Verdict::Refused);
            }
        };
        match judge.advance(&before, new) {
            Ok(judgement) => Ok(self.explain(&before, &judgement)),
            Err(Failure::Refused(refusal)) => {
                say(&refusal.message);
                Ok(Verdict::Refused)
            }
            Err(Failure::Object(error)) => Err(error.into()),
        }
    }

    /// The accepted state at the commit where the branch is, which is kept: that the branch got there shows that the push
    /// before this one went through. Without a branch yet, the state to begin with.
    fn before(
        &self,
        judge: &mut Judge,
        old: Option<ObjectId>,
        new: ObjectId,
    ) -> anyhow::Result<Result<State, Refusal>> {
        let wanted = self.settings.root.as_ref();
        let kept = state::read(&self.folder)?.filter(|kept| wanted.is_none_or(|root| root.commit == kept.root));
        let judged = match &kept {
            Some(kept) => judge.restore(&kept.state).map(|state| (kept.root, state)),
            None => {
                let root = match wanted {
                    Some(root) => {
                        check_signer(self.repository, root)?;
                        root.commit
                    }
                    None if self.settings.trust_on_first_use => old.unwrap_or(new),
                    None => {
                        let message = "there is no root of trust: set `authorization.root` in the hook's configuration";
                        return Err(UsageError::new(message).into());
                    }
                };
                judge.root(root).and_then(|state| {
                    state.check_root(self.rules)?;
                    Ok((root, state))
                })
            }
        };
        let judged = judged.and_then(|(root, state)| match old {
            Some(old) if old != state.commit() => Ok((root, judge.advance(&state, old)?.state)),
            _ => Ok((root, state)),
        });
        match judged {
            Ok((root, state)) => {
                if old == Some(state.commit()) {
                    let now = Trusted::new(root, state.stored());
                    if kept.as_ref() != Some(&now) {
                        state::write(&self.folder, &now)?;
                    }
                }
                Ok(Ok(state))
            }
            Err(Failure::Refused(refusal)) => Ok(Err(refusal)),
            Err(Failure::Object(error)) => Err(error.into()),
        }
    }

    /// Says what is refused, if anything new is. What was held before is not this push's fault.
    fn explain(&self, before: &State, judgement: &Judgement) -> Verdict {
        let mut report = Report::of_push(before, judgement);
        if report.outcome == authorize::Outcome::Accepted {
            return Verdict::Taken;
        }
        let refused = |commit: &CommitVerdict| commit.verdict == authorize::CommitAnswer::Refused;
        report.commits.retain(refused);
        let text = authorize::text::commits(&report.commits, said(self.repository));
        anstream::eprint!("{text}{}", authorize::text::waiting(&report));
        Verdict::Refused
    }
}

fn say(text: &str) {
    anstream::eprintln!("mcpfleet: {}", escape_lines(text));
}
