//! The architecture, checked: what decides does nothing else, and imports run one way.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Who may use whom: a room uses those in the lines above its own, never its neighbours or those below.
const ORDER: &[&[&str]] = &[
    &["escape", "jitter", "measure", "protocol", "resource", "roots", "schema", "sys"],
    &["manifest"],
    &["authorize"],
    &["git"],
    // Everything from here on may tell of what it does.
    &["telemetry"],
    // What is told of a running agent, in the words that all its parts share.
    &["status::model"],
    &["audit", "demo", "instance", "reconcile", "source"],
    &["webhook"],
    &["config", "gateway"],
    &["status"],
    &["notify"],
    &["agent", "author", "client"],
    &["cli"],
];

/// What is a function from values to values.
const PURE: &[&str] = &[
    "agent::auditor",
    "agent::observer",
    "audit::kept",
    "audit::rotation",
    "author::diff",
    "author::editors",
    "author::import",
    "author::init::template",
    "authorize",
    "client::settings::merge",
    "config",
    "escape",
    "gateway::access",
    "gateway::all::names",
    "gateway::bridge::translate",
    "gateway::classify",
    "gateway::identity::bearer",
    "gateway::identity::failures",
    "gateway::identity::metadata",
    "gateway::identity::oidc::jwk",
    "gateway::identity::oidc::jwt",
    "gateway::hardening",
    "gateway::identity::token",
    "gateway::web_session::cookie",
    "gateway::web_session::site",
    "gateway::web_session::store",
    "gateway::web_session::table",
    "instance::backoff",
    "instance::confine::plan",
    "instance::flood",
    "instance::grant",
    "instance::journal::kept",
    "instance::journal::tally",
    "instance::labels::output",
    "instance::logs::kept",
    "instance::logs::lines",
    "instance::machine",
    "instance::orphans::engine",
    "instance::orphans::marker",
    "instance::redact",
    "instance::remote::address",
    "instance::remote::hosts",
    "instance::remote::parameters",
    "instance::remote::target",
    "instance::tools::set",
    "manifest",
    "notify::again",
    "notify::answer",
    "notify::compose",
    "notify::digest",
    "notify::forge",
    "notify::hook",
    "notify::notice",
    "notify::outbox",
    "notify::outcome",
    "notify::request",
    "notify::text",
    "protocol",
    "reconcile",
    "resource",
    "schema",
    "source::confirm",
    "status::changes",
    "status::judge",
    "status::metrics::expose",
    "status::metrics::families",
    "status::metrics::format",
    "status::metrics::reading",
    "status::model",
    "status::sight",
    "status::watching::picture",
    "telemetry::resource",
    "telemetry::settings",
    "webhook::proof",
];

/// What a pure module may not name. (`std::io` has traits and kinds of errors, which do nothing by themselves.)
const EFFECTS: &[&str] = &[
    "crate::sys",
    "getrandom",
    "hyper",
    "nix",
    "notify",
    "std::env",
    "std::fs",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::os",
    "std::process",
    "std::thread",
    "tempfile",
    "tokio",
    "tokio_util",
    "tracing",
    "walkdir",
];

#[test]
fn imports_run_one_way() {
    let mut wrong = BTreeSet::new();
    for file in sources() {
        let Some((tier, room)) = place(&file.module) else {
            // What holds the rooms together: lib.rs and main.rs.
            assert_eq!(file.module, "", "{} is in no room: give it a place in ORDER", file.path.display());
            continue;
        };
        for used in file.paths.iter().filter_map(|path| path.strip_prefix("crate::")) {
            if let Some((other_tier, other)) = place(used)
                && other != room
                && other_tier >= tier
            {
                wrong.insert(format!("{}: {room} may not use {other} ({used})", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_decides_does_nothing_else() {
    let mut wrong = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for file in sources() {
        let Some(room) = PURE.iter().find(|room| is_within(&file.module, room)) else { continue };
        seen.insert(room);
        for path in &file.paths {
            if EFFECTS.iter().any(|effect| is_within(path, effect)) || path.ends_with("::now") {
                wrong.insert(format!("{}: {path}", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(seen.len(), PURE.len(), "PURE names a module that is not there");
}

/// The tier and the name of a module's room. The longest name counts: `status::model` is not `status`.
fn place(module: &str) -> Option<(usize, &'static str)> {
    let tiers = ORDER.iter().enumerate().flat_map(|(tier, rooms)| rooms.iter().map(move |room| (tier, *room)));
    tiers.filter(|(_, room)| is_within(module, room)).max_by_key(|(_, room)| room.len())
}

fn is_within(path: &str, room: &str) -> bool {
    path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// A source file, without its tests.
struct SourceFile {
    path: PathBuf,
    /// As in `reconcile::plan`; empty for the root.
    module: String,
    /// Everything it names, from `crate::` if it is ours.
    paths: BTreeSet<String>,
}

fn sources() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut tests = BTreeSet::new();
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(&root) {
        let path = entry.expect("a readable tree").into_path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a readable file");
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let below = path.strip_prefix(&root).expect("it is below").with_extension("");
        let mut names: Vec<_> = below.iter().filter_map(|name| name.to_str()).collect();
        if matches!(names[..], [.., "mod"] | ["lib" | "main"]) {
            names.pop();
        }
        let mut reader = Reader { module: names.join("::"), ..Reader::default() };
        reader.read(tokens, "");
        tests.extend(reader.tests);
        files.push(SourceFile { path, module: reader.module, paths: reader.paths });
    }
    assert!(files.len() > 50, "{} is not the source", root.display());
    files.retain(|file| !tests.iter().any(|test| is_within(&file.module, test)));
    files
}

#[derive(Default)]
struct Reader {
    module: String,
    paths: BTreeSet<String>,
    /// Modules in files of their own that are compiled for tests only.
    tests: Vec<String>,
}

impl Reader {
    /// Takes in everything that is named below `prefix`, which is what stands before the braces of a `use`.
    fn read(&mut self, tokens: TokenStream, prefix: &str) {
        let mut tokens: &[TokenTree] = &tokens.into_iter().collect::<Vec<_>>();
        while let [first, rest @ ..] = tokens {
            tokens = match first {
                TokenTree::Punct(hash) if hash.as_char() == '#' && is_for_tests(rest.first()) => self.skip_item(rest),
                TokenTree::Ident(name) => self.read_path(name.to_string(), rest, prefix),
                TokenTree::Group(group) => {
                    self.read(group.stream(), "");
                    rest
                }
                _ => rest,
            };
        }
    }

    fn read_path<'a>(&mut self, first: String, mut rest: &'a [TokenTree], prefix: &str) -> &'a [TokenTree] {
        let mut path = if prefix.is_empty() { first } else { format!("{prefix}::{first}") };
        while let [TokenTree::Punct(a), TokenTree::Punct(b), next, after @ ..] = rest
            && (a.as_char(), b.as_char()) == (':', ':')
        {
            match next {
                TokenTree::Ident(name) => path = format!("{path}::{name}"),
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    self.read(group.stream(), &path);
                    return after;
                }
                _ => break,
            }
            rest = after;
        }
        self.paths.insert(self.absolute(path));
        rest
    }

    /// `super` and `self` resolved, as the file's own module sees them.
    fn absolute(&self, path: String) -> String {
        let mut names: Vec<&str> = self.module.split("::").filter(|name| !name.is_empty()).collect();
        let mut rest = path.as_str();
        if !["self", "super"].iter().any(|relative| is_within(rest, relative)) {
            return path;
        }
        while let Some((first, after)) = rest.split_once("::").or_else(|| (!rest.is_empty()).then_some((rest, ""))) {
            match first {
                "super" => drop(names.pop()),
                "self" => {}
                _ => break,
            }
            rest = after;
        }
        names.insert(0, "crate");
        names.extend(rest.split("::").filter(|name| !name.is_empty()));
        names.join("::")
    }

    /// What comes after an item, given what comes after the `#` before it.
    fn skip_item<'a>(&mut self, tokens: &'a [TokenTree]) -> &'a [TokenTree] {
        let end = tokens.iter().position(|token| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            _ => false,
        });
        let (item, rest) = tokens.split_at(end.map_or(tokens.len(), |end| end + 1));
        if let [.., TokenTree::Ident(keyword), TokenTree::Ident(name), TokenTree::Punct(_)] = item
            && keyword == "mod"
        {
            self.tests.push([&self.module, "::", &name.to_string()].concat());
        }
        rest
    }
}

/// Whether an attribute's brackets say `cfg(test)`.
fn is_for_tests(attribute: Option<&TokenTree>) -> bool {
    attribute.is_some_and(|attribute| attribute.to_string().replace(' ', "") == "[cfg(test)]")
}
