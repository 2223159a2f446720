//! What the agents whose configurations are given would make of the apps: which run nowhere, and which are refused.

use crate::{
    cli::{UsageError, configuration::describe, judging::bytes_at},
    config::Config,
    instance::grant::{Grant, refusals},
    manifest::{Code, Diagnostic, FileState, Located, ParsedFile, Revision, Severity, Snapshot, Tree},
    reconcile::{Desired, Selection, SourceInput, Why, desired},
    resource::{App, Resource},
};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// How many agents a warning names.
const NAMED: usize = 3;

/// An agent, as far as its configuration says what it runs.
pub struct Agent {
    /// Where its configuration is.
    place: String,
    selection: Selection,
    grant: Grant,
}

impl Agent {
    /// Reads a configuration: of a file, or `REV:PATH`.
    ///
    /// # Errors
    /// [`UsageError`] if there is none, or it is wrong.
    pub fn read(place: &str) -> anyhow::Result<Agent> {
        let (bytes, environment) = bytes_at(place)?;
        let read = Config::read(place, &bytes, &[], &environment);
        let config = read.value.ok_or_else(|| UsageError(describe(&read.diagnostics)))?;
        let (selection, grant) = (config.app_service.selection(), config.app_service.grant());
        Ok(Agent { place: place.to_owned(), selection, grant })
    }

    fn desired(&self, input: &SourceInput, now: Timestamp) -> Desired {
        desired(std::slice::from_ref(input), &self.selection, now)
    }

    /// Why it would not start an app that it selects.
    fn refusals(&self, app: &App) -> Vec<String> {
        refusals(app, &self.grant)
    }
}

/// Warnings about the apps among these resources. Those of which there are two of a name are left to other checks.
pub fn warnings(agents: &[Agent], resources: &[Located], now: Timestamp) -> Vec<Diagnostic> {
    if agents.is_empty() {
        return Vec::new();
    }
    let input = SourceInput { name: "files".into(), snapshot: Arc::new(snapshot(resources)) };
    let decided: Vec<(&Agent, Desired)> = agents.iter().map(|agent| (agent, agent.desired(&input, now))).collect();
    let mut warnings = Vec::new();
    for entry in input.snapshot.resources.values() {
        let Resource::App(app) = &entry.located.resource else { continue };
        let name = &app.metadata.name;
        let (mut passed, mut wanted) = (Vec::new(), false);
        for (agent, desired) in &decided {
            let runs = desired.apps.get(name).is_some_and(|app| app.origin.is_some());
            let idle = || desired.others.get(name)?.iter().find(|idle| idle.origin.is_some());
            let refused = match idle() {
                None if runs => agent.refusals(app),
                Some(idle) => match &idle.why {
                    Why::NotSelected | Why::Disabled => {
                        passed.push(format!("{}: {}", agent.place, idle.why));
                        continue;
                    }
                    // It was meant to end.
                    Why::Expired(_) => Vec::new(),
                    Why::Shadowed { .. } => vec![idle.why.to_string()],
                },
                None => continue,
            };
            wanted = true;
            warnings.extend(refused.into_iter().map(|why| {
                let help = "change the agent's configuration first, or what the app asks for";
                warning(
                    &entry.located,
                    Code::RefusedByAgent,
                    format!("{} would not run the app: {why}", agent.place),
                    help,
                )
            }));
        }
        if !wanted && !passed.is_empty() {
            let more = passed.len().saturating_sub(NAMED);
            passed.truncate(NAMED);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            let message = format!("no agent runs the app: {}{more}", passed.join("; "));
            let help = match app.metadata.labels.is_empty() {
                true => "the app has no labels: give it those that an agent selects".to_owned(),
                false => format!("its labels are {}: give it those that an agent selects", labels(app)),
            };
            warnings.push(warning(&entry.located, Code::Unselected, message, &help));
        }
    }
    warnings
}

fn labels(app: &App) -> String {
    let labels: Vec<String> = app.metadata.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    labels.join(", ")
}

fn warning(located: &Located, code: Code, message: String, help: &str) -> Diagnostic {
    let error = located.places.name.error(code, &located.path, message);
    Diagnostic { severity: Severity::Warning, help: Some(help.to_owned()), ..error }
}

/// The resources as an agent sees those of a source.
fn snapshot(resources: &[Located]) -> Snapshot {
    let mut files: BTreeMap<Arc<str>, ParsedFile> = BTreeMap::new();
    for located in resources {
        files.entry(located.path.clone()).or_default().resources.push(located.clone());
    }
    let tree: Tree = files.into_iter().map(|(path, file)| (path, FileState::Parsed(Arc::new(file)))).collect();
    Snapshot::build(&tree, Revision::from("files".to_owned()), None)
}
