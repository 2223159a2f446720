//! What the new repository holds.

use super::{
    super::editors::{SCHEMA, schema_line},
    Identity, Key,
};
use crate::{
    author::import::yaml,
    schema::{Draft, Subject, schema},
};

/// A path and the text of the file.
type File = (String, String);

/// The resources: what the root of trust consists of.
pub fn resources(user: &str, identity: &Identity, key: &Key) -> Vec<File> {
    let emails = if identity.invented { String::new() } else { format!("    emails: [{}]\n", scalar(&identity.email)) };
    let person = include_str!("template/user.yaml")
        .replace("{{user}}", &scalar(user))
        .replace("{{description}}", &scalar(&identity.name))
        .replace("{{emails}}", &emails)
        .replace("{{key}}", &lines(&key.public));
    let files = vec![
        ("apps/demo.yaml".to_owned(), include_str!("../../../example-repo/apps/demo.yaml").to_owned()),
        ("roles/admins.yaml".to_owned(), include_str!("template/admins.yaml").to_owned()),
        ("roles/developers.yaml".to_owned(), include_str!("template/developers.yaml").to_owned()),
        (format!("users/{user}.yaml"), person),
    ];
    files.into_iter().map(|(path, text)| (path.clone(), schema_line(&path) + &text)).collect()
}

/// What is about the root of trust, and so comes after it.
pub fn rest(root: &str, branch: &str) -> Vec<File> {
    let fill = |text: &str| text.replace("{{root}}", root).replace("{{branch}}", &scalar(branch));
    vec![
        (".github/workflows/mcpfleet.yml".to_owned(), fill(include_str!("template/workflow.yml"))),
        (".mcpfleet/agent.yaml".to_owned(), fill(include_str!("template/agent.yaml"))),
        // As `mcpfleet schema` prints it, so that what another version changes is seen in a diff.
        (SCHEMA.to_owned(), format!("{:#}\n", schema(Subject::Resource, Draft::Draft7))),
        ("README.md".to_owned(), fill(include_str!("template/README.md"))),
    ]
}

/// A key as an entry of the list in the template: an armoured one keeps its lines.
fn lines(key: &str) -> String {
    let is_plain = |line: &str| line.bytes().all(|b| b.is_ascii_graphic() || b == b' ') && line.trim() == line;
    if !key.contains('\n') || !key.lines().all(is_plain) {
        return scalar(key);
    }
    let indented = key.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("        {line}\n") });
    format!("|\n{}", indented.collect::<String>().trim_end())
}

/// Any text as one value of YAML, as plain as it can be.
fn scalar(text: &str) -> String {
    yaml::scalar(text, true)
}

#[cfg(test)]
mod tests {
    use super::{super::Origin, *};
    use crate::{
        manifest::{cross_check, parse_file, render},
        resource::Resource,
    };

    #[test]
    fn everything_is_valid_whoever_the_user_is() {
        let known = parse_file("users.yaml", include_bytes!("../../../tests/fixtures/valid/users.yaml")).resources;
        let keys = known.iter().filter_map(|located| match &located.resource {
            Resource::User(user) => Some(user.git.signing_keys.iter()),
            _ => None,
        });
        let armoured = keys.flatten().find(|key| key.starts_with("-----BEGIN")).expect("an OpenPGP key");
        let ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ada: # \"x\"";
        for (name, email, invented, public) in [
            ("Ada Lovelace", "ada@example.com", false, ssh),
            ("'; {}: \u{202e}\"\n#", "true@example.com", false, armoured),
            ("123", "null@localhost", true, ssh),
        ] {
            let identity = Identity { name: name.to_owned(), email: email.to_owned(), invented };
            let key = Key::for_tests(public, Origin::Configured);
            let user = identity.resource_name();
            let mut located = Vec::new();
            for (path, text) in resources(&user, &identity, &key) {
                let file = parse_file(&path, text.as_bytes());
                let wrong: String = file.diagnostics.iter().map(render::text).collect();
                assert!(wrong.is_empty(), "{wrong}\n{text}");
                located.extend(file.resources);
            }
            assert_eq!(cross_check(&located), []);
            let found = located.iter().find_map(|located| match &located.resource {
                Resource::User(user) => Some(user.clone()),
                _ => None,
            });
            let found = found.expect("a user");
            assert_eq!((&*found.metadata.name, found.metadata.description.as_deref()), (&*user, Some(name)));
            assert_eq!(found.git.signing_keys, [public.trim()]);
            assert_eq!(found.git.emails.is_empty(), invented);
        }
    }

    #[test]
    fn the_rest_names_root_and_branch() {
        let root = "0123456789012345678901234567890123456789";
        let files = rest(root, "trunk/1");
        let (schemas, others): (Vec<_>, Vec<_>) = files.iter().partition(|(path, _)| path == SCHEMA);
        assert_eq!(schemas.len(), 1);
        assert!(others.iter().all(|(_, text)| text.contains(root) && !text.contains("{{root}}")));
        let workflow: serde_json::Value = serde_yaml::from_str(&files[0].1).unwrap();
        assert_eq!(workflow["on"]["push"]["branches"][0], "trunk/1");
        let agent: serde_json::Value = serde_yaml::from_str(&files[1].1).unwrap();
        assert_eq!(agent["authorization"]["root"]["commit"], root);
    }
}
