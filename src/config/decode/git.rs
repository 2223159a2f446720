//! `sources[].git`.

use super::{path, set};
use crate::{
    authorize::ObjectId,
    config::{Environment, GitConfig},
    git::RemoteError,
    manifest::{
        Code,
        decode::{Context, Fields, duration_within, fields, string, text},
        text::quoted,
        yaml::Node,
    },
};
use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

pub(super) fn git(node: &Node, environment: &Environment, context: &Context) -> Option<GitConfig> {
    let mut f = fields(node, "git", context)?;
    let path = |n: &Node, c: &Context| path(n, environment, c);
    let url = f.required("url", |n, c| url(n, environment, c));
    let mut git = GitConfig::new(url.clone().unwrap_or_default());
    git.branch = f.nullable("branch", ref_name);
    git.tag = f.nullable("tag", ref_name);
    git.commit = f.nullable("commit", commit);
    at_most_one(&mut f, &["branch", "tag", "commit"], context);
    set(&mut git.interval, f.optional("interval", duration_within(INTERVAL)));
    set(&mut git.timeout, f.optional("timeout", duration_within(TIMEOUT)));
    git.username_file = f.nullable("username_file", path);
    git.password_file = f.nullable("password_file", path);
    git.ssh_key_file = f.nullable("ssh_key_file", path);
    git.ssh_passphrase_file = f.nullable("ssh_passphrase_file", path);
    git.known_hosts_file = f.nullable("known_hosts_file", path);
    git.ca_file = f.nullable("ca_file", path);
    git.proxy = f.nullable("proxy", string);
    if url.is_some() {
        check(&git, &f, context);
    }
    f.finish();
    url.map(|_| git)
}

/// Reports all but the first of settings that exclude each other.
fn at_most_one(f: &mut Fields, names: &[&'static str], context: &Context) {
    let given: Vec<_> = names.iter().filter_map(|name| f.given(name).map(|mark| (name, mark))).collect();
    if let [(first, _), rest @ ..] = given.as_slice() {
        for (name, mark) in rest {
            let message = format!("a source follows one thing: either `{first}` or `{name}`");
            context.error::<()>(Code::MisplacedField, *mark, message);
        }
    }
}

/// The name of a branch or tag, as far as it must be one to be asked for.
fn ref_name(node: &Node, context: &Context) -> Option<String> {
    let name = text(node, context)?;
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let parts = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    if name.contains(bad) || name.contains("..") || name.contains("@{") || name.split('/').any(parts) || name == "@" {
        let message = format!("{} cannot be the name of a branch or tag", quoted(name));
        return context.error(Code::InvalidIdentifier, node.mark, message);
    }
    match name.strip_prefix("refs/heads/").or(name.strip_prefix("refs/tags/")) {
        Some(short) => {
            let help = format!("write {}", quoted(short));
            context.error_with_help(Code::InvalidIdentifier, node.mark, "write the name without `refs/…/`", help)
        }
        None => Some(name.to_owned()),
    }
}

pub(super) fn commit(node: &Node, context: &Context) -> Option<ObjectId> {
    let written = text(node, context)?;
    written.parse().ok().or_else(|| {
        let message = format!("{} is not the full id of a commit", quoted(written));
        let help = "write all 40 digits, as `git rev-parse REVISION` prints them";
        context.error_with_help(Code::InvalidIdentifier, node.mark, message, help)
    })
}

/// A URL, or a path, which is made absolute.
fn url(node: &Node, environment: &Environment, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    if written.contains("://") || GitConfig::new(written.to_owned()).remote().local().is_none() {
        return Some(written.to_owned());
    }
    let path: PathBuf = path(node, environment, context)?;
    path.into_os_string()
        .into_string()
        .ok()
        .or_else(|| context.error(Code::InvalidPath, node.mark, "the path to the folder of this file is not UTF-8"))
}

/// Reports what cannot work together.
fn check(git: &GitConfig, f: &Fields, context: &Context) {
    let Err(error) = git.remote().check() else { return };
    let at = |name| f.given(name).unwrap_or(f.mark());
    let (code, mark) = match &error {
        RemoteError::Address(_) => (Code::InvalidUri, at("url")),
        RemoteError::KnownHostsRequired | RemoteError::SshKeyRequired | RemoteError::Needs(..) => {
            (Code::MissingField, f.mark())
        }
        RemoteError::Useless(name) => (Code::MisplacedField, at(name)),
        RemoteError::Cleartext => (Code::MisplacedField, at("password_file")),
        RemoteError::Proxy => (Code::InvalidUri, at("proxy")),
        RemoteError::Timeout => (Code::OutOfRange, at("timeout")),
    };
    context.error::<()>(code, mark, error.to_string());
}
