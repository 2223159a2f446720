//! Who the user is to git.

use super::super::{
    AuthorError,
    git::{ask_for, git},
};
use crate::resource::check_name;
use std::{env, path::Path};

/// The name and the mail address that commits get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub name: String,
    pub email: String,
    /// Git knew neither or not both, so they are set for this repository.
    pub invented: bool,
}

impl Identity {
    /// What git is set up with; for what it is not, the name of the account stands in.
    pub fn find(folder: &Path) -> Result<Identity, AuthorError> {
        let known = |variable: &str, setting: &str| match env::var(variable).ok().filter(|v| !v.trim().is_empty()) {
            Some(value) => Ok(Some(value)),
            None => ask_for(git(folder).args(["config", "--get", setting])),
        };
        let name = known("GIT_COMMITTER_NAME", "user.name")?;
        let email = known("GIT_COMMITTER_EMAIL", "user.email")?;
        let invented = name.is_none() || email.is_none();
        let account = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name);
        let account = account.filter(|name| check_name(name).is_ok()).unwrap_or_else(|| "admin".to_owned());
        Ok(Identity {
            name: name.unwrap_or_else(|| account.clone()),
            email: email.unwrap_or_else(|| format!("{account}@localhost")),
            invented,
        })
    }

    /// What is to be set for this repository so that git commits at all.
    pub fn settings(&self) -> Vec<(String, String)> {
        let settings = [("user.name", &self.name), ("user.email", &self.email)];
        let settings = settings.into_iter().filter(|_| self.invented);
        settings.map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// The name of the user resource: what stands before the `@`, without the number that forges put there.
    pub fn resource_name(&self) -> String {
        let local = self.email.split('@').next().unwrap_or_default();
        let local = match local.split_once('+') {
            Some((number, name)) if number.bytes().all(|b| b.is_ascii_digit()) => name,
            Some((name, _)) => name,
            None => local,
        };
        let allowed = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let name: String = local.chars().map(allowed).take(64).collect();
        let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if check_name(name).is_ok() { name.to_owned() } else { "admin".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_users() {
        for (email, name) in [
            ("ada@example.com", "ada"),
            ("Ada.Lovelace@example.com", "Ada.Lovelace"),
            ("1234+ada@users.noreply.example.com", "ada"),
            ("ada+work@example.com", "ada"),
            ("-ä-@example.com", "admin"),
            ("grüß gott@example.com", "gr---gott"),
            ("@", "admin"),
            ("", "admin"),
        ] {
            let identity = Identity { name: String::new(), email: email.to_owned(), invented: false };
            assert_eq!(identity.resource_name(), name, "{email}");
        }
    }
}
