//! The files of a usual fleet: who may do what, and apps.

use super::{Key, Repo};
use mcpfleet::authorize::ObjectId;

/// Paths and contents, as [`Repo::commit`] takes them.
pub struct Files(pub Vec<(String, String)>);

impl Files {
    pub fn changes(&self) -> Vec<(&str, Option<&str>)> {
        self.0.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect()
    }
}

/// Users with their keys and roles in `users/NAME.yaml`, and these roles in `roles/NAME.yaml`: `admin` may do
/// everything, `team-a` and `team-b` what they like with apps labelled `team: a` and `team: b`, and `folder-a` with apps
/// below `apps/team-a/`.
pub fn policy(users: &[(&str, &Key, &[&str])]) -> Files {
    let team = |team: &str| format!("{{resources: [app], verbs: [\"*\"], labels: {{team: {team}}}}}");
    let roles = [
        ("admin", "{resources: [app, role, user], verbs: [\"*\"]}".to_owned()),
        ("team-a", team("a")),
        ("team-b", team("b")),
        ("folder-a", "{resources: [app], verbs: [\"*\"], paths: [\"apps/team-a/**\"]}".to_owned()),
    ];
    let mut files: Vec<_> =
        roles.iter().map(|(name, rule)| (format!("roles/{name}.yaml"), role(name, &[rule], &[]))).collect();
    files.extend(users.iter().map(|(name, key, roles)| (format!("users/{name}.yaml"), user(name, &[key], roles))));
    Files(files)
}

/// A role with rules in YAML's flow style.
pub fn role(name: &str, allow: &[&str], deny: &[&str]) -> String {
    let rules = |rules: &[&str]| format!("{{rules: [{}]}}", rules.join(", "));
    let (allow, deny) = (rules(allow), rules(deny));
    format!("kind: role\nversion: v8\nmetadata: {{name: {name}}}\nspec:\n  allow: {allow}\n  deny: {deny}\n")
}

/// A user who signs with any of the keys, and claims the mail address that [`Repo::commit`] writes for `name`.
pub fn user(name: &str, keys: &[&Key], roles: &[&str]) -> String {
    let keys: String = keys.iter().map(|key| format!("\n      - {}", key.public())).collect();
    let keys = if keys.is_empty() { " []" } else { &keys };
    format!(
        "kind: user\nversion: v2\nmetadata: {{name: {name}}}\nspec:\n  roles: [{}]\n  git:\n    emails: \
         [{name}@example.com]\n    signing_keys:{keys}\n",
        roles.join(", ")
    )
}

/// An app of a team. `argument` makes one version of it differ from another.
pub fn app(name: &str, team: &str, argument: &str) -> String {
    format!(
        "kind: app\nversion: v3\nmetadata: {{name: {name}, labels: {{team: {team}}}}}\nspec:\n  mcp:\n    command: \
         server\n    args: [\"{argument}\"]\n"
    )
}

/// A first commit with a [`policy`], signed by the first user and pushed.
pub fn root(repo: &Repo, users: &[(&str, &Key, &[&str])]) -> ObjectId {
    let root = repo.commit(&[], users.first().map(|(_, key, _)| *key), &policy(users).changes(), "Start");
    repo.push(root);
    root
}
