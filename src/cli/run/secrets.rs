//! That the secrets of apps are not those of the agent.

use super::super::UsageError;
use crate::config::Config;
use std::fs;

/// Whether a credential of the agent is where apps could be given it, wherever symlinks lead.
///
/// # Errors
/// [`UsageError`] if one is.
pub fn check_apart(config: &Config) -> anyhow::Result<()> {
    let secrets_dir = &config.app_service.secrets_dir;
    // What is not there has nothing in it, and what is made later cannot be known.
    let Ok(folder) = fs::canonicalize(secrets_dir) else { return Ok(()) };
    let within = |file: &std::path::Path| fs::canonicalize(file).is_ok_and(|file| file.starts_with(&folder));
    match config.credentials().into_iter().find(|credential| within(credential.file)) {
        Some(credential) => Err(UsageError::new(format!(
            "{}; give the secrets of apps a folder of their own, and set `secrets_dir` to it",
            credential.among(secrets_dir)
        ))
        .into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_is_no_way_around() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        fs::create_dir_all(path("secrets")).unwrap();
        fs::create_dir_all(path("own")).unwrap();
        for file in ["secrets/token", "own/token"] {
            fs::write(path(file), "x").unwrap();
        }
        symlink("secrets", path("to-secrets")).unwrap();
        symlink("own", path("to-own")).unwrap();
        for (secrets_dir, password_file, good) in [
            ("secrets", "own/token", true),
            ("secrets", "to-own/token", true),
            ("secrets", "to-secrets/token", false),
            ("to-own", "own/token", false),
            ("nowhere", "own/token", true),
        ] {
            let text = format!(
                "app_service: {{secrets_dir: {secrets_dir}}}\nsources: [{{name: a, git: {{url: 'https://x/y', username_file: \
                 u, password_file: {password_file}}}}}]"
            );
            let environment = Environment { root: true, base: base.path().to_owned(), ..Environment::default() };
            let config = Config::read("agent.yaml", text.as_bytes(), &[], &environment).value.unwrap();
            assert_eq!(check_apart(&config).is_ok(), good, "{secrets_dir} {password_file}");
        }
    }
}
