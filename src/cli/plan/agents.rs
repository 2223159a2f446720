//! The agents whose plans are asked for: by their configurations, or by selectors alone.

use super::super::{
    UsageError,
    configuration::describe,
    judging::{SHARED, bytes, in_commit, settings, settings_of_commit},
};
use crate::{
    authorize::{ObjectId, Proposed, Report},
    config::{Config, Judging, SourceConfig},
    git::Repository,
    instance::grant::{Grant, refusals},
    reconcile::{
        PruneSettings, Selection,
        preview::{Follower, Preview, proposal},
    },
    resource::Selector,
    source::Ignore,
};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

#[derive(clap::Args)]
pub struct AgentsArgs {
    /// An agent's configuration, or a file with its `authorization` alone; REV:PATH takes it from a commit. The first says by
    /// which rules is judged, and each what an agent runs. May be repeated [default: `.mcpfleet/agent.yaml` of the base, if
    /// it has one]
    #[arg(long = "config", value_name = "FILE|REV:PATH", group = "whose")]
    pub configs: Vec<String>,
    /// The git source that is meant, if there are several
    #[arg(long, value_name = "NAME", requires = "whose")]
    pub source: Option<String>,
    /// What an agent runs, by labels: `env=prod,team=a|b`. May be repeated [default: the configurations' selectors, else
    /// everything]
    #[arg(long = "selector", value_name = "LABELS", value_parser = selector)]
    pub selectors: Vec<Selector>,
}

impl AgentsArgs {
    /// What is said of how commits are judged: by the first configuration, else by that of the base.
    ///
    /// # Errors
    /// [`UsageError`] if it is wrong.
    pub fn judging(&self, base: ObjectId, repository: &Repository) -> anyhow::Result<Judging> {
        match self.configs.first() {
            Some(place) => settings(place, self.source.as_deref(), repository),
            None => settings_of_commit(base, repository),
        }
    }
}

/// Reads `key=value,key=value|value`.
fn selector(text: &str) -> Result<Selector, String> {
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in text.split(',') {
        let (key, values) = pair.split_once('=').ok_or("it must be KEY=VALUE, as in `env=prod,team=a|b`")?;
        labels.entry(key.to_owned()).or_default().extend(values.split('|').map(str::to_owned));
    }
    Selector::new(labels)
        .map_err(|errors| errors.iter().map(|error| error.message.to_string()).collect::<Vec<_>>().join("; "))
}

/// An agent, as far as it matters to what it would do.
pub struct Agent {
    pub name: String,
    pub selection: Selection,
    pub prune: PruneSettings,
    pub source: Arc<str>,
    pub(super) subpath: Option<String>,
    pub(super) ignore: Ignore,
    /// What it gives to apps, if that is known.
    pub(super) grant: Option<Grant>,
}

impl Agent {
    /// Those that are asked for; without any, that of the base's own configuration, or one that runs everything.
    ///
    /// # Errors
    /// [`UsageError`] for a configuration that is wrong.
    pub fn all(args: &AgentsArgs, base: ObjectId, repository: &Repository) -> anyhow::Result<Vec<Agent>> {
        let mut agents = Vec::new();
        for place in &args.configs {
            agents.extend(Agent::configured(place, args.source.as_deref(), repository)?);
        }
        agents.extend(args.selectors.iter().map(|selector| Agent::of(selector.clone())));
        if agents.is_empty() && in_commit(repository, &base.to_string(), SHARED)?.is_some() {
            agents.extend(Agent::configured(&format!("{base}:{SHARED}"), None, repository)?);
        }
        if agents.is_empty() {
            agents.push(Agent::of(Selector::everything()));
        }
        Ok(agents)
    }

    fn of(selector: Selector) -> Agent {
        Agent {
            name: selector.to_string(),
            selection: Selection { enabled: true, selectors: vec![selector], static_apps: Vec::new() },
            prune: PruneSettings::default(),
            source: "git".into(),
            subpath: None,
            ignore: Ignore::none(),
            grant: None,
        }
    }

    /// The agent of a configuration; `None` if the file has nothing but `authorization`.
    fn configured(place: &str, source: Option<&str>, repository: &Repository) -> anyhow::Result<Option<Agent>> {
        let (bytes, environment) = bytes(place, repository)?;
        let judging = Judging::read(place, &bytes, source, &environment).value;
        if judging.is_some_and(|judging| judging.git.is_none()) {
            return Ok(None);
        }
        let read = Config::read(place, &bytes, &[], &environment);
        let config = read.value.ok_or_else(|| UsageError(describe(&read.diagnostics)))?;
        let mut git = config.sources.iter().filter(|one| one.is_git() && source.is_none_or(|name| name == one.name));
        let followed = git.next();
        if git.next().is_some() {
            return Err(UsageError::new(format!("{place} has several git sources: say which with `--source`")).into());
        }
        let ignore = followed.map_or(&[][..], |source: &SourceConfig| &source.ignore);
        Ok(Some(Agent {
            name: place.to_owned(),
            selection: config.app_service.selection(),
            prune: config.prune.clone(),
            source: followed.map_or("git", |source| source.name.as_str()).into(),
            subpath: followed.and_then(|source| source.path.clone()),
            ignore: Ignore::new(ignore).map_err(|error| UsageError::new(error.to_string()))?,
            grant: Some(config.app_service.grant()),
        }))
    }

    /// What it would do.
    pub fn preview(&self, states: &Proposed, report: &Report, enforced: bool, now: Timestamp) -> Preview {
        let follower = Follower {
            name: &self.name,
            selection: &self.selection,
            prune: &self.prune,
            source: &self.source,
            subpath: self.subpath.as_deref(),
            refuses: &|app| self.grant.as_ref().map_or_else(Vec::new, |grant| refusals(app, grant)),
            ignores: &|path| self.ignore.file(path),
            others: (&[], &[]),
        };
        proposal(&follower, states, report, enforced, now)
    }
}

#[cfg(test)]
mod tests {
    use super::selector;
    use std::collections::BTreeMap;

    #[test]
    fn selectors_are_written_in_a_line() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let both = selector("env=prod,team=a|b").expect("a selector");
        assert!(both.matches(&labels(&[("env", "prod"), ("team", "b")])));
        assert!(!both.matches(&labels(&[("env", "prod"), ("team", "c")])));
        assert!(selector("*=*").expect("a selector").matches(&labels(&[])));
        for wrong in ["env", "", "env=^([$"] {
            assert!(selector(wrong).is_err(), "{wrong}");
        }
    }
}
