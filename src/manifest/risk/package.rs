//! Packages that are fetched when a server starts.

use super::commands::{Word, name};
use crate::manifest::{Code, decode::Context, text::quoted};

/// Where a package comes from, by how its version is written.
#[derive(Clone, Copy, PartialEq)]
enum Registry {
    Npm,
    Python,
}

/// Options of the runners that name the package.
const PACKAGE: &[&str] = &["--package", "-p", "--from", "--spec"];

/// Options of the runners that are followed by a value that is no package.
const WITH_VALUE: &[&str] = &[
    "--python",
    "--with",
    "--with-editable",
    "--with-requirements",
    "--index",
    "--index-url",
    "--default-index",
    "--extra-index-url",
    "--find-links",
    "--directory",
    "--project",
    "--config-file",
    "--env-file",
    "--refresh-package",
    "--pip-args",
    "--registry",
    "--cache",
    "--prefix",
    "--userconfig",
    "--call",
    "-c",
    "-w",
    "-i",
    "-f",
    "--dir",
    "-C",
    "--constraints",
    "--overrides",
    "--resolution",
    "--prerelease",
    "--color",
    "--cache-dir",
    "--filter",
];

/// Looks at a command that may fetch a package and run it.
pub(super) fn look_at(command: &[Word], context: &Context) {
    let word = |at: usize| command.get(at).map_or("", |word| word.text.as_str());
    let (registry, from) = match (name(command), word(1), word(2)) {
        ("npx" | "bunx" | "pnpx", ..) => (Registry::Npm, 1),
        ("pnpm" | "yarn", "dlx", _) | ("npm", "exec" | "x", _) | ("bun", "x", _) => (Registry::Npm, 2),
        ("uvx", ..) => (Registry::Python, 1),
        ("uv", "tool", "run") => (Registry::Python, 3),
        ("pipx", "run", _) => (Registry::Python, 2),
        ("deno", "run", _) => {
            let package = command.iter().skip(2).find(|word| !word.text.starts_with('-'));
            if let Some(word) = package
                && let Some(package) = word.text.strip_prefix("npm:").or_else(|| word.text.strip_prefix("jsr:"))
            {
                check(Registry::Npm, package, word, context);
            }
            return;
        }
        _ => return,
    };
    let mut words = command.iter().skip(from);
    let mut named = false;
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        let (option, value) = text.split_once('=').map_or((text, None), |(option, value)| (option, Some(value)));
        // To uv, `-p` is the version of Python.
        let is_package = PACKAGE.contains(&option) && !(option == "-p" && registry == Registry::Python);
        if is_package {
            named = true;
            match value {
                Some(value) => check(registry, value, word, context),
                None => words.next().into_iter().for_each(|word| check(registry, &word.text, word, context)),
            }
        } else if text.starts_with('-') && text != "--" {
            let python = option == "-p" && registry == Registry::Python;
            if value.is_none() && (python || WITH_VALUE.contains(&option)) {
                words.next();
            }
        } else if text != "--" {
            if !named {
                check(registry, text, word, context);
            }
            return;
        }
    }
}

fn check(registry: Registry, package: &str, word: &Word, context: &Context) {
    if is_pinned(registry, package) {
        return;
    }
    let message = format!("the package {} is whatever its newest version is when the server starts", quoted(package));
    let help = match registry {
        Registry::Npm => "name one version: `PACKAGE@1.2.3`",
        Registry::Python => "name one version: `PACKAGE==1.2.3` (`PACKAGE@1.2.3` for a tool of uv)",
    };
    context.warning(Code::UnpinnedPackage, word.mark, message, help);
}

/// Whether exactly one version can be meant, as far as can be told: what is on this host, or at a URL, is left alone.
fn is_pinned(registry: Registry, package: &str) -> bool {
    if package.starts_with(['.', '/', '~']) || package.contains("://") || package.contains('$') {
        return true;
    }
    let version = match registry {
        Registry::Npm => {
            // The first `@` of `@scope/package` is part of the name.
            let name = package.strip_prefix('@').unwrap_or(package);
            name.split_once('@').map(|(_, version)| version.split('/').next().unwrap_or_default())
        }
        Registry::Python => {
            let requirement = package.split(';').next().unwrap_or_default();
            requirement.split_once("==").or_else(|| requirement.split_once('@')).map(|(_, version)| version.trim())
        }
    };
    version.is_some_and(is_exact)
}

/// Whether a version is one, not a range or the name of something that moves: `1.2.3`, not `^1`, `1.x`, `latest`.
fn is_exact(version: &str) -> bool {
    let version = version.trim_start_matches(['=', 'v']);
    let (core, _) = version.split_at(version.find(['-', '+']).unwrap_or(version.len()));
    let parts: Vec<&str> = core.split('.').collect();
    let number =
        |part: &&str| part.starts_with(|c: char| c.is_ascii_digit()) && part.chars().all(char::is_alphanumeric);
    parts.len() >= 2 && parts.iter().all(number) && !parts.iter().any(|part| part.contains(['x', 'X', '*']))
}
