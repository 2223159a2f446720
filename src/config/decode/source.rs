//! `sources`.

use super::{path, set};
use crate::{
    config::{DirectoryConfig, Environment, Later, SourceConfig},
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
    let git = f.entry("git").filter(|git| git.value.value != Value::Null);
    let directory = f.nullable("directory", |n, c| directory(n, environment, c).map(|d| (d, n.mark)));
    let has_directory = node.get("directory").is_some_and(|node| node.value != Value::Null);
    match git {
        Some(git) if has_directory => {
            let message = "a source has either `git` or `directory`";
            context.error::<()>(Code::MisplacedField, git.mark, message);
        }
        Some(git) => {
            let message = "`sources[].git` is not yet supported";
            let help = "use a `directory`, such as a work tree that something else keeps up to date";
            context.error_with_help::<()>(Code::NotYetSupported, git.mark, message, help);
        }
        None if has_directory => {}
        None => {
            let message = "a source needs a `directory`";
            context.error_with_help::<()>(Code::MissingField, f.mark(), message, "add `directory: {path: …}`");
        }
    }
    let subfolder = f.nullable("path", folder);
    let ignore = f.optional("ignore", list(glob)).unwrap_or_default();
    let authorization = Later::Map(&[]).decode("sources[].", "authorization", &mut f, context);
    f.finish();
    Some(SourceConfig { name: name?, directory: directory?.0, path: subfolder, ignore, authorization })
}

fn directory(node: &Node, environment: &Environment, context: &Context) -> Option<DirectoryConfig> {
    let mut f = fields(node, "directory", context)?;
    let path = f.required("path", |n, c| path(n, environment, c));
    let mut directory = SourceConfig::directory(String::new(), PathBuf::new()).directory;
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

fn glob(node: &Node, context: &Context) -> Option<String> {
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
