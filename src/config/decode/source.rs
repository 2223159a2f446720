//! `sources`.

use super::{authorization::authorization, git::git, path, set};
use crate::{
    config::{DirectoryConfig, Environment, SourceConfig, SourceFrom},
    manifest::{
        Code,
        decode::{Context, duration_within, fields, list, name, one_of, text, unique},
        text::{Finding, quoted},
        yaml::{Node, Value},
    },
    source::{Ignore, WatchSetting},
};
use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

const WATCH: &[(&str, WatchSetting)] =
    &[("auto", WatchSetting::Auto), ("native", WatchSetting::Native), ("poll", WatchSetting::Poll)];

const WINDOW: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
const RESYNC: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);

pub(super) fn sources(node: &Node, environment: &Environment, context: &Context) -> Option<Vec<SourceConfig>> {
    let each = |node: &Node, context: &Context| source(node, environment, context);
    unique(list(each), |source: &SourceConfig| source.name.to_ascii_lowercase())(node, context)
}

fn source(node: &Node, environment: &Environment, context: &Context) -> Option<SourceConfig> {
    let mut f = fields(node, "sources[]", context)?;
    let name = f.required("name", name);
    let (has_git, has_directory) = (f.given("git"), f.given("directory"));
    let git = f.nullable("git", |n, c| git(n, environment, c));
    let directory = f.nullable("directory", |n, c| directory(n, environment, c));
    let subfolder = f.nullable("path", folder);
    let ignore = f.optional("ignore", list(glob)).unwrap_or_default();
    let rules = match has_git {
        Some(_) => f.nullable("authorization", |n, c| authorization(n, environment, c)),
        None => f.entry("authorization").filter(|entry| !is_empty(&entry.value)).and_then(|entry| {
            let message = "a directory has no commits, and so no `authorization`";
            context.error_with_help(Code::MisplacedField, entry.mark, message, "remove it, or use `git`")
        }),
    };
    match (has_git, has_directory) {
        (Some(mark), Some(_)) => {
            context.error::<()>(Code::MisplacedField, mark, "a source has either `git` or `directory`");
        }
        (None, None) => {
            let message = "a source needs `git` or a `directory`";
            let help = "add `git: {url: …}` or `directory: {path: …}`";
            context.error_with_help::<()>(Code::MissingField, f.mark(), message, help);
        }
        _ => {}
    }
    f.finish();
    let from = match (git, directory) {
        (Some(git), _) => {
            // Left out it has defaults; a bad one has been reported, and so the file has no value.
            let authorization = Box::new(rules.unwrap_or_default());
            SourceFrom::Git { git: Box::new(git), authorization }
        }
        (None, Some(directory)) => SourceFrom::Directory { directory },
        (None, None) => return None,
    };
    Some(SourceConfig { path: subfolder, ignore, ..SourceConfig::new(name?, from) })
}

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Map(entries) => entries.is_empty(),
        _ => false,
    }
}

fn directory(node: &Node, environment: &Environment, context: &Context) -> Option<DirectoryConfig> {
    let mut f = fields(node, "directory", context)?;
    let path = f.required("path", |n, c| path(n, environment, c));
    let mut directory = DirectoryConfig::new(PathBuf::new());
    set(&mut directory.watch, f.optional("watch", one_of(WATCH)));
    set(&mut directory.window, f.optional("window", duration_within(WINDOW)));
    set(&mut directory.resync, f.optional("resync", duration_within(RESYNC)));
    f.finish();
    Some(DirectoryConfig { path: path?, ..directory })
}

/// A folder of the source, without `/` at its ends.
fn folder(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    let folder = written.strip_suffix('/').unwrap_or(written);
    if folder.split('/').any(|part| matches!(part, "" | "." | "..")) {
        let message = format!("{} is not a folder of the source", quoted(written));
        let help = "write it from the source's root, without `.` and `..`, as in `fleet/prod`";
        return context.error_with_help(Code::InvalidPath, node.mark, message, help);
    }
    Some(folder.to_owned())
}

pub(super) fn glob(node: &Node, context: &Context) -> Option<String> {
    let glob = text(node, context)?.to_owned();
    match Ignore::new(std::slice::from_ref(&glob)) {
        Ok(_) => Some(glob),
        Err(error) => {
            context.report(Finding::error(
                Code::InvalidGlob,
                node.mark,
                format!("{}: {}", quoted(&glob), error.reason),
            ));
            None
        }
    }
}
