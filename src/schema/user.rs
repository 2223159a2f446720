//! `user`, version v2.

use super::form::{Form, defined, filled_text, list, map, object, text};
use serde_json::json;

/// `spec` of a user.
pub fn spec() -> Form {
    object(vec![
        ("roles", list(&defined("name")).default(json!([])).about("Names of roles.")),
        ("traits", map("", &list(&text())).about("Lists of words by name, for conditions of rules.").example(json!({"team": ["platform"]}))),
        ("git", object(vec![
            ("emails", list(&text().pattern(r"^[^\s<>,@]+@[^\s<>,]+$").at_most(254)).default(json!([])).about("The addresses of this person's commits. No other user can claim them.")),
            ("signing_keys", list(&filled_text()).default(json!([])).about("What this person signs commits with: OpenSSH public keys, or armoured OpenPGP public keys.").example(json!(["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ada"]))),
        ]).about("By what this person's commits are known.")),
        ("gateway", object(vec![
            ("token_sha256", list(&text().pattern("^[0-9a-fA-F]{64}$")).default(json!([])).about("SHA-256 digests of tokens, as `mcpfleet token create` prints them.")),
            ("oidc", list(&object(vec![
                ("issuer!", text().pattern("^https?://[^?#]+$").about("The issuer, exactly as its tokens have it.")),
                ("subject!", filled_text().about("The `sub` of its tokens.")),
            ])).default(json!([])).about("Who this person is to issuers of signed tokens.")),
            ("host_users", list(&defined("host_user")).default(json!([])).about("Users of the agent's host who are this person, on the control socket.")),
        ]).about("By what this person is known to the gateway.")),
    ])
    .about("Who somebody is, and which roles they have.")
}
