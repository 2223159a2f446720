//! From the configuration to what the agent tells of it to those who ask what it would do.

use crate::{
    config::{Authorization, Config, SourceConfig, SourceFrom},
    status::model::plan::{Basis, Prune, SourceBasis},
};
use anyhow::Context as _;
use serde_json::json;

/// What the agent decides by, as far as it is configured.
pub fn basis(config: &Config) -> anyhow::Result<Basis> {
    let service = &config.app_service;
    let selectors = service.resources.iter().map(|matcher| &matcher.labels).collect::<Vec<_>>();
    let selectors = serde_json::to_value(selectors).and_then(serde_json::from_value);
    Ok(Basis {
        agent: String::new(),
        enabled: service.enabled,
        selectors: selectors.context("app_service.resources")?,
        static_apps: service.apps.iter().map(|app| app.metadata.name.to_string()).collect(),
        prune: Prune {
            min_apps: config.prune.min_apps,
            max_fraction: config.prune.max_fraction,
            allow_empty: config.prune.allow_empty,
        },
        sources: config.sources.iter().map(source).collect(),
    })
}

fn source(source: &SourceConfig) -> SourceBasis {
    let authorization = match &source.from {
        SourceFrom::Directory { .. } => None,
        // Where trust began is told beside it, however that came about.
        SourceFrom::Git { authorization, .. } => {
            Some(json!(Authorization { root: None, trust_on_first_use: false, ..Authorization::clone(authorization) }))
        }
    };
    SourceBasis {
        name: source.name.clone(),
        kind: if source.is_git() { "git" } else { "directory" }.to_owned(),
        path: source.path.clone(),
        ignore: source.ignore.clone(),
        authorization,
        ..SourceBasis::default()
    }
}
