use super::{
    super::{
        Outcome, UsageError,
        judging::{said, settings, settings_of_commit},
        rules::rules,
        terminal::escape_lines,
    },
    updates::{Update, all, pushed},
};
use crate::{
    authorize::{self, Cache, Failure, Judge, ObjectId, Objects as _, Report},
    git::Repository,
    source::Mode,
};
use std::io::stdin;

/// Judge what is about to be pushed, as the agents that follow the branch will.
///
/// Git calls this through the hook that `mcpfleet hook install --pre-push` writes. Only pushes to the branch that agents
/// follow are judged: the one that the configuration names, else the remote's default branch. What the remote has is taken
/// as accepted. The configuration is `.mcpfleet/agent.yaml` as the remote has it, or --config.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet hook install --pre-push

Exit codes: 0 all is well, 1 something would be refused, 2 wrong usage or configuration, 3 something went wrong")]
pub struct Args {
    /// The name of the remote, as git gives it
    #[arg(default_value = "origin")]
    remote: String,
    /// The URL of the remote, as git gives it
    url: Option<String>,
    /// The agent's configuration, or a file with its `authorization` alone; REV:PATH takes it from a commit
    #[arg(long, value_name = "FILE|REV:PATH")]
    config: Option<String>,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let repository = Repository::from_environment().map_err(|error| UsageError::new(error.to_string()))?;
    let updates =
        pushed(&all(stdin())?).map_err(|line| UsageError::new(format!("git never says this to a hook: {line}")))?;
    let mut outcome = Outcome::Fine;
    for update in updates {
        let (Some(old), Some(new)) = (update.old, update.new) else { continue };
        if repository.commit(old).is_err() {
            note(&format!("{} of the remote is not here, so nothing was judged; fetch first", update.reference));
            continue;
        }
        if !judge(&repository, &args, &update, old, new)? {
            outcome = Outcome::Findings;
        }
    }
    Ok(outcome)
}

/// Whether agents would take what is new. If not, it is said why.
fn judge(repository: &Repository, args: &Args, update: &Update, old: ObjectId, new: ObjectId) -> anyhow::Result<bool> {
    let judging = match &args.config {
        Some(place) => settings(place, None, repository)?,
        None => settings_of_commit(old, repository)?,
    };
    let branch = judging.git.and_then(|git| git.branch).map(|branch| format!("refs/heads/{branch}"));
    let followed = branch.or_else(|| default_branch(repository, &args.remote));
    if followed.is_some_and(|followed| followed != update.reference) || judging.authorization.mode == Mode::Off {
        return Ok(true);
    }
    let (rules, mut cache) = (rules(&judging.authorization)?, Cache::default());
    let mut judge = Judge::new(repository, &rules, &mut cache);
    let report = match judge.root(old).and_then(|base| judge.advance(&base, new)) {
        Ok(judgement) => Report::new(old, &judgement, true, |_| true),
        Err(Failure::Refused(refusal)) => Report::refused(old, new, refusal, true),
        Err(Failure::Object(error)) => return Err(error.into()),
    };
    if report.outcome == authorize::Outcome::Accepted {
        return Ok(true);
    }
    anstream::eprint!("{}", authorize::text::report(&report, said(repository)));
    note(&format!("agents would not take all of this push to {} (`git push --no-verify` pushes it)", update.reference));
    Ok(judging.authorization.mode == Mode::Audit)
}

fn note(text: &str) {
    anstream::eprintln!("mcpfleet: {}", escape_lines(text));
}

/// The branch that a remote's HEAD was when it was cloned, as it is called there.
fn default_branch(repository: &Repository, remote: &str) -> Option<String> {
    let head = repository.git().find_reference(&format!("refs/remotes/{remote}/HEAD")).ok()?;
    let target = head.symbolic_target().ok()??;
    Some(format!("refs/heads/{}", target.strip_prefix(&format!("refs/remotes/{remote}/"))?))
}
