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
    if let Some(key) = rules.forge_keys.iter().find(|key| signature.check(key) == Check::Good) {
        not_denied(key, rules)?;
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
    let checks: Vec<(&Member, &SigningKey, Check)> = candidates
        .into_values()
        .flat_map(|member| member.keys.iter().map(move |key| (member, key, signature.check(key))))
        .filter(|(.., check)| *check != Check::OtherKey)
        .collect();
    let shown = signature.shown();
    let mut good: Option<&Member> = None;
    for (member, key, _) in checks.iter().filter(|(.., check)| *check == Check::Good) {
        not_denied(key, rules)?;
        if let Some(other) = good.filter(|other| other.name() != member.name()) {
            let (a, b) = (other.name(), member.name());
            let message = format!("key {shown} is claimed by the users `{a}` and `{b}`; it must be one's");
            return Err(nobody(Code::AmbiguousUser, message));
        }
        good = Some(member);
    }
    if let Some(member) = good {
        return Ok(member);
    }
    for (member, _, check) in checks {
        match check {
            Check::Bad(why) => return Err(nobody(Code::BadSignature, format!("the signature is not good: {why}"))),
            Check::FingerprintOnly => {
                let message = format!(
                    "user `{}` has key {shown} by its fingerprint only, which cannot verify anything; put the armoured \
                     public key into `spec.git.signing_keys`",
                    member.name()
                );
                return Err(nobody(Code::UnknownKey, message));
            }
            Check::Good | Check::OtherKey => {}
        }
    }
    let message =
        format!("key {shown} belongs to no user; add it to a user's `spec.git.signing_keys` in an earlier commit");
    Err(nobody(Code::UnknownKey, message))
}

/// Whether a commit is signed with one of these keys.
pub fn signed_with(commit: &Commit, keys: &[SigningKey], rules: &Rules) -> bool {
    let good = |signature: &&Signature| {
        keys.iter().any(|key| signature.check(key) == Check::Good && not_denied(key, rules).is_ok())
    };
    !keys.is_empty() && signature(commit, rules).is_ok_and(|signature| good(&signature))
}

/// The signature of a commit, if it is one and its key is not denied.
fn signature<'c>(commit: &'c Commit, rules: &Rules) -> Result<&'c Signature, Nobody> {
    match &commit.evidence {
        Evidence::Unsigned => Err(nobody(
            Code::Unsigned,
            "the commit is not signed; make the change in a commit made with `git commit -S`",
        )),
        Evidence::Several => {
            Err(nobody(Code::SeveralSignatures, "the commit has more than one signature; sign it once"))
        }
        Evidence::Bad(why) => Err(nobody(Code::BadSignature, format!("the signature is not good: {why}"))),
        Evidence::Signed(signature) => {
            let named = signature.names();
            let denied = |key: &&SigningKey| {
                signature.check(key) == Check::Good || key.names().iter().any(|name| named.contains(name))
            };
            match rules.denied_keys.iter().any(|key| denied(&key)) {
                true => Err(denied_key(&signature.shown())),
                false => Ok(signature),
            }
        }
    }
}

/// Checks a key that has made a good signature. What a signature says of its key is not enough: it may name a subkey, or
/// nothing.
fn not_denied(key: &SigningKey, rules: &Rules) -> Result<(), Nobody> {
    let names = key.names();
    let denied = rules.denied_keys.iter().flat_map(SigningKey::names).find(|name| names.contains(name));
    denied.map_or(Ok(()), |name| Err(denied_key(&name.to_string())))
}

fn denied_key(shown: &str) -> Nobody {
    nobody(Code::DeniedKey, format!("key {shown} is denied by the agent; sign with another"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authorize::{ObjectId, signature::evidence},
        manifest::parse_file,
    };
    use globset::GlobSet;
    use std::{fs, sync::Arc};

    /// An OpenPGP key is denied with its subkeys, by whichever of them a signature was made.
    #[test]
    fn a_denied_key_is_denied_as_a_whole() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/signatures/pgp-subkey");
        let armoured = fs::read_to_string(format!("{folder}.key")).expect("a fixture");
        let commit = Commit {
            tree: ObjectId::new([0; 20]),
            author_email: String::new(),
            vouches: Default::default(),
            evidence: evidence(&fs::read(format!("{folder}.commit")).expect("a fixture")),
        };
        let lines: String = armoured.lines().map(|line| format!("        {line}\n")).collect();
        let user = format!(
            "kind: user\nversion: v2\nmetadata: {{name: eve}}\nspec:\n  git:\n    signing_keys:\n      - |\n{lines}"
        );
        let policy = Policy::new([&Arc::new(parse_file("eve.yaml", user.as_bytes()))]);
        let mut rules = Rules {
            identity: Identity::Signature,
            managed: GlobSet::empty(),
            fixed_policy: None,
            forge_keys: vec![],
            root_keys: vec![],
            denied_keys: vec![],
            merge_approves: false,
            max_commits: 1,
        };
        assert_eq!(signer(&commit, &policy, &rules).map(Member::name), Ok("eve"));
        let key = SigningKey::parse(&armoured).expect("a key");
        assert!(key.names().len() > 1, "it has a subkey");
        for name in key.names() {
            rules.denied_keys = vec![SigningKey::parse(&name.to_string()).expect("a fingerprint")];
            let denied = signer(&commit, &policy, &rules).map(Member::name).map_err(|nobody| nobody.code);
            assert_eq!(denied, Err(Code::DeniedKey), "{name}");
        }
    }
}
