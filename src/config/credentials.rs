//! The files with the agent's own credentials, which are not to be mixed with the secrets of apps.

use super::{Config, SourceFrom};
use std::path::{Component, Path, PathBuf};

/// A file with a credential of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential<'a> {
    /// The setting that names it, for people.
    pub setting: String,
    pub file: &'a Path,
}

impl Credential<'_> {
    /// What is wrong with a folder of secrets that has it, for people.
    pub fn among(&self, secrets_dir: &Path) -> String {
        format!(
            "`secrets_dir` {} has a credential of the agent in it: {} of {}",
            secrets_dir.display(),
            self.file.display(),
            self.setting
        )
    }
}

impl Config {
    /// Every file with a credential of the agent.
    pub fn credentials(&self) -> Vec<Credential<'_>> {
        let mut found = Vec::new();
        for source in &self.sources {
            let SourceFrom::Git { git, .. } = &source.from else { continue };
            let files = [
                ("username_file", &git.username_file),
                ("password_file", &git.password_file),
                ("ssh_key_file", &git.ssh_key_file),
                ("ssh_passphrase_file", &git.ssh_passphrase_file),
            ];
            let given = files.into_iter().filter_map(|(setting, file)| {
                let setting = format!("source `{}`, `{setting}`", source.name);
                file.as_deref().map(|file| Credential { setting, file })
            });
            found.extend(given);
        }
        found.extend(
            self.gateway
                .tls
                .iter()
                .map(|tls| Credential { setting: "`gateway.tls.key_file`".to_owned(), file: &tls.key_file }),
        );
        found.extend(self.webhooks.iter().map(|hook| Credential {
            setting: format!("webhook `{}`, `secret_file`", hook.name),
            file: &hook.secret_file,
        }));
        let otlp = self.telemetry.otlp.iter().flat_map(|otlp| &otlp.headers);
        found.extend(
            otlp.map(|(name, file)| Credential { setting: format!("`telemetry.otlp`, header `{name}`"), file }),
        );
        found.extend(self.notifications.iter().map(|notification| {
            let (setting, file) = notification.target.credential();
            Credential { setting: format!("notification `{}`, `{setting}`", notification.name), file }
        }));
        found
    }

    /// A credential of the agent that lies in `secrets_dir`, or below it, by its name. Where symlinks lead is for
    /// whoever may look.
    pub(super) fn credential_among_secrets(&self) -> Option<Credential<'_>> {
        let folder = plain(&self.app_service.secrets_dir);
        self.credentials().into_iter().find(|credential| plain(credential.file).starts_with(&folder))
    }
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}
