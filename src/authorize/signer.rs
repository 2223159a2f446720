//! To whom a commit is attributed.

use super::{
    Code, Identity, Policy, Rules,
    commit::Commit,
    policy::{Found, Member},
    signature::{Check, Evidence, Signature, SigningKey},
};
use std::collections::BTreeMap;

/// Why a commit is nobody's, as far as that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nobody {
    pub code: Code,
    pub message: String,
}

fn nobody(code: Code, message: impl Into<String>) -> Nobody {
    Nobody { code, message: message.into() }
}

/// Whose a commit is, by a policy.
pub fn signer<'p>(commit: &Commit, policy: &'p Policy, rules: &Rules) -> Result<&'p Member, Nobody> {
    if rules.identity == Identity::Author {
        return author(commit, policy);
    }
    let signature = signature(commit, rules)?;
    if rules.forge_keys.iter().any(|key| signature.check(key) == Check::Good) {
        // The forge has seen who the author is.
        return author(commit, policy);
    }
    let named = signature.names();
    // An OpenPGP signature need not say by which key it is.
    let candidates: Vec<&Member> = match named.as_slice() {
        [] => policy.users().iter().collect(),
        names => names.iter().flat_map(|name| policy.holders(name)).collect(),
    };
    let candidates: BTreeMap<&str, &Member> = candidates.into_iter().map(|member| (member.name(), member)).collect();
    let checks = |member: &&Member| -> Vec<Check> { member.keys.iter().map(|key| signature.check(key)).collect() };
    let good: Vec<&Member> = candidates.values().copied().filter(|m| checks(m).contains(&Check::Good)).collect();
    let shown = signature.shown();
    match good.as_slice() {
        [one] => return Ok(one),
        [a, b, ..] => {
            let message =
                format!("key {shown} is claimed by the users `{}` and `{}`; it must be one's", a.name(), b.name());
            return Err(nobody(Code::AmbiguousUser, message));
        }
        [] => {}
    }
    for (name, member) in candidates {
        for check in checks(&member) {
            match check {
                Check::Bad(why) => {
                    return Err(nobody(Code::BadSignature, format!("the signature is not good: {why}")));
                }
                Check::FingerprintOnly => {
                    let message = format!(
                        "user `{name}` has key {shown} by its fingerprint only, which cannot verify anything; \
                         put the armoured public key into `spec.git.signing_keys`"
                    );
                    return Err(nobody(Code::UnknownKey, message));
                }
                Check::Good | Check::OtherKey => {}
            }
        }
    }
    let message =
        format!("key {shown} belongs to no user; add it to a user's `spec.git.signing_keys` in an earlier commit");
    Err(nobody(Code::UnknownKey, message))
}

/// Whether a commit is signed with one of these keys.
pub fn signed_with(commit: &Commit, keys: &[SigningKey], rules: &Rules) -> bool {
    signature(commit, rules).is_ok_and(|signature| keys.iter().any(|key| signature.check(key) == Check::Good))
}

/// The signature of a commit, if it is one and its key is not denied.
fn signature<'c>(commit: &'c Commit, rules: &Rules) -> Result<&'c Signature, Nobody> {
    match &commit.evidence {
        Evidence::Unsigned => {
            Err(nobody(Code::Unsigned, "the commit is not signed; sign it with `git commit --amend --no-edit -S`"))
        }
        Evidence::Several => {
            Err(nobody(Code::SeveralSignatures, "the commit has more than one signature; sign it once"))
        }
        Evidence::Bad(why) => Err(nobody(Code::BadSignature, format!("the signature is not good: {why}"))),
        Evidence::Signed(signature) => {
            let named = signature.names();
            let denied = |key: &&SigningKey| {
                signature.check(key) == Check::Good || key.names().iter().any(|name| named.contains(name))
            };
            if rules.denied_keys.iter().any(|key| denied(&key)) {
                let message = format!("key {} is denied by the agent; sign with another", signature.shown());
                return Err(nobody(Code::DeniedKey, message));
            }
            Ok(signature)
        }
    }
}

fn author<'p>(commit: &Commit, policy: &'p Policy) -> Result<&'p Member, Nobody> {
    let email = &commit.author_email;
    match policy.by_email(email) {
        Found::One(member) => Ok(member),
        Found::Several(a, b) => {
            let message = format!("e-mail <{email}> is claimed by the users `{}` and `{}`", a.name(), b.name());
            Err(nobody(Code::AmbiguousUser, message))
        }
        Found::Nobody => {
            let message =
                format!("no user claims the author's e-mail <{email}>; add it to a user's `spec.git.emails` first");
            Err(nobody(Code::UnknownAuthor, message))
        }
    }
}
