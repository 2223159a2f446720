//! What an app may have by the agent's configuration alone, before anything of the host is looked at. Pure.

use super::{
    environment::EnvironmentError,
    launch::HostUser,
    remote::{HostPattern, Target, is_listed},
    secrets::{SecretError, names},
    user::{UserSettings, decide_user},
};
use crate::resource::{App, EnvValue, Selector, Server};
use std::collections::{BTreeMap, BTreeSet};

/// Which apps may have what of one kind: a selector of apps for each name. `None`: every app everything.
pub type Grants = Option<BTreeMap<String, Selector>>;

/// Whether an app may have what is named.
pub fn is_granted(grants: &Grants, name: &str, app: &App) -> bool {
    let Some(grants) = grants else { return true };
    grants.get(name).is_some_and(|selector| selector.matches(&app.metadata.labels))
}

/// All that an app may have; `None`: everything.
pub fn granted(grants: &Grants, app: &App) -> Option<BTreeSet<String>> {
    let names = grants.as_ref()?.keys().filter(|name| is_granted(grants, name, app));
    Some(names.cloned().collect())
}

/// What an agent's configuration gives to apps.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    pub host_users: Grants,
    pub allow_root: bool,
    pub secrets: Grants,
    pub remote_hosts: Option<Vec<HostPattern>>,
    /// The variables of `allow_from_agent`.
    pub from_agent: Vec<String>,
}

/// Why an agent with such a configuration would not start an app, for people; empty if nothing in it forbids that.
///
/// What depends on the host is not known here: whether the user, the secret or the variable exists, and as whom the
/// agent runs. It is taken for one that can become any user.
pub fn refusals(app: &App, grant: &Grant) -> Vec<String> {
    let mut refusals = Vec::new();
    match &app.spec.server {
        Server::Stdio(stdio) => {
            if let Some(name) = &stdio.run_as_host_user {
                let settings = UserSettings {
                    default_host_user: None,
                    allow_root: grant.allow_root,
                    granted: granted(&grant.host_users, app),
                };
                refusals.extend(decide_user(Some(name), &anybody(), &settings).err());
            }
            for (variable, value) in &stdio.env {
                if let EnvValue::FromAgent(name) = value
                    && !grant.from_agent.contains(name)
                {
                    let error = EnvironmentError::NotAllowed { variable: variable.clone(), name: name.clone() };
                    refusals.push(error.to_string());
                }
            }
        }
        Server::Remote(remote) => {
            let target = Target::new(&remote.url);
            refusals.extend(target.and_then(|target| is_listed(grant.remote_hosts.as_deref(), &target).err()));
        }
    }
    for secret in names(app).into_iter().filter(|name| !is_granted(&grant.secrets, name, app)) {
        refusals.push(SecretError::NotGranted { secret, app: app.metadata.name.clone() }.to_string());
    }
    refusals
}

/// An agent that can become every user of its host.
fn anybody() -> HostUser {
    HostUser { name: "root".into(), uid: 0, gid: 0, groups: Vec::new(), home: "/".into(), shell: "/bin/sh".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{manifest::parse_file, resource::Resource};

    fn app(spec: &str) -> App {
        let text = format!("kind: app\nversion: v3\nmetadata: {{name: web, labels: {{env: prod}}}}\nspec: {spec}\n");
        let file = parse_file("web.yaml", text.as_bytes());
        match file.resources.first().map(|located| &located.resource) {
            Some(Resource::App(app)) => App::clone(app),
            _ => panic!("{:#?}", file.diagnostics),
        }
    }

    fn grants(name: &str, env: &str) -> Grants {
        let selector = Selector::new(BTreeMap::from([("env".to_owned(), vec![env.to_owned()])])).unwrap();
        Some(BTreeMap::from([(name.to_owned(), selector)]))
    }

    #[test]
    fn what_is_not_given_is_refused_and_named() {
        let (none, prod, test) = (Some(BTreeMap::new()), grants("x", "prod"), grants("x", "test"));
        let hosts = vec![HostPattern::new("*.example.com").unwrap()];
        let free = Grant { from_agent: vec!["HOME_URL".to_owned()], ..Grant::default() };
        let user = "{mcp: {command: s, run_as_host_user: x}}";
        let root = "{mcp: {command: s, run_as_host_user: root}}";
        let secret = "{mcp: {command: s, env: {TOKEN: {secret: x}}}}";
        let variable = "{mcp: {command: s, env: {URL: {from_agent: HOME_URL}}}}";
        let other = "{mcp: {command: s, env: {URL: {from_agent: OTHER}}}}";
        let remote = "{uri: 'mcp+https://example.org/mcp'}";
        let near = "{uri: 'mcp+https://a.example.com/mcp'}";
        let header = "{uri: 'mcp+https://a.example.com/mcp', rewrite: {headers: [{name: X-Key, value: {secret: x}}]}}";
        let cases = [
            (user, free.clone(), None),
            (user, Grant { host_users: prod.clone(), ..free.clone() }, None),
            (user, Grant { host_users: test.clone(), ..free.clone() }, Some("host user `x`")),
            (user, Grant { host_users: none.clone(), ..free.clone() }, Some("host user `x`")),
            (root, free.clone(), Some("`allow_root`")),
            (root, Grant { allow_root: true, ..free.clone() }, None),
            (secret, free.clone(), None),
            (secret, Grant { secrets: prod.clone(), ..free.clone() }, None),
            (secret, Grant { secrets: test.clone(), ..free.clone() }, Some("secret `x`")),
            (header, Grant { secrets: none.clone(), ..free.clone() }, Some("secret `x`")),
            (variable, free.clone(), None),
            (other, free.clone(), Some("does not list `OTHER`")),
            (remote, free.clone(), None),
            (
                remote,
                Grant { remote_hosts: Some(hosts.clone()), ..free.clone() },
                Some("does not list example.org:443"),
            ),
            (near, Grant { remote_hosts: Some(hosts.clone()), ..free.clone() }, None),
            (
                "{mcp: {command: s}}",
                Grant {
                    host_users: none.clone(),
                    secrets: none.clone(),
                    remote_hosts: Some(Vec::new()),
                    ..free.clone()
                },
                None,
            ),
        ];
        for (spec, given, expected) in cases {
            let refused = refusals(&app(spec), &given);
            match expected {
                None => assert!(refused.is_empty(), "{spec}: {refused:?}"),
                Some(part) => {
                    assert!(refused.len() == 1 && refused.iter().all(|why| why.contains(part)), "{spec}: {refused:?}");
                }
            }
        }
    }
}
