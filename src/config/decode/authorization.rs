//! `authorization`: in a git source, or alone in a file for the commands that judge without an agent.

use super::{git::commit, path, set, source::glob, version};
use crate::{
    authorize::Identity,
    config::{Authorization, Environment, Judging, KeySetting, RootCommit, SourceFrom, source::wrong_with_key},
    manifest::{
        Code,
        decode::{Context, boolean, fields, integer, list, one_of, text},
        text::quoted,
        yaml::{Node, Value},
    },
    source::Mode,
};

const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("audit", Mode::Audit), ("off", Mode::Off)];

const IDENTITIES: &[(&str, Identity)] = &[("signature", Identity::Signature), ("author", Identity::Author)];

/// Whether a key has to verify signatures, or only to be recognized.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Verify,
    Recognize,
}

pub(super) fn authorization(node: &Node, environment: &Environment, context: &Context) -> Option<Authorization> {
    let mut f = fields(node, "authorization", context)?;
    let mut settings = Authorization::default();
    set(&mut settings.mode, f.optional("mode", one_of(MODES)));
    set(&mut settings.identity, f.optional("identity", one_of(IDENTITIES)));
    settings.root = f.nullable("root", root);
    set(&mut settings.trust_on_first_use, f.optional("trust_on_first_use", boolean));
    if let Some(mark) = f.given("root").filter(|_| settings.trust_on_first_use) {
        let message = "with a root of trust nothing is trusted on first use";
        context.error_with_help::<()>(
            Code::MisplacedField,
            mark,
            message,
            "keep one of `root` and `trust_on_first_use`",
        );
    }
    set(&mut settings.managed, f.optional("managed", list(glob)));
    if let Some(mark) = f.given("managed").filter(|_| settings.managed.is_empty()) {
        let message = "without a glob nothing would be judged";
        context.error_with_help::<()>(Code::EmptyValue, mark, message, "if that is what you mean, write `mode: off`");
    }
    settings.policy_dir = f.nullable("policy_dir", |n, c| path(n, environment, c));
    set(&mut settings.max_commits, f.optional("max_commits", integer(1..=10_000_000)));
    let keys = |purpose| list(move |n: &Node, c: &Context| key(n, purpose, environment, c));
    set(&mut settings.forge_keys, f.optional("forge_keys", keys(Purpose::Verify)));
    set(&mut settings.root_keys, f.optional("root_keys", keys(Purpose::Verify)));
    set(&mut settings.denied_keys, f.optional("denied_keys", keys(Purpose::Recognize)));
    set(&mut settings.merge_approves, f.optional("merge_approves", boolean));
    f.finish();
    Some(settings)
}

fn root(node: &Node, context: &Context) -> Option<RootCommit> {
    let mut f = fields(node, "root", context)?;
    let commit = f.required("commit", commit);
    let signer = f.nullable("signer", |n, c| written_key(n, Purpose::Verify, c));
    f.finish();
    Some(RootCommit { commit: commit?, signer })
}

fn key(node: &Node, purpose: Purpose, environment: &Environment, context: &Context) -> Option<KeySetting> {
    if !matches!(node.value, Value::Map(_)) {
        return written_key(node, purpose, context).map(KeySetting::Key);
    }
    let mut f = fields(node, "key", context)?;
    let file = f.required("file", |n, c| path(n, environment, c));
    f.finish();
    Some(KeySetting::File { file: file? })
}

fn written_key(node: &Node, purpose: Purpose, context: &Context) -> Option<String> {
    let written = text(node, context)?.trim();
    if let Some(why) = wrong_with_key(written) {
        let message = format!("{}: {why}", quoted(written));
        let help = "write an OpenSSH public key (`ssh-ed25519 AAAA…`), a full fingerprint or an armoured OpenPGP key";
        return context.error_with_help(Code::InvalidKey, node.mark, message, help);
    }
    if purpose == Purpose::Verify && is_openpgp_fingerprint(written) {
        let message = format!("{} is a fingerprint, which does not do to verify a signature", quoted(written));
        return context.error_with_help(
            Code::InvalidKey,
            node.mark,
            message,
            "give the armoured key, or `{file: PATH}`",
        );
    }
    Some(written.to_owned())
}

/// Whether there is no more than a fingerprint of an OpenPGP key. A signature does not carry its key, as those of
/// OpenSSH do.
fn is_openpgp_fingerprint(text: &str) -> bool {
    let digits: String = text.strip_prefix("0x").unwrap_or(text).split_whitespace().collect();
    digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What is given to the commands that judge without an agent: a file with nothing but `authorization`, or an agent's
/// configuration, of which the git source called `source` counts, or the only one.
pub(in crate::config) fn for_judging(
    node: &Node,
    source: Option<&str>,
    environment: &Environment,
    context: &Context,
) -> Option<Judging> {
    if node.get("authorization").is_some() {
        let mut f = fields(node, "", context)?;
        f.optional("version", version);
        let authorization = f.optional("authorization", |n, c| authorization(n, environment, c));
        f.finish();
        return Some(Judging { git: None, authorization: authorization? });
    }
    let config = super::config(node, environment, context)?;
    let mut found = config.sources.into_iter().filter_map(|candidate| match candidate.from {
        SourceFrom::Git { git, authorization } if source.is_none_or(|wanted| wanted == candidate.name) => {
            Some(Judging { git: Some(git), authorization: *authorization })
        }
        _ => None,
    });
    let first = found.next();
    let (message, help) = match (&first, found.next(), source) {
        (Some(_), None, _) => return first,
        (Some(_), Some(_), _) => {
            ("this configuration has several git sources".to_owned(), "say which: `--source NAME`")
        }
        (None, _, Some(name)) => {
            (format!("this configuration has no git source {}", quoted(name)), "look at its `sources`")
        }
        (None, _, None) => {
            ("this configuration has no git source, and no `authorization`".to_owned(), "add `authorization: {…}`")
        }
    };
    context.error_with_help(Code::MissingField, node.mark, message, help)
}
