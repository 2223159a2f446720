//! Names of servers as they are elsewhere, made names of resources and secrets.

use crate::resource::check_name;
use std::collections::BTreeSet;

/// How long a name gets: longer ones would be cut off by terminals and clients.
const LONGEST: usize = 64;

/// A resource's name for what is called `text` elsewhere, and not one of `taken`, in which it is put. Names that differ
/// only in case are the same.
pub fn resource_name(text: &str, taken: &mut BTreeSet<String>) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name = tidy(&text.chars().map(allowed).collect::<String>());
    let name = if check_name(&name).is_ok() { name } else { "server".to_owned() };
    unique(name, taken)
}

/// A secret's name for a variable or header of an app: `github-token` for `GITHUB_TOKEN`. With an app, its name comes
/// first.
pub fn secret_name(app: Option<&str>, text: &str, taken: &mut BTreeSet<String>) -> String {
    let own = kebab(text);
    let name = match app.map(kebab) {
        Some(app) if own.is_empty() => app,
        Some(app) if !app.is_empty() && own != app && !own.starts_with(&format!("{app}-")) => format!("{app}-{own}"),
        _ => own,
    };
    unique(if name.is_empty() { "secret".to_owned() } else { name }, taken)
}

fn kebab(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    tidy(&text.chars().map(allowed).collect::<String>())
}

/// Without runs of `-`, bounded, and with a letter or digit at both ends.
fn tidy(text: &str) -> String {
    let mut tidy = String::new();
    for c in text.chars() {
        if !(c == '-' && tidy.ends_with('-')) {
            tidy.push(c);
        }
    }
    let edge = |c: char| !c.is_ascii_alphanumeric();
    tidy.trim_matches(edge).chars().take(LONGEST).collect::<String>().trim_end_matches(edge).to_owned()
}

fn unique(name: String, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.clone();
    let mut number = 1;
    while !taken.insert(candidate.to_ascii_lowercase()) {
        number += 1;
        candidate = format!("{name}-{number}");
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources() {
        let taken = &mut BTreeSet::new();
        for (text, expected) in [
            ("github", "github"),
            ("GitHub", "GitHub-2"),
            ("My Server (new)", "My-Server-new"),
            ("a/b:c", "a-b-c"),
            ("…", "server"),
            ("", "server-2"),
            ("--x--y--", "x-y"),
            (&"ä1".repeat(90), &format!("1{}", "-1".repeat(31))),
        ] {
            assert_eq!(resource_name(text, taken), expected, "{text}");
        }
    }

    #[test]
    fn secrets() {
        let taken = &mut BTreeSet::new();
        for (app, text, expected) in [
            (Some("github"), "GITHUB_TOKEN", "github-token"),
            (Some("github"), "API_KEY", "github-api-key"),
            (None, "API_KEY", "api-key"),
            (Some("a"), "API_KEY", "a-api-key"),
            (Some("github"), "GITHUB_TOKEN", "github-token-2"),
            (None, "", "secret"),
            (Some("My.App"), "Authorization", "my-app-authorization"),
        ] {
            assert_eq!(secret_name(app, text, taken), expected, "{app:?} {text}");
        }
    }
}
