//! The agent that runs: what it has accepted, and what it decides by.

use super::{
    super::{
        UsageError,
        agent_args::{AgentArgs, block_on},
        configuration::{describe, environment},
    },
    Agent,
};
use crate::{
    authorize::ObjectId,
    config::{Judging, RootCommit},
    git::Repository,
    manifest::decode::{decode_document, static_app},
    reconcile::{PruneSettings, Selection},
    resource::{App, Selector},
    source::{Ignore, Mode},
    status::model::plan::{Basis, SourceBasis},
};
use anyhow::Context as _;
use std::{path::Path, sync::Arc};

/// An agent that was asked.
pub struct Asked {
    pub agent: Agent,
    /// What it has accepted.
    pub base: ObjectId,
    /// By which rules, since when.
    pub judging: Judging,
}

/// Asks the agent about the git source of this name, or the only one.
///
/// # Errors
/// [`UsageError`] when there is no such source, or the repository does not have what the agent has accepted; what keeps the
/// agent from being asked, or the answer from being understood.
pub fn ask(args: &AgentArgs, source: Option<&str>, repository: &Repository) -> anyhow::Result<Asked> {
    let client = args.client()?;
    let basis = block_on(async { Ok(client.plan().await?) })?;
    let source = find(&basis, source)?;
    let Some(accepted) = &source.accepted else {
        return Err(UsageError::new(format!(
            "the agent has accepted nothing of its source `{}` yet: `mcpfleet status` says why",
            source.name
        ))
        .into());
    };
    let base = here(repository, accepted, source, "accepted")?;
    let mut judging = judging(source)?;
    // What is not enforced begins anywhere, and nothing depends on it.
    if let Some(root) = source.root.as_ref().filter(|_| judging.authorization.mode == Mode::Enforce) {
        let commit = here(repository, root, source, "as its root of trust")?;
        judging.authorization.root = Some(RootCommit { commit, signer: None });
    }
    Ok(Asked { agent: agent(&basis, source)?, base, judging })
}

fn find<'b>(basis: &'b Basis, name: Option<&str>) -> anyhow::Result<&'b SourceBasis> {
    let followed: Vec<&SourceBasis> = basis.sources.iter().filter(|source| source.kind == "git").collect();
    let names = || followed.iter().map(|source| format!("`{}`", source.name)).collect::<Vec<_>>().join(", ");
    let message = match (name, followed.as_slice()) {
        (_, []) => "the agent follows no git source: there is nothing to compare a commit with".to_owned(),
        (None, [only]) => return Ok(only),
        (None, _) => format!("the agent follows several git sources: choose one with --source, of {}", names()),
        (Some(name), _) => match followed.iter().find(|source| source.name == name) {
            Some(source) => return Ok(source),
            None => format!("the agent has no git source `{name}`, but {}", names()),
        },
    };
    Err(UsageError::new(message).into())
}

/// A commit of the agent's, which must be in the clone.
fn here(repository: &Repository, commit: &str, source: &SourceBasis, what: &str) -> anyhow::Result<ObjectId> {
    let id: ObjectId = commit.parse().with_context(|| format!("the agent named a commit {commit:?}"))?;
    repository.commit_at(commit).map_err(|_| {
        let SourceBasis { name, location, .. } = source;
        let whole = if repository.git().is_shallow() { " --unshallow" } else { "" };
        UsageError::new(format!(
            "the agent has commit {id} of its source `{name}` {what}, which this clone has not: fetch it, with `git \
             fetch{whole}` from {location}"
        ))
    })?;
    Ok(id)
}

/// The rules, read as strictly as from a file.
fn judging(source: &SourceBasis) -> anyhow::Result<Judging> {
    let Some(authorization) = &source.authorization else { return Ok(Judging::default()) };
    let text = serde_json::json!({ "authorization": authorization }).to_string();
    let read = Judging::read("the agent's configuration", text.as_bytes(), None, &environment(Path::new("."))?);
    Ok(read.value.ok_or_else(|| UsageError(describe(&read.diagnostics)))?)
}

fn agent(basis: &Basis, source: &SourceBasis) -> anyhow::Result<Agent> {
    let selector = |labels| Selector::new(labels).map_err(|_| anyhow::anyhow!("the agent has a selector that is none"));
    Ok(Agent {
        name: basis.agent.clone(),
        selection: Selection {
            enabled: basis.enabled,
            selectors: basis.selectors.iter().cloned().map(selector).collect::<anyhow::Result<_>>()?,
            static_apps: basis.static_apps.iter().map(|name| stand_in(name)).collect::<anyhow::Result<_>>()?,
        },
        prune: PruneSettings {
            min_apps: basis.prune.min_apps,
            max_fraction: basis.prune.max_fraction,
            allow_empty: basis.prune.allow_empty,
        },
        source: source.name.as_str().into(),
        subpath: source.path.clone(),
        ignore: Ignore::new(&source.ignore).context("the agent's `ignore`")?,
        grant: None,
    })
}

/// An app that holds the name of one of the agent's own. No commit changes it, so what else it is does not matter.
fn stand_in(name: &str) -> anyhow::Result<Arc<App>> {
    let text = serde_json::json!({"metadata": {"name": name}, "spec": {"mcp": {"command": "static"}}}).to_string();
    let read = decode_document("the agent's apps", text.as_bytes(), static_app);
    read.value.map(Arc::new).with_context(|| format!("the agent has an app {name:?}, which is no name of an app"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, kind: &str) -> SourceBasis {
        SourceBasis { name: name.to_owned(), kind: kind.to_owned(), ..SourceBasis::default() }
    }

    #[test]
    fn the_source_is_the_only_one_or_has_a_name() {
        let of = |sources: &[(&str, &str)]| Basis {
            sources: sources.iter().map(|(name, kind)| source(name, kind)).collect(),
            ..Basis::default()
        };
        let found = |basis: &Basis, name: Option<&str>| find(basis, name).map(|source| source.name.clone()).ok();
        let one = of(&[("files", "directory"), ("a", "git")]);
        assert_eq!(found(&one, None).as_deref(), Some("a"));
        assert_eq!(found(&one, Some("files")), None);
        let two = of(&[("a", "git"), ("b", "git")]);
        assert_eq!((found(&two, None), found(&two, Some("b")).as_deref()), (None, Some("b")));
        assert_eq!(found(&of(&[("files", "directory")]), None), None);
    }

    #[test]
    fn an_app_of_the_agent_keeps_its_name() {
        let basis = Basis { enabled: true, static_apps: vec!["own".to_owned()], ..Basis::default() };
        let agent = agent(&basis, &source("a", "git")).expect("an agent");
        assert_eq!(
            agent.selection.static_apps.first().map(|app| app.metadata.name.to_string()).as_deref(),
            Some("own")
        );
        assert!(super::agent(&Basis { static_apps: vec!["a b".to_owned()], ..basis }, &source("a", "git")).is_err());
    }
}
