//! `notifications`.

use super::{path, set, webhook::source_name};
use crate::{
    config::{Config, Environment, Filter, Forge, Notification, Slack, SourceFrom, Target, WebhookTarget},
    git::{Remote, WebAddress, is_proxy},
    manifest::{
        Code,
        decode::{Context, Fields, duration_within, fields, is_secure_url, list, name, one_of, text, unique},
        text::quoted,
        yaml::Node,
    },
    status::model::{
        event::{EventKind, EventLevel},
        notification::CommitState,
    },
};
use http::Uri;
use std::{ops::RangeInclusive, time::Duration};

const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(120);
const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
/// The longest name under which a forge shows a status.
const MAX_CONTEXT: usize = 100;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Github,
    Gitlab,
    Gitea,
    Slack,
    Webhook,
}

const KINDS: &[(&str, Kind)] = &[
    ("github", Kind::Github),
    ("gitlab", Kind::Gitlab),
    ("gitea", Kind::Gitea),
    ("slack", Kind::Slack),
    ("webhook", Kind::Webhook),
];

const LEVELS: &[(&str, EventLevel)] = &[("info", EventLevel::Info), ("warning", EventLevel::Warning)];

/// Reads the setting; `config` has its sources already.
pub(super) fn notifications(config: &mut Config, f: &mut Fields, environment: &Environment) {
    let sources: Vec<(&str, Option<Remote>)> = config
        .sources
        .iter()
        .map(|source| match &source.from {
            SourceFrom::Git { git, .. } => (source.name.as_str(), Some(git.remote())),
            SourceFrom::Directory { .. } => (source.name.as_str(), None),
        })
        .collect();
    let each = |node: &Node, context: &Context| notification(node, &sources, environment, context);
    let named = unique(list(each), |one: &Notification| one.name.to_ascii_lowercase());
    // Two under one name would take turns in saying what the forge shows.
    let shown = |one: &Notification| match &one.target {
        Target::Github(forge) | Target::Gitlab(forge) | Target::Gitea(forge) => {
            (Some((forge.api_url.clone(), forge.repository.clone(), forge.context.clone())), String::new())
        }
        Target::Slack(_) | Target::Webhook(_) => (None, one.name.clone()),
    };
    let given = f.nullable("notifications", |node, context| {
        let given = named(node, context)?;
        let twice = given.iter().enumerate().find(|(index, one)| {
            given.iter().take(*index).any(|before| shown(before) == shown(one) && before.name != one.name)
        });
        if let Some((_, one)) = twice {
            let message = format!("{} tells the forge under the same `context` as another one", quoted(&one.name));
            let help = "give each a `context` of its own";
            return context.error_with_help(Code::DuplicateValue, node.mark, message, help);
        }
        Some(given)
    });
    config.notifications = given.unwrap_or_default();
}

fn notification(
    node: &Node,
    sources: &[(&str, Option<Remote>)],
    environment: &Environment,
    context: &Context,
) -> Option<Notification> {
    let mut f = fields(node, "notifications[]", context)?;
    let path = |n: &Node, c: &Context| path(n, environment, c);
    let name = f.required("name", name);
    let kind = f.required("kind", one_of(KINDS));
    let ca_file = f.nullable("ca_file", path);
    let proxy = f.nullable("proxy", proxy);
    let mut timeout = Duration::from_secs(10);
    set(&mut timeout, f.optional("timeout", duration_within(TIMEOUT)));
    // Without a kind, nobody can say which other settings there are.
    let kind = kind?;
    let target = match kind {
        Kind::Github | Kind::Gitlab | Kind::Gitea => {
            let forge = forge(kind, &mut f, sources, environment, context);
            match kind {
                Kind::Github => forge.map(Target::Github),
                Kind::Gitlab => forge.map(Target::Gitlab),
                _ => forge.map(Target::Gitea),
            }
        }
        Kind::Slack => {
            let url_file = f.required("url_file", path);
            let filter = filter(&mut f, sources, EventLevel::Warning);
            let mut interval = Duration::from_secs(300);
            set(&mut interval, f.optional("interval", duration_within(INTERVAL)));
            url_file.map(|url_file| Target::Slack(Slack { url_file, filter, interval }))
        }
        Kind::Webhook => {
            let url = f.required("url", webhook_url);
            let secret_file = f.required("secret_file", path);
            let filter = filter(&mut f, sources, EventLevel::Info);
            url.zip(secret_file).map(|(url, secret_file)| Target::Webhook(WebhookTarget { url, secret_file, filter }))
        }
    };
    f.finish();
    Some(Notification { name: name?, target: target?, ca_file, proxy, timeout })
}

fn forge(
    kind: Kind,
    f: &mut Fields,
    sources: &[(&str, Option<Remote>)],
    environment: &Environment,
    context: &Context,
) -> Option<Forge> {
    let git: Vec<(&str, &Remote)> =
        sources.iter().filter_map(|(name, remote)| Some((*name, remote.as_ref()?))).collect();
    let names: Vec<&str> = git.iter().map(|(name, _)| *name).collect();
    let given = f.given("source");
    let named = f.nullable("source", |n, c| source_name(n, &names, c));
    let source = match (&named, git.as_slice()) {
        (Some(named), _) => git.iter().find(|(name, _)| name == named),
        (None, [only]) => Some(only),
        // Whatever is wrong with it has been said.
        (None, _) if given.is_some() => None,
        (None, _) => {
            let message = "missing field `source` in `notifications[]`: there is not just one git source";
            context.error::<()>(Code::MissingField, f.mark(), message);
            None
        }
    };
    let api_url = f.nullable("api_url", api_url);
    let repository = f.nullable("repository", |n, c| repository(n, kind, c));
    let token_file = f.required("token_file", |n, c| path(n, environment, c));
    let shown = f.nullable("context", shown_as);
    let (name, remote) = source?;
    let web = remote.web();
    let derived = web.as_ref().and_then(|web| derived(kind, web));
    let (derived_url, derived_path) = derived.unzip();
    let need = |name: &'static str, value: Option<String>| {
        value.or_else(|| {
            let message = format!("missing field `{name}` in `notifications[]`");
            let help = format!("the URL of the source {} does not tell it", quoted(&remote.shown()));
            context.error_with_help(Code::MissingField, f.mark(), message, help)
        })
    };
    let api_url = need("api_url", api_url.or(derived_url));
    let repository = need("repository", repository.or(derived_path));
    Some(Forge {
        source: (*name).to_owned(),
        api_url: api_url?,
        repository: repository?,
        token_file: token_file?,
        context: shown,
    })
}

/// The API of the forge that has a repository, and what the repository is called there.
fn derived(kind: Kind, web: &WebAddress) -> Option<(String, String)> {
    let parts: Vec<&str> = web.path.split('/').collect();
    let (below, repository) = match kind {
        // Groups are as deep as one likes.
        Kind::Gitlab => (None, web.path.clone()),
        _ => {
            let [below @ .., owner, name] = parts.as_slice() else { return None };
            (Some(below.join("/")).filter(|below| !below.is_empty()), format!("{owner}/{name}"))
        }
    };
    if check_repository(&repository, kind).is_err() {
        return None;
    }
    let base = below.map_or_else(|| web.origin.clone(), |below| format!("{}/{below}", web.origin));
    let url = match kind {
        Kind::Github if web.origin == "https://github.com" => "https://api.github.com".to_owned(),
        Kind::Github => format!("{base}/api/v3"),
        Kind::Gitlab => format!("{base}/api/v4"),
        _ => format!("{base}/api/v1"),
    };
    is_secure_url(&url).then_some((url, repository))
}

fn filter(f: &mut Fields, sources: &[(&str, Option<Remote>)], level: EventLevel) -> Filter {
    let names: Vec<&str> = sources.iter().map(|(name, _)| *name).collect();
    let mut filter = Filter { sources: Vec::new(), level, events: Vec::new() };
    set(&mut filter.sources, f.optional("sources", list(|n, c| source_name(n, &names, c))));
    set(&mut filter.level, f.optional("level", one_of(LEVELS)));
    set(&mut filter.events, f.optional("events", list(event)));
    filter
}

/// Every word that `events` may have.
pub fn event_words() -> Vec<&'static str> {
    let told = EventKind::ALL.iter().filter(|kind| kind.is_notified()).map(|kind| kind.word());
    told.chain(CommitState::ALL.map(CommitState::kind)).collect()
}

fn event(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    let words = event_words();
    if words.contains(&written) {
        return Some(written.to_owned());
    }
    let message = format!("unknown value {}", quoted(written));
    let help = match crate::manifest::decode::nearest(written, &words) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it is one of {}", words.join(", ")),
    };
    context.error_with_help(Code::UnknownValue, node.mark, message, help)
}

fn api_url(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    if is_secure_url(written) && !written.contains(['?', '#']) {
        return Some(written.trim_end_matches('/').to_owned());
    }
    let message = format!("{} is not the URL of an API to which a token may be sent", quoted(written));
    let help =
        "it starts with `https://`; with `http://` only on this machine itself, as in `http://127.0.0.1:3000/api/v1`";
    context.error_with_help(Code::InvalidUri, node.mark, message, help)
}

/// What is sent there is signed, and has no secret in it: `http` will do within one's own network.
fn webhook_url(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    let good = written.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'))
    });
    if good && !written.contains('#') {
        return Some(written.to_owned());
    }
    let message = format!("{} is not a URL to which messages could be sent", quoted(written));
    context.error_with_help(Code::InvalidUri, node.mark, message, "write it like `https://hooks.example.com/mcpfleet`")
}

fn proxy(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    if is_proxy(written) {
        return Some(written.to_owned());
    }
    context.error(Code::InvalidUri, node.mark, "`proxy` is to be `http://HOST:PORT`")
}

fn repository(node: &Node, kind: Kind, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    match check_repository(written, kind) {
        Ok(()) => Some(written.to_owned()),
        Err(help) => {
            let message = format!("{} is not the path of a repository", quoted(written));
            context.error_with_help(Code::InvalidIdentifier, node.mark, message, help)
        }
    }
}

/// Nothing that would make another request of it.
fn check_repository(path: &str, kind: Kind) -> Result<(), &'static str> {
    let fine = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'~'))
    };
    let parts = path.split('/').count();
    match kind {
        _ if !path.split('/').all(fine) => Err("write it like `platform/fleet`"),
        Kind::Gitlab if parts >= 2 => Ok(()),
        Kind::Gitlab => Err("write it with its groups, like `platform/tools/fleet`"),
        _ if parts == 2 => Ok(()),
        _ => Err("write its owner and its name, like `platform/fleet`"),
    }
}

fn shown_as(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    let fine = |c: char| c.is_ascii_graphic() || c == ' ';
    if !written.trim().is_empty() && written.len() <= MAX_CONTEXT && written.chars().all(fine) {
        return Some(written.trim().to_owned());
    }
    let message = format!("{} cannot be the name of a status", quoted(written));
    context.error_with_help(
        Code::InvalidIdentifier,
        node.mark,
        message,
        "1 to 100 plain characters, like `mcpfleet/eu-1`",
    )
}

/// What this agent is called.
pub(super) fn agent_name(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !written.is_empty() && written.len() <= 64 && written.bytes().all(fine) {
        return Some(written.to_owned());
    }
    let message = format!("{} cannot be the name of an agent", quoted(written));
    let help = "1 to 64 letters, digits, `-`, `_` and `.`";
    context.error_with_help(Code::InvalidName, node.mark, message, help)
}
