//! From the settings of `authorization` to the rules by which history is judged: reads the files that they name.

use super::{UsageError, configuration::describe};
use crate::{
    authorize::{Policy, Rules, signature::SigningKey},
    config::{Authorization, KeySetting},
    manifest::{Diagnostic, FileState, Severity, cross_check},
    source::{Cache, Ignore, read_tree},
};
use anyhow::Context as _;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::{fs::File, io::Read, path::Path, sync::Arc};

/// The largest file of a key.
const MAX_KEY: u64 = 256 << 10;

/// The rules that the settings mean. Files are read now, and not looked at again.
///
/// # Errors
/// [`UsageError`] for what is wrong with the settings or the files.
pub fn rules(settings: &Authorization) -> anyhow::Result<Rules> {
    let keys = |list: &[KeySetting]| list.iter().map(key).collect::<anyhow::Result<Vec<_>>>();
    Ok(Rules {
        identity: settings.identity,
        managed: globs(&settings.managed)?,
        fixed_policy: settings.policy_dir.as_deref().map(policy).transpose()?.map(Arc::new),
        forge_keys: keys(&settings.forge_keys)?,
        root_keys: keys(&settings.root_keys)?,
        denied_keys: keys(&settings.denied_keys)?,
        merge_approves: settings.merge_approves,
        max_commits: settings.max_commits as usize,
    })
}

/// Which files are resources, of what `authorization.managed` says.
pub fn globs(globs: &[String]) -> anyhow::Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build()?);
    }
    set.build().context("authorization.managed")
}

fn key(setting: &KeySetting) -> anyhow::Result<SigningKey> {
    match setting {
        KeySetting::Key(text) => Ok(SigningKey::parse(text)?),
        KeySetting::File { file } => {
            let path = usable(file)?;
            let mut text = String::new();
            let read = File::open(path).and_then(|file| file.take(MAX_KEY).read_to_string(&mut text));
            read.map_err(|error| UsageError::new(format!("cannot read the key {}: {error}", path.display())))?;
            let wrong = |error| UsageError::new(format!("{} holds no signing key: {error}", path.display()));
            Ok(SigningKey::parse(text.trim()).map_err(wrong)?)
        }
    }
}

/// The roles and users of a folder, all of which must be good: a policy with holes in it is another one.
fn policy(folder: &Path) -> anyhow::Result<Policy> {
    let folder = usable(folder)?;
    let read = read_tree(folder, &Ignore::none(), &mut Cache::default());
    let tree = read.map_err(|error| UsageError::new(format!("authorization.policy_dir: {error}")))?.tree;
    let mut wrong: Vec<Diagnostic> = Vec::new();
    let mut files = Vec::new();
    for state in tree.values() {
        match state {
            FileState::Parsed(file) => {
                wrong.extend(file.diagnostics.iter().cloned());
                files.push(file);
            }
            FileState::Unreadable(diagnostic) => wrong.push(Diagnostic::clone(diagnostic)),
        }
    }
    wrong.extend(cross_check(files.iter().flat_map(|file| &file.resources)));
    wrong.retain(|diagnostic| diagnostic.severity == Severity::Error);
    if !wrong.is_empty() {
        return Err(UsageError(describe(&wrong)).into());
    }
    Ok(Policy::new(files))
}

/// A path that means something here: those of a configuration that is read from a commit start from nowhere.
fn usable(path: &Path) -> anyhow::Result<&Path> {
    if path.is_absolute() {
        return Ok(path);
    }
    let message =
        format!("{}: a configuration that is read from a commit can name files by absolute paths only", path.display());
    Err(UsageError::new(message).into())
}
