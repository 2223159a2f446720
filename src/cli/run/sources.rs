//! From the configuration of sources to what the agent follows.

use super::super::{UsageError, rules::rules};
use crate::{
    config::{Authorization, Config, GitConfig, SourceConfig, SourceFrom},
    source::{self, Began, DirectorySettings, GitSettings, Ignore, Mode, Orders, Root, Trust},
    webhook,
};
use anyhow::Context as _;
use std::path::Path;

/// What the configured sources are to the agent.
///
/// # Errors
/// [`UsageError`] for what is wrong with the files that the configuration names, and for a repository without a root of
/// trust.
pub fn sources(config: &Config) -> anyhow::Result<Vec<source::Settings>> {
    config.sources.iter().map(|source| settings(source, config)).collect()
}

fn settings(source: &SourceConfig, config: &Config) -> anyhow::Result<source::Settings> {
    let ignore = Ignore::new(&source.ignore).context("sources[].ignore")?;
    Ok(match &source.from {
        SourceFrom::Directory { directory } => source::Settings::from(DirectorySettings {
            name: source.name.clone(),
            path: directory.path.clone(),
            subpath: source.path.clone(),
            ignore,
            watch: directory.watch,
            window: directory.window,
            resync: directory.resync,
        }),
        SourceFrom::Git { git, authorization } => {
            let state_dir = config.source_dir(&source.name);
            let root = root(&source.name, git, authorization, &state_dir)?;
            source::Settings::from(GitSettings {
                name: source.name.clone(),
                remote: git.remote(),
                follow: git.follow(),
                interval: git.interval,
                state_dir,
                subpath: source.path.clone(),
                ignore,
                mode: authorization.mode,
                rules: rules(authorization)?,
                root,
            })
        }
    })
}

/// Where trust begins. What is not enforced may begin anywhere.
fn root(name: &str, git: &GitConfig, authorization: &Authorization, state_dir: &Path) -> anyhow::Result<Root> {
    Ok(match &authorization.root {
        Some(root) => Root::Commit { commit: root.commit, signer: root.signer.clone() },
        None if authorization.trust_on_first_use => Root::TrustOnFirstUse,
        None if authorization.mode != Mode::Enforce => Root::Stored,
        // An order mends even a state that cannot be read.
        None if Orders::read(state_dir)?.pending.is_some() => Root::Stored,
        None if Trust::read(state_dir)?.is_some_and(|trust| trust.began != Began::Unjudged) => Root::Stored,
        None => return Err(UsageError::new(advice(name, git)).into()),
    })
}

/// What to do about a repository without a root of trust.
fn advice(name: &str, git: &GitConfig) -> String {
    let what = git.branch.as_deref().or(git.tag.as_deref()).unwrap_or("HEAD");
    let url = git.remote().shown();
    let look = match git.remote().local() {
        Some(path) => format!("git -C {} log --show-signature {what}", path.display()),
        None => format!("git ls-remote {url} {what}"),
    };
    format!(
        "nothing says which commit of {url} to trust
  Every change after the root of trust is judged by the roles and users that are accepted before it; what the root itself
  has is taken as it is. Choose a commit whose roles and users you have looked at; this shows what there is:
      {look}
  Then start with `--root COMMIT`, or set it in the configuration of the source `{name}`:
      authorization: {{root: {{commit: COMMIT}}}}
  `--trust-first` (`trust_on_first_use: true`) trusts whatever is found at the first look. Either is needed only once."
    )
}

/// Whether the secrets of webhooks are there.
///
/// # Errors
/// [`UsageError`] if one is not.
pub fn check_webhooks(config: &Config) -> anyhow::Result<()> {
    for hook in &config.webhooks {
        webhook::check_secret(&hook.secret_file).map_err(|error| UsageError::new(error.to_string()))?;
    }
    Ok(())
}
